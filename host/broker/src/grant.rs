//! The operator's grant with every name resolved to what it stands for now.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;

use hostler_engine::rights::{
    AddressBlock, HttpRight, Origin, ResolveError, Rights, SecretRight, path_below, resolve_origin,
};
use reqwest::header::HeaderName;

use crate::denial::{Denial, listed, quoted};
use crate::secret::{Secret, Secrets};

/// Why a gate cannot be made from a grant and a configuration.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// A right depends on a configuration value that is missing or wrong.
    #[error("the grant to {right} cannot be used: {source}")]
    Right {
        /// The right, in words.
        right: String,
        /// What is wrong.
        source: ResolveError,
    },
    /// The header of a secret is not a header name.
    #[error("the secret `{handle}` is to be sent in the header `{header}`, which is not a header name")]
    SecretHeader {
        /// Handle of the secret.
        handle: String,
        /// What was given.
        header: String,
    },
    /// The form of a secret has no place for it.
    #[error("the form of the secret `{handle}` has no `{{}}`: put it where the value goes")]
    SecretForm {
        /// Handle of the secret.
        handle: String,
    },
    /// No path is configured for a granted directory.
    #[error("the configuration field `{field}` has no value: set it to the path of the folder `{handle}`")]
    DirectoryUnset {
        /// Handle of the directory.
        handle: String,
        /// Configuration field.
        field: String,
    },
    /// The configured directory is not there.
    #[error("the folder {} does not exist: create it, or change the configuration field `{field}`", path.display())]
    DirectoryMissing {
        /// Configuration field.
        field: String,
        /// Where it was expected.
        path: PathBuf,
    },
    /// The configured directory cannot be opened.
    #[error("the folder {} (configuration field `{field}`) cannot be opened: {source}", path.display())]
    DirectoryUnusable {
        /// Configuration field.
        field: String,
        /// Where it is.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Two rights use one handle.
    #[error("the folder `{handle}` is granted twice: keep one of the two entries")]
    DirectoryTwice {
        /// Handle of the directory.
        handle: String,
    },
    /// The file with further certificates cannot be read.
    #[error("the certificates in {} cannot be read ({source}): correct the path, or leave it out", path.display())]
    CertificatesUnreadable {
        /// Where it was expected.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no certificate in it.
    #[error("the file {} holds no certificate that can be used: it must be PEM, with `BEGIN CERTIFICATE`", path.display())]
    CertificatesUnusable {
        /// Where it is.
        path: PathBuf,
    },
    /// The proxy cannot be used.
    #[error("the proxy for {0} cannot be used: check its address in the environment of the host")]
    Proxy(Origin),
    /// The system's certificates or TLS could not be set up.
    #[error("HTTP requests cannot be made on this machine: {0}")]
    Client(String),
}

/// What may be sent where, and with which credential.
#[derive(Debug)]
pub(crate) struct HttpGrant {
    targets: Vec<Target>,
    credentials: Vec<Credential>,
}

/// One origin with what may be asked of it.
#[derive(Debug)]
struct Target {
    origin: Origin,
    methods: Vec<String>,
    path: String,
    addresses: Vec<AddressBlock>,
}

/// A secret and the only place it goes to.
#[derive(Debug)]
pub(crate) struct Credential {
    pub(crate) handle: String,
    pub(crate) field: String,
    pub(crate) header: HeaderName,
    pub(crate) form: String,
    pub(crate) origin: Origin,
    pub(crate) value: Option<Secret>,
}

impl HttpGrant {
    /// Resolves the HTTP and secret rights of a grant.
    pub(crate) fn resolve(
        rights: &Rights,
        config: &BTreeMap<String, String>,
        secrets: &Secrets,
    ) -> Result<Self, GateError> {
        let targets = rights.http.iter().map(|right| Target::resolve(right, config));
        let credentials = rights.secret.iter().map(|right| Credential::resolve(right, config, secrets));
        Ok(Self {
            targets: targets.collect::<Result<_, _>>()?,
            credentials: credentials.collect::<Result<_, _>>()?,
        })
    }

    /// Whether one right covers all of origin, path and method.
    pub(crate) fn covers(&self, origin: &Origin, path: &str, method: &str) -> Result<(), Denial> {
        let there: Vec<&Target> = self.targets.iter().filter(|target| target.origin == *origin).collect();
        if there.is_empty() {
            let granted = listed(self.targets.iter().map(|target| &target.origin));
            return Err(Denial::Origin { origin: origin.to_string(), granted });
        }
        let below: Vec<&Target> =
            there.iter().copied().filter(|target| path_below(&target.path, path)).collect();
        if below.is_empty() {
            let granted = listed(there.iter().map(|target| &target.path));
            return Err(Denial::Path { origin: origin.to_string(), path: quoted(path), granted });
        }
        if below.iter().any(|target| target.methods.iter().any(|granted| granted == method)) {
            return Ok(());
        }
        let granted = listed(below.iter().flat_map(|target| &target.methods));
        let (origin, method, path) = (origin.to_string(), quoted(method), quoted(path));
        Err(Denial::Method { origin, method, path, granted })
    }

    /// The special addresses that this origin's name may stand for. They belong to the
    /// origin and not to a path: connections are shared by all requests to it.
    pub(crate) fn addresses(&self, origin: &Origin) -> Vec<AddressBlock> {
        let there = self.targets.iter().filter(|target| target.origin == *origin);
        there.flat_map(|target| target.addresses.iter().copied()).collect()
    }

    /// Every origin that something is granted of.
    pub(crate) fn origins(&self) -> impl Iterator<Item = &Origin> {
        self.targets.iter().map(|target| &target.origin)
    }

    /// The credential of this handle, if it is meant for this origin.
    pub(crate) fn credential(&self, handle: &str, origin: &Origin) -> Result<&Credential, Denial> {
        let mut same = self.credentials.iter().filter(|credential| credential.handle == handle).peekable();
        let Some(first) = same.peek().copied() else {
            let granted = listed(self.credentials.iter().map(|credential| &credential.handle));
            return Err(Denial::Credential { handle: quoted(handle), granted });
        };
        same.find(|credential| credential.origin == *origin).ok_or_else(|| Denial::CredentialOrigin {
            handle: quoted(handle),
            origin: origin.to_string(),
            meant_for: first.origin.to_string(),
        })
    }

    /// Every credential, whether it has a value or not.
    pub(crate) fn credentials(&self) -> &[Credential] {
        &self.credentials
    }
}

impl Target {
    fn resolve(right: &HttpRight, config: &BTreeMap<String, String>) -> Result<Self, GateError> {
        let origin = resolve_origin(right.origin.as_ref(), right.origin_from.as_ref(), config)
            .map_err(|source| GateError::Right { right: right.to_string(), source })?;
        let HttpRight { methods, path, addresses, .. } = right.clone();
        Ok(Self { origin, methods, path, addresses })
    }
}

impl Credential {
    fn resolve(
        right: &SecretRight,
        config: &BTreeMap<String, String>,
        secrets: &Secrets,
    ) -> Result<Self, GateError> {
        let origin = resolve_origin(right.origin.as_ref(), right.origin_from.as_ref(), config)
            .map_err(|source| GateError::Right { right: right.to_string(), source })?;
        let header = HeaderName::try_from(&right.header).map_err(|_| GateError::SecretHeader {
            handle: right.handle.clone(),
            header: right.header.clone(),
        })?;
        if !right.form.contains("{}") {
            return Err(GateError::SecretForm { handle: right.handle.clone() });
        }
        Ok(Self {
            handle: right.handle.clone(),
            field: right.from.clone(),
            header,
            form: right.form.clone(),
            origin,
            value: secrets.get(&right.from).cloned(),
        })
    }
}
