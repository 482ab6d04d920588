//! What a plugin asks for and what an operator grants, in one shape, so that the
//! two can be compared. Rooms check a right at the moment of use against the
//! *grant*; the manifest is only what was asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::command::ProgramRight;
use crate::landing::LandingKind;

mod address_block;

pub use address_block::{AddressBlock, AddressBlockError};

/// Everything one plugin may ask for or be granted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Rights {
    /// HTTP origins.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub http: Vec<HttpRight>,
    /// Directories.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileRight>,
    /// Credentials the host injects.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secret: Vec<SecretRight>,
    /// What a tracker may give to agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentRight>,
    /// What a tracker may have done with a repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<RepositoryRight>,
    /// The program a provider starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramRight>,
}

/// Requests to one origin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HttpRight {
    /// Scheme, host and port, such as `https://api.example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Configuration field whose value is the origin (or an URL below it).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin_from: Option<String>,
    /// In capitals.
    pub methods: Vec<String>,
    /// Prefix that the path must have; ends a segment or with `/`.
    #[serde(default = "root_path")]
    pub path: String,
    /// Private, loopback and other special addresses that the origin's name may stand
    /// for; public ones always may. They count for all rights to the same origin.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<AddressBlock>,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

fn root_path() -> String {
    "/".to_owned()
}

/// How files of a directory may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// List and read.
    Read,
    /// Also write.
    ReadWrite,
}

/// Files below one directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FileRight {
    /// Handle under which the plugin knows it.
    pub directory: String,
    /// Configuration field that holds the path.
    pub from: String,
    /// What may be done.
    pub access: Access,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// A credential that the host adds to requests; the plugin never sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SecretRight {
    /// Handle under which the plugin names it.
    pub handle: String,
    /// Secret configuration field that holds it.
    pub from: String,
    /// Header to set.
    pub header: String,
    /// The header's value; `{}` stands for the secret.
    pub form: String,
    /// The only origin it is ever sent to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Configuration field whose value is that origin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin_from: Option<String>,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

/// What a tracker may give to agents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AgentRight {
    /// Environment variables that come with a task.
    pub environment: bool,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl std::fmt::Display for AgentRight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.environment {
            "give agents environment variables that come with a task"
        } else {
            "give agents nothing"
        })
    }
}

/// What a tracker may have done with a repository, besides having an agent work in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct RepositoryRight {
    /// How finished work may land; it may stay on its branch in any case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub landings: Vec<LandingKind>,
    /// Whether commands that come with a task are run to judge the work.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub verify: bool,
    /// Its tasks start from the remote `origin` and go there, so a host does not start
    /// for it on a repository without one. Asks for nothing, and needs no grant.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub needs_remote: bool,
    /// For people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
}

impl RepositoryRight {
    fn covers(&self, asked: &Self) -> bool {
        asked.landings.iter().all(|landing| self.landings.contains(landing)) && (self.verify || !asked.verify)
    }
}

impl std::fmt::Display for RepositoryRight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let landing = |kind: &LandingKind| match kind {
            LandingKind::Leave => "leave finished work on its branch",
            LandingKind::Push => "have finished work pushed",
            LandingKind::PullRequest => "have finished work pushed and a pull request opened",
            LandingKind::Merge => "have finished work merged into a branch on this machine",
        };
        let mut may: Vec<&str> = self.landings.iter().map(landing).collect();
        if self.verify {
            may.push("have commands that come with a task run to judge the work");
        }
        if may.is_empty() {
            may.push("do nothing more with a repository");
        }
        f.write_str(&may.join(", "))
    }
}

/// Scheme, host and port in normal form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    /// `http` or `https`.
    pub scheme: String,
    /// Lower case, without a trailing dot.
    pub host: String,
    /// Explicit, also where it is the scheme's own.
    pub port: u16,
}

/// Why a text is not an origin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not an URL at all.
    #[error("`{0}` is not an address: write it like `https://api.example.com`")]
    NotAnAddress(String),
    /// Some other scheme.
    #[error("`{0}` is neither http nor https")]
    Scheme(String),
    /// `https://user:pass@host`.
    #[error("`{0}` contains a user name or password: use a secret instead")]
    UserInfo(String),
}

impl Origin {
    /// The origin of an address. Whatever parses an address for sending must be
    /// the same parser, so both use the `url` crate.
    pub fn of(address: &str) -> Result<Self, OriginError> {
        let url = Url::parse(address).map_err(|_| OriginError::NotAnAddress(address.to_owned()))?;
        Self::of_url(&url).map_err(|error| match error {
            OriginError::UserInfo(_) => OriginError::UserInfo(redacted(&url)),
            other => other,
        })
    }

    /// The origin of a parsed address.
    pub fn of_url(url: &Url) -> Result<Self, OriginError> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(OriginError::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(OriginError::UserInfo(redacted(url)));
        }
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return Err(OriginError::NotAnAddress(url.to_string()));
        };
        Ok(Self {
            scheme: url.scheme().to_owned(),
            host: host.trim_end_matches('.').to_ascii_lowercase(),
            port,
        })
    }
}

/// The address without what might be a password.
fn redacted(url: &Url) -> String {
    format!("{}://…@{}", url.scheme(), url.host_str().unwrap_or_default())
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let own = matches!((self.scheme.as_str(), self.port), ("https", 443) | ("http", 80));
        write!(f, "{}://{}", self.scheme, self.host)?;
        if own { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// Why a right cannot be used as configured.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The right names a field that has no value.
    #[error("configuration field `{0}` has no value, but a right depends on it: set it in the configuration")]
    MissingField(String),
    /// Neither or both of `origin` and `origin-from`.
    #[error("a right needs exactly one of `origin` and `origin-from`")]
    OriginAmbiguous,
    /// The value is not an origin.
    #[error(transparent)]
    Origin(#[from] OriginError),
}

/// The origin a right stands for, given the operator's configuration.
pub fn resolve_origin(
    fixed: Option<&String>,
    from: Option<&String>,
    config: &BTreeMap<String, String>,
) -> Result<Origin, ResolveError> {
    match (fixed, from) {
        (Some(origin), None) => Ok(Origin::of(origin)?),
        (None, Some(field)) => {
            let value = config.get(field).ok_or_else(|| ResolveError::MissingField(field.clone()))?;
            Ok(Origin::of(value)?)
        }
        _ => Err(ResolveError::OriginAmbiguous),
    }
}

/// Whether `path` lies below `prefix`, segment by segment: `/api` covers
/// `/api/tasks` but not `/apiary`. Below the prefix, paths that climb, also when
/// encoded (once or twice) or dressed as a parameter (`..;`), are below nothing.
pub fn path_below(prefix: &str, path: &str) -> bool {
    let Some(rest) = path.strip_prefix(prefix) else { return false };
    let plain = rest.to_ascii_lowercase().replace("%25", "%").replace("%2e", ".").replace("%3b", ";");
    let mut names =
        plain.split(['/', '\\']).map(|segment| segment.split_once(';').map_or(segment, |(name, _)| name));
    if names.any(|name| matches!(name, "." | "..")) || plain.contains("%2f") || plain.contains("%5c") {
        return false;
    }
    prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/')
}

impl Rights {
    /// What is asked here but not covered by `granted`, one line each, for people.
    /// Reasons do not count.
    pub fn beyond(&self, granted: &Self) -> Vec<String> {
        let mut missing = Vec::new();
        for right in &self.http {
            if !granted.http.iter().any(|other| other.covers(right)) {
                missing.push(right.to_string());
            }
        }
        for right in &self.files {
            if !granted.files.iter().any(|other| other.covers(right)) {
                missing.push(right.to_string());
            }
        }
        for right in &self.secret {
            if !granted.secret.iter().any(|other| other.covers(right)) {
                missing.push(right.to_string());
            }
        }
        if let Some(agent) = self.agent.as_ref().filter(|agent| agent.environment)
            && !granted.agent.as_ref().is_some_and(|other| other.environment)
        {
            missing.push(agent.to_string());
        }
        if let Some(repository) = &self.repository
            && !self.repository_is_covered(granted)
        {
            missing.push(repository.to_string());
        }
        if let Some(program) = &self.program
            && !granted.program.as_ref().is_some_and(|other| other.covers(program))
        {
            missing.push(program.to_string());
            missing.extend(program.sandbox.line());
        }
        missing
    }

    fn repository_is_covered(&self, granted: &Self) -> bool {
        let nothing = RepositoryRight::default();
        let asked = self.repository.as_ref().unwrap_or(&nothing);
        granted.repository.as_ref().unwrap_or(&nothing).covers(asked)
    }

    /// Every right as one line for people, with the plugin's reason.
    pub fn lines(&self) -> Vec<(String, String)> {
        let http = self.http.iter().map(|right| (right.to_string(), right.reason.clone()));
        let files = self.files.iter().map(|right| (right.to_string(), right.reason.clone()));
        let secrets = self.secret.iter().map(|right| (right.to_string(), right.reason.clone()));
        let program = self.program.iter().map(|right| (right.to_string(), right.reason.clone()));
        let outside = self.program.iter().filter_map(|right| right.sandbox.line());
        let outside = outside.map(|line| (line, "because nothing else is open to it there".to_owned()));
        let agent = self.agent.iter().map(|right| (right.to_string(), right.reason.clone()));
        let repository = self.repository.iter().map(|right| (right.to_string(), right.reason.clone()));
        http.chain(files)
            .chain(secrets)
            .chain(agent)
            .chain(repository)
            .chain(program)
            .chain(outside)
            .collect()
    }
}

impl HttpRight {
    fn covers(&self, asked: &Self) -> bool {
        self.origin == asked.origin
            && self.origin_from == asked.origin_from
            && asked.methods.iter().all(|method| self.methods.contains(method))
            && path_below(&self.path, &asked.path)
            && asked.addresses.iter().all(|asked| self.addresses.iter().any(|block| block.covers(asked)))
    }
}

impl FileRight {
    fn covers(&self, asked: &Self) -> bool {
        self.directory == asked.directory && self.from == asked.from && self.access >= asked.access
    }
}

impl SecretRight {
    fn covers(&self, asked: &Self) -> bool {
        let facts = |right: &Self| Self { reason: String::new(), ..right.clone() };
        facts(self) == facts(asked)
    }
}

impl std::fmt::Display for HttpRight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "send {} requests to ", self.methods.join(", "))?;
        match (&self.origin, &self.origin_from) {
            (Some(origin), _) => write!(f, "{origin}{}", self.path)?,
            (None, Some(field)) => write!(f, "the address in `{field}`, below {}", self.path)?,
            (None, None) => f.write_str("nowhere")?,
        }
        if self.addresses.is_empty() {
            return Ok(());
        }
        let blocks: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
        write!(f, ", also where it is one of the special addresses {}", blocks.join(", "))
    }
}

impl std::fmt::Display for FileRight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = match self.access {
            Access::Read => "read",
            Access::ReadWrite => "read and write",
        };
        write!(f, "{verb} files in the folder set by `{}`", self.from)
    }
}

impl std::fmt::Display for SecretRight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "have `{}` sent as header `{}` to ", self.from, self.header)?;
        match (&self.origin, &self.origin_from) {
            (Some(origin), _) => f.write_str(origin),
            (None, Some(field)) => write!(f, "the address in `{field}`"),
            (None, None) => f.write_str("nobody"),
        }
    }
}

#[cfg(test)]
mod tests;
