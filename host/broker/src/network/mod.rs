//! The network as requests see it: how names become addresses, which addresses may be
//! dialled, and what stands between.

mod address;
mod ceiling;
mod dial;
mod inside;
mod own;
mod proxy;
mod resolver;

use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use address::special;
pub use ceiling::{Ceiling, NoCeiling};
pub(crate) use dial::{Dialler, Reach};
pub use inside::Inside;
pub(crate) use own::is_own;
pub use proxy::{Proxy, ProxyError};
pub use resolver::{Resolver, Resolving, SystemResolver};

use crate::grant::GateError;
use crate::http::certificates;
use crate::traffic::Traffic;

/// What happens to a request that no right covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// It is refused.
    #[default]
    Enforce,
    /// It is counted as a denial and sent all the same, without a credential that is
    /// meant for elsewhere. Only for trying a plugin out where nothing is to be lost:
    /// it then reaches all that this machine reaches.
    Observe,
}

/// The network settings of a host, by default as on a machine without any. Clone it
/// for every gate: the clones share what is known about each origin's health.
#[derive(Clone, Debug)]
pub struct Network {
    /// The proxy, if requests go through one. It then looks the names up, so that only
    /// addresses written as numbers are checked here.
    pub proxy: Option<Proxy>,
    /// A PEM file with certificates to trust besides the system's.
    pub extra_ca: Option<PathBuf>,
    /// How names are looked up.
    pub resolver: Arc<dyn Resolver>,
    /// What all gates of the host know of each origin.
    pub traffic: Arc<Traffic>,
    /// What happens to requests that no right covers.
    pub mode: Mode,
    /// Where requests may go at most, whatever is granted or merely observed.
    pub ceiling: Arc<dyn Ceiling>,
}

impl Network {
    /// How many certificates are trusted besides the system's; an error if their file
    /// cannot be used.
    pub fn extra_certificates(&self) -> Result<usize, GateError> {
        Ok(certificates(self)?.len())
    }
}

impl Default for Network {
    fn default() -> Self {
        Self {
            proxy: None,
            extra_ca: None,
            resolver: Arc::new(SystemResolver),
            traffic: Arc::new(Traffic::default()),
            mode: Mode::default(),
            ceiling: Arc::new(NoCeiling),
        }
    }
}
