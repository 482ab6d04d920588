//! Where one agent may go. Pure: nothing is looked up here.

use std::net::IpAddr;
use std::sync::Arc;

use hostler_engine::redaction::Redaction;
use hostler_engine::rights::{AddressBlock, Origin};
use reqwest::header::{HeaderName, HeaderValue};

use super::denial::EgressDenial;
use crate::denial::quoted;
use crate::network::{Ceiling, NoCeiling, special};
use crate::secret::Secret;
use hostler_engine::sandbox::{Destination, Endpoint};

/// All that an agent may reach. What is denied is never reached, whatever allows it.
#[derive(Clone, Debug)]
pub struct EgressRules {
    /// What may be reached.
    pub allow: Vec<Allowed>,
    /// What may not.
    pub deny: Vec<Destination>,
    /// What no rule of the operator's and no model can go beyond: whoever stands above.
    pub ceiling: Arc<dyn Ceiling>,
    /// Models that are reached with a key the agent does not have.
    pub models: Vec<ModelRoute>,
}

/// One thing that may be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowed {
    /// Which hosts at which port.
    pub to: Destination,
    /// The special addresses (private, loopback, …) that they may stand for. A host that
    /// is itself an address, or `localhost`, needs none for that.
    pub addresses: Vec<AddressBlock>,
}

/// A model's API under a path of the agent's own proxy. The agent has a stand-in for
/// the key, which is exchanged for the key on the way.
#[derive(Clone, Debug)]
pub struct ModelRoute {
    /// The route's name in its path, such as `anthropic`.
    pub name: String,
    /// Where requests go.
    pub upstream: Origin,
    /// The special addresses that the upstream's name may stand for.
    pub addresses: Vec<AddressBlock>,
    /// The header that carries the key.
    pub header: HeaderName,
    /// How the key stands in it, with `{}` in its place: `Bearer {}`.
    pub form: String,
    /// What the agent has in the key's place.
    pub sentinel: Secret,
    /// The key.
    pub key: Secret,
}

/// Why a route to a model cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelRouteError {
    /// The name cannot stand in a path.
    #[error("`{0}` cannot name a route to a model: use letters, digits, `-` and `_`")]
    Name(String),
    /// Two routes of one name.
    #[error("there are two routes to a model called `{0}`: give each its own name")]
    Twice(String),
    /// The form has no place for the key.
    #[error("the form of the key of the model `{0}` has no `{{}}`: put it where the key goes")]
    Form(String),
    /// The key cannot be sent.
    #[error(
        "the key of the model `{0}` is empty, far too long, or cannot be sent in a header: \
         set it, without line breaks and control characters"
    )]
    Key(String),
}

/// Where the paths of models begin on the agent's proxy.
const MODELS: &str = "/hostler/model/";

impl ModelRoute {
    /// The address that the agent's CLI takes for its API's, given the port it finds its
    /// proxy at.
    pub fn base_url(&self, port: u16) -> String {
        format!("http://127.0.0.1:{port}{MODELS}{}", self.name)
    }

    /// Where its requests go.
    pub(super) fn endpoint(&self) -> Option<Endpoint> {
        Endpoint::new(&self.upstream.host, self.upstream.port)
    }

    /// Whether the header carries the stand-in, once and in the route's form.
    pub(super) fn carries_sentinel<'v>(&self, mut values: impl Iterator<Item = &'v HeaderValue>) -> bool {
        let expected = self.form.replace("{}", self.sentinel.reveal());
        values.next().is_some_and(|value| value.as_bytes() == expected.as_bytes()) && values.next().is_none()
    }

    /// The header's value with the key in it.
    pub(super) fn credential(&self) -> Result<HeaderValue, ModelRouteError> {
        let sendable = [&self.key, &self.sentinel].iter().all(|value| !value.reveal().is_empty());
        let filled = HeaderValue::try_from(self.form.replace("{}", self.key.reveal()));
        let mut filled =
            filled.ok().filter(|_| sendable).ok_or_else(|| ModelRouteError::Key(self.name.clone()))?;
        filled.set_sensitive(true);
        Ok(filled)
    }

    /// Finds the key in what comes back.
    pub(super) fn redaction(&self) -> Result<Redaction, ModelRouteError> {
        Redaction::of([self.key.reveal()]).map_err(|_| ModelRouteError::Key(self.name.clone()))
    }

    /// What sends its key and finds it in what comes back; none for a route that makes no
    /// sense.
    fn keyed(&self) -> Result<Keyed, ModelRouteError> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if self.name.is_empty() || !self.name.bytes().all(plain) {
            return Err(ModelRouteError::Name(self.name.clone()));
        }
        if !self.form.contains("{}") {
            return Err(ModelRouteError::Form(self.name.clone()));
        }
        Ok(Keyed { redaction: self.redaction()?, credential: self.credential()? })
    }
}

/// What a route's key is sent and found by.
pub(super) struct Keyed {
    pub(super) credential: HeaderValue,
    pub(super) redaction: Redaction,
}

/// The route's name and the rest of the path, for the path of a model.
pub(super) fn model_path(path: &str) -> Option<(&str, &str)> {
    let rest = path.strip_prefix(MODELS)?;
    let end = rest.find('/').unwrap_or(rest.len());
    Some(rest.split_at(end))
}

/// That a host and port may be reached, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Permit {
    pub(super) to: Endpoint,
    /// The entry that allows it.
    pub(super) by: String,
    addresses: Vec<AddressBlock>,
}

impl Default for EgressRules {
    fn default() -> Self {
        let (allow, deny, models) = (Vec::new(), Vec::new(), Vec::new());
        Self { allow, deny, ceiling: Arc::new(NoCeiling), models }
    }
}

impl EgressRules {
    /// Whether a host and port may be reached.
    pub(super) fn admit(&self, to: &Endpoint) -> Result<Permit, EgressDenial> {
        let allowed: Vec<&Allowed> = self.allow.iter().filter(|allowed| allowed.to.covers(to)).collect();
        self.stays_within(to)?;
        let first = allowed.first().ok_or_else(|| EgressDenial::Unlisted(to.clone()))?;
        let by = first.to.to_string();
        let addresses = allowed.iter().flat_map(|allowed| allowed.addresses.iter().copied()).collect();
        Ok(Permit { to: to.clone(), by, addresses })
    }

    /// The route of this name, if its upstream may be reached.
    pub(super) fn model(&self, name: &str) -> Result<&ModelRoute, EgressDenial> {
        let route = self.models.iter().find(|route| route.name == name);
        let route = route.ok_or_else(|| EgressDenial::NoModel(quoted(name)))?;
        if let Some(to) = route.endpoint() {
            self.stays_within(&to)?;
        }
        Ok(route)
    }

    /// What holds whatever allows it.
    fn stays_within(&self, to: &Endpoint) -> Result<(), EgressDenial> {
        if let Some(by) = self.deny.iter().find(|denied| denied.covers(to)) {
            return Err(EgressDenial::Forbidden { to: to.clone(), by: by.clone() });
        }
        self.ceiling.connects(to).map_err(|by| EgressDenial::Ceiling { to: to.clone(), by })
    }

    /// Each route with what its key is sent and found by; none if one of them cannot be
    /// used, or told apart from the others.
    pub(super) fn keyed_models(&self) -> Result<Vec<(&ModelRoute, Keyed)>, ModelRouteError> {
        let mut keyed = Vec::new();
        for (position, route) in self.models.iter().enumerate() {
            keyed.push((route, route.keyed()?));
            if self.models[..position].iter().any(|other| other.name == route.name) {
                return Err(ModelRouteError::Twice(route.name.clone()));
            }
        }
        Ok(keyed)
    }
}

impl Permit {
    /// Those of the addresses that may be dialled; a denial if there are some, but none
    /// that may. `own` tells the machine's own addresses.
    pub(super) fn dialled(
        &self,
        found: Vec<IpAddr>,
        own: impl Fn(IpAddr) -> bool,
    ) -> Result<Vec<IpAddr>, EgressDenial> {
        let objection = |address: &IpAddr| {
            let kind = special(*address).or_else(|| own(*address).then_some("an address of this machine"))?;
            (!self.names(*address)).then_some(kind)
        };
        let (refused, permitted): (Vec<IpAddr>, Vec<IpAddr>) =
            found.into_iter().partition(|address| objection(address).is_some());
        match refused.first().and_then(objection) {
            Some(kind) if permitted.is_empty() => {
                Err(EgressDenial::Address { to: self.to.clone(), addresses: refused, kind })
            }
            _ => Ok(permitted),
        }
    }

    /// Whether the rule itself says that this address is meant.
    fn names(&self, address: IpAddr) -> bool {
        self.to.address() == Some(address)
            || (self.to.host() == "localhost" && address.is_loopback())
            || self.addresses.iter().any(|block| block.contains(address))
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
