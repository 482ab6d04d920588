//! Trackers inside the operator's own network: which addresses a grant would have to
//! list before they are reached.

use std::net::IpAddr;

use hostler_engine::rights::Origin;

use super::Network;
use super::dial::Reach;
use super::proxy::literal;
use crate::denial::Denial;
use crate::limits::CONNECT_WITHIN;

/// What an origin's name stands for in the operator's own network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inside {
    /// All of them, and all private or loopback.
    pub addresses: Vec<IpAddr>,
    /// What the first is, in words: `a private address`.
    pub kind: &'static str,
}

impl Network {
    /// The private and loopback addresses that the origin's name stands for, if it is
    /// reached by none that needs no mention in a grant. `None` also for a name that
    /// cannot be looked up, or that a proxy looks up, and where any of the addresses is
    /// special in another way: nobody should be led to grant that.
    pub async fn inside(&self, origin: &Origin) -> Option<Inside> {
        if literal(&origin.host).is_some()
            || self.proxy.as_ref().is_some_and(|proxy| proxy.towards(origin).is_some())
        {
            return None;
        }
        let looking = tokio::time::timeout(CONNECT_WITHIN.duration(), self.resolver.resolve(&origin.host));
        let found = looking.await.ok()?.ok()?;
        match Reach::new(origin.clone(), Vec::new()).permitted(found) {
            Err(Denial::Address { addresses, kind, .. }) if addresses.iter().all(is_inside) => {
                Some(Inside { addresses, kind })
            }
            _ => None,
        }
    }
}

fn is_inside(address: &IpAddr) -> bool {
    let private = match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    };
    private || address.is_loopback()
}
