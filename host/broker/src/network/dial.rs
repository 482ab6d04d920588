//! Looks a name up for a connection, and lets only those addresses be dialled that
//! its origin may be reached by.
//!
//! The client dials what comes out of here and asks nobody else, so no second look at
//! a name, by which it could have moved, stands between the check and the connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hostler_engine::rights::{AddressBlock, Origin};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::address::special;
use super::resolver::Resolver;
use crate::denial::Denial;
use crate::observe::Observed;

/// Which special addresses the name of one origin may stand for.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    origin: Origin,
    blocks: Vec<AddressBlock>,
}

impl Reach {
    /// `blocks` come from the grant. An origin that is an address itself is dialled
    /// without a look-up: who granted it, granted the address.
    pub(crate) fn new(origin: Origin, blocks: Vec<AddressBlock>) -> Self {
        Self { origin, blocks }
    }

    /// Whose addresses they are.
    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Those of the addresses that may be dialled; a denial if that is none.
    pub(crate) fn permitted(&self, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, Denial> {
        let refused = match found.iter().find_map(|address| special(*address)) {
            Some(kind) if !found.iter().any(|address| self.permits(*address)) => kind,
            _ => return Ok(found.into_iter().filter(|address| self.permits(*address)).collect()),
        };
        Err(Denial::Address { origin: self.origin.clone(), addresses: found, kind: refused })
    }

    fn permits(&self, address: IpAddr) -> bool {
        special(address).is_none()
            || (self.origin.host == "localhost" && address.is_loopback())
            || self.blocks.iter().any(|block| block.contains(address))
    }
}

/// The client's resolver for connections to one origin.
#[derive(Clone, Debug)]
pub(crate) struct Dialler {
    resolver: Arc<dyn Resolver>,
    check: Option<Arc<Check>>,
}

#[derive(Debug)]
struct Check {
    reach: Reach,
    observed: Option<Arc<Observed>>,
}

impl Dialler {
    /// Checks every address. Where it is observed, denials are noted and the addresses
    /// dialled all the same.
    pub(crate) fn checking(
        resolver: Arc<dyn Resolver>,
        reach: Reach,
        observed: Option<Arc<Observed>>,
    ) -> Self {
        Self { resolver, check: Some(Arc::new(Check { reach, observed })) }
    }

    /// For a client that only ever dials the operator's proxy.
    pub(crate) fn to_proxy(resolver: Arc<dyn Resolver>) -> Self {
        Self { resolver, check: None }
    }
}

impl Check {
    fn dialled(&self, found: Vec<IpAddr>) -> Result<Vec<IpAddr>, Denial> {
        match (self.reach.permitted(found.clone()), &self.observed) {
            (Err(denial), Some(observed)) => {
                observed.addresses(&self.reach.origin, &found);
                observed.let_pass(&denial);
                Ok(found)
            }
            (permitted, _) => permitted,
        }
    }
}

impl Resolve for Dialler {
    fn resolve(&self, name: Name) -> Resolving {
        let dialler = self.clone();
        Box::pin(async move {
            let found = dialler.resolver.resolve(name.as_str()).await?;
            let addresses = match &dialler.check {
                Some(check) => check.dialled(found)?,
                None => found,
            };
            // The client puts the port of the address in the place of 0.
            Ok(Box::new(addresses.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn reach(host: &str, blocks: &[&str]) -> Reach {
        let origin = Origin { scheme: "https".to_owned(), host: host.to_owned(), port: 443 };
        Reach::new(origin, blocks.iter().map(|block| block.parse().unwrap()).collect())
    }

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn of_several_addresses_only_the_permitted_are_dialled() {
        let mixed = addresses(&["10.0.0.1", "8.8.8.8", "::1", "fd00::1"]);
        assert_eq!(reach("a.example", &[]).permitted(mixed.clone()).unwrap(), addresses(&["8.8.8.8"]));
        let granted = reach("a.example", &["10.0.0.0/8", "fd00::/8"]).permitted(mixed).unwrap();
        assert_eq!(granted, addresses(&["10.0.0.1", "8.8.8.8", "fd00::1"]));
    }

    #[test]
    fn a_name_with_special_addresses_only_is_denied_with_the_line_that_would_allow_them() {
        let denial = reach("a.example", &[]).permitted(addresses(&["10.0.0.1", "fd00::1"])).unwrap_err();
        assert_eq!(
            denial.to_string(),
            "the name in https://a.example stands for a private address (10.0.0.1, fd00::1), which no grant covers: \
             run `host plugin allow` for the plugin, or add \
             `addresses = [\"10.0.0.1/32\", \"fd00::1/128\"]` to its `http` grant for https://a.example, \
             if it should be reached there"
        );
    }

    #[test]
    fn localhost_may_be_the_loopback_interface_and_nothing_else_special() {
        let localhost = reach("localhost", &[]);
        let loopback = addresses(&["127.0.0.1", "::1"]);
        assert_eq!(localhost.permitted(loopback.clone()).unwrap(), loopback);
        localhost.permitted(addresses(&["10.0.0.1"])).unwrap_err();
        reach("localhost.example", &[]).permitted(loopback).unwrap_err();
    }

    #[test]
    fn a_name_without_addresses_is_nothing_to_deny() {
        assert_eq!(reach("a.example", &[]).permitted(Vec::new()).unwrap(), Vec::<IpAddr>::new());
    }
}
