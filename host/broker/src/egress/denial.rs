//! Why an agent is not let out, in words for whoever reads the answer or the log.

use std::net::IpAddr;

use hostler_engine::sandbox::{Destination, Endpoint};
use hyper::StatusCode;

use crate::denial::{lines, some};

/// What an agent asked for and does not get. The message names the setting that would
/// allow it, where one could.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EgressDenial {
    #[error(
        "agents may not reach {0}: add \"{0}\" to `network` below `[agents]` in the host's configuration \
         if they should"
    )]
    Unlisted(Endpoint),
    #[error(
        "agents may not reach {to}: the entry \"{by}\" of `network-deny` below `[agents]` in the host's \
         configuration forbids it"
    )]
    Forbidden { to: Endpoint, by: Destination },
    #[error("agents may not reach {to}: {by} does not allow it, and only its keeper can change that")]
    Ceiling { to: Endpoint, by: String },
    #[error(
        "agents may not reach {to} at {kind} ({}): add `addresses = [{}]` below `[agents]` in the host's \
         configuration if it should be reached there",
        some(addresses).join(", "), lines(addresses)
    )]
    Address { to: Endpoint, addresses: Vec<IpAddr>, kind: &'static str },
    #[error(
        "the address of the model `{model}` stands for {kind} ({}): add `addresses = [{}]` below \
         `[agents]` in the host's configuration if it should be reached there",
        some(addresses).join(", "), lines(addresses)
    )]
    ModelAddress { model: String, addresses: Vec<IpAddr>, kind: &'static str },
    #[error("there is no route to a model called `{0}`: name one of those that this agent was given")]
    NoModel(String),
    #[error(
        "the request to the model `{0}` does not carry the key that this agent was given: \
         leave the agent's key as the host set it"
    )]
    Sentinel(String),
    #[error("the request cannot be let out: {0}")]
    Malformed(&'static str),
}

impl EgressDenial {
    /// The short name it is counted under.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Unlisted(_) => "egress-unlisted",
            Self::Forbidden { .. } => "egress-forbidden",
            Self::Ceiling { .. } => "egress-ceiling",
            Self::Address { .. } | Self::ModelAddress { .. } => "egress-address",
            Self::NoModel(_) => "egress-model",
            Self::Sentinel(_) => "egress-key",
            Self::Malformed(_) => "egress-malformed",
        }
    }

    /// What the agent's client is answered.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            _ => StatusCode::FORBIDDEN,
        }
    }
}

/// Why a request was not carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No rule covers it.
    Denied(EgressDenial),
    /// It was allowed but did not work: what happened, in a sentence.
    Failed(String),
}

impl From<EgressDenial> for Refusal {
    fn from(denial: EgressDenial) -> Self {
        Self::Denied(denial)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_denial_names_the_line_that_would_allow_it() {
        let to = Endpoint::new("a.example", 443).unwrap();
        assert_eq!(
            EgressDenial::Unlisted(to.clone()).to_string(),
            "agents may not reach a.example:443: add \"a.example:443\" to `network` below `[agents]` in the \
             host's configuration if they should"
        );
        let addresses = vec!["10.0.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
        let told = EgressDenial::Address { to, addresses, kind: "a private address" }.to_string();
        assert!(
            told.contains("(10.0.0.1, fd00::1): add `addresses = [\"10.0.0.1/32\", \"fd00::1/128\"]`"),
            "{told}"
        );
    }

    #[test]
    fn a_message_repeats_so_many_addresses_and_no_more() {
        let told = |count: u8| {
            let addresses = (0..count).map(|last| IpAddr::from([10, 0, 0, last])).collect();
            let to = Endpoint::new("a.example", 443).unwrap();
            EgressDenial::Address { to, addresses, kind: "a private address" }.to_string()
        };
        assert!(told(8).contains("\"10.0.0.7/32\""));
        assert_eq!(told(9), told(8));
    }
}
