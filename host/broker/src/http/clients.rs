//! The HTTP clients of one gate: one for each origin, so that a connection is only ever
//! used for the origin whose addresses were checked when it was made.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use hostler_engine::rights::Origin;
use reqwest::{Certificate, Client, ClientBuilder, redirect};

use super::failure;
use crate::grant::{GateError, HttpGrant};
use crate::limits::{CONNECT_WITHIN, HEADERS};
use crate::network::{Dialler, Network, Reach};
use crate::observe::Observed;

/// How the host names itself where the plugin does not.
const USER_AGENT: &str = concat!("hostler/", env!("CARGO_PKG_VERSION"));

/// Clients by origin. No other gate uses them, so that two plugins never share a
/// connection.
#[derive(Debug)]
pub(crate) struct Clients {
    network: Network,
    certificates: Vec<Certificate>,
    observed: Option<Arc<Observed>>,
    made: Mutex<BTreeMap<Origin, Client>>,
}

impl Clients {
    /// A client for each granted origin.
    pub(super) fn new(
        grant: &HttpGrant,
        network: &Network,
        observed: Option<Arc<Observed>>,
    ) -> Result<Self, GateError> {
        let (network, certificates) = (network.clone(), certificates(network)?);
        let clients = Self { network, certificates, observed, made: Mutex::default() };
        for origin in grant.origins() {
            clients.towards(origin, grant)?;
        }
        Ok(clients)
    }

    /// The client for an origin; one that is not granted gets its own when it is first
    /// used, which only observing allows.
    pub(super) fn towards(&self, origin: &Origin, grant: &HttpGrant) -> Result<Client, GateError> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = made.get(origin) {
            return Ok(client.clone());
        }
        let client = self.make(origin, grant)?;
        made.insert(origin.clone(), client.clone());
        Ok(client)
    }

    fn make(&self, origin: &Origin, grant: &HttpGrant) -> Result<Client, GateError> {
        let reach = Reach::new(origin.clone(), grant.addresses(origin));
        client(&self.network, &self.certificates, reach, self.observed.clone())
    }
}

/// A client for one origin, through the operator's proxy or to the addresses that the
/// origin may be reached by.
pub(crate) fn client(
    network: &Network,
    certificates: &[Certificate],
    reach: Reach,
    observed: Option<Arc<Observed>>,
) -> Result<Client, GateError> {
    let resolver = Arc::clone(&network.resolver);
    let builder = if let Some(url) = network.proxy.as_ref().and_then(|proxy| proxy.towards(reach.origin())) {
        let unusable = |_| GateError::Proxy(reach.origin().clone());
        let proxy = reqwest::Proxy::all(url.clone()).map_err(unusable)?;
        plain_client().proxy(proxy).dns_resolver(Dialler::to_proxy(resolver))
    } else {
        plain_client().no_proxy().dns_resolver(Dialler::checking(resolver, reach, observed))
    };
    let builder = match certificates {
        [] => builder,
        certificates => builder.tls_certs_merge(certificates.iter().cloned()),
    };
    builder.build().map_err(|error| GateError::Client(failure::innermost(&error)))
}

/// Everything that a client would do by itself is switched off by name: the defaults
/// change with the features that other crates ask for.
fn plain_client() -> ClientBuilder {
    Client::builder()
        .redirect(redirect::Policy::none())
        .retry(reqwest::retry::never())
        .referer(false)
        .no_gzip()
        .no_brotli()
        .no_zstd()
        .no_deflate()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_WITHIN.duration())
        // Twice ours: a little too many is our sentence, not the parser's.
        .http1_max_headers(2 * HEADERS)
}

/// The certificates that the operator adds to the system's.
pub(crate) fn certificates(network: &Network) -> Result<Vec<Certificate>, GateError> {
    network.extra_ca.as_deref().map_or_else(|| Ok(Vec::new()), in_file)
}

/// The certificates in a PEM file; at least one.
fn in_file(path: &Path) -> Result<Vec<Certificate>, GateError> {
    let pem = fs::read(path)
        .map_err(|source| GateError::CertificatesUnreadable { path: path.to_owned(), source })?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(GateError::CertificatesUnusable { path: path.to_owned() }),
    }
}
