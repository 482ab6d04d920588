//! From a name to addresses: the only place where names are looked up.

use std::fmt::Debug;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;

/// The addresses of a name, when they are found.
pub type Resolving<'r> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'r>>;

/// Looks names up. What it answers is checked and is exactly what is dialled: a name
/// is never looked up a second time for the same connection.
pub trait Resolver: Debug + Send + Sync {
    /// All addresses of `host`, which is a name and never an address, best first.
    fn resolve<'r>(&'r self, host: &'r str) -> Resolving<'r>;
}

/// Asks the system, as all programs do.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'r>(&'r self, host: &'r str) -> Resolving<'r> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((host, 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}
