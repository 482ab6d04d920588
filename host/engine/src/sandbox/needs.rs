//! What a coding CLI needs of the world outside its sandbox.

use serde::{Deserialize, Serialize};

use super::{Destination, Tier};

/// What a provider says about its CLI, and the operator grants. Without a sandbox it
/// changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct SandboxNeeds {
    /// The highest tier in which the CLI is known to work.
    pub tier: Tier,
    /// The CLI walls in what it runs by itself, which some outer walls would break.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub nests: bool,
    /// Files and folders below the home folder that it reads and writes: its login,
    /// its sessions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub home: Vec<HomePath>,
    /// Where it must be able to connect to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<Destination>,
    /// Keys of models that the host keeps to itself and adds on the way.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub model: Vec<ModelKey>,
}

impl SandboxNeeds {
    /// Whether everything `asked` would open is open here already. To be walled in
    /// less is more.
    pub fn cover(&self, asked: &Self) -> bool {
        asked.tier >= self.tier
            && (self.nests || !asked.nests)
            && asked.home.iter().all(|path| self.home.contains(path))
            && asked.network.iter().all(|asked| self.network.iter().any(|own| own.includes(asked)))
            && asked.model.iter().all(|key| self.model.contains(key))
    }

    /// One line for people; nothing if it needs nothing.
    pub fn line(&self) -> Option<String> {
        let mut parts = Vec::new();
        if !self.home.is_empty() {
            parts.push(format!("read and write {} in your home folder", listed(&self.home)));
        }
        if !self.network.is_empty() {
            parts.push(format!("connect to {}", listed(&self.network)));
        }
        for key in &self.model {
            parts.push(format!("use `{}` at {} without seeing it", key.key, key.origin));
        }
        if parts.is_empty() { None } else { Some(format!("in a sandbox: {}", parts.join("; "))) }
    }
}

fn listed<T: std::fmt::Display>(items: &[T]) -> String {
    let items: Vec<String> = items.iter().map(ToString::to_string).collect();
    items.join(", ")
}

/// A model's key that stays with the host: the agent gets a stand-in for it, and an
/// address on its own machine where the stand-in is exchanged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ModelKey {
    /// Environment variable of the operator that holds it.
    pub key: String,
    /// Environment variable by which the CLI is told another address of the model.
    pub address: String,
    /// Where the key is sent to, and nowhere else, such as `https://api.anthropic.com`.
    pub origin: String,
    /// Path below the origin that the address begins with, such as `/v1`; none by
    /// default.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Header that carries it.
    pub header: String,
    /// The header's value; `{}` stands for the key.
    pub form: String,
}

/// Why a text is no path below a home folder.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no path below the home folder: write it without `/` in front and without `..`, like `.claude`"
)]
pub struct NoHomePath(String);

/// A file or folder below a home folder: relative, and it never climbs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HomePath(String);

impl HomePath {
    /// Relative to the home folder.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HomePath {
    type Error = NoHomePath;

    fn try_from(text: String) -> Result<Self, NoHomePath> {
        let plain = |name: &str| !matches!(name, "" | "." | "..") && !name.chars().any(char::is_control);
        if text.split('/').all(plain) { Ok(Self(text)) } else { Err(NoHomePath(text)) }
    }
}

impl From<HomePath> for String {
    fn from(path: HomePath) -> Self {
        path.0
    }
}

impl std::fmt::Display for HomePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`", self.0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn destination(text: &str) -> Destination {
        text.parse().unwrap()
    }

    #[test]
    fn a_path_below_home_never_climbs() {
        for right in [".claude", ".config/opencode", "a b"] {
            assert_eq!(HomePath::try_from(right.to_owned()).unwrap().as_str(), right);
        }
        for wrong in ["", "/etc", "..", ".claude/../.ssh", "a//b", "a/", ".", "a\nb"] {
            assert!(HomePath::try_from(wrong.to_owned()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn to_be_walled_in_less_is_to_ask_for_more() {
        let granted = SandboxNeeds {
            tier: Tier::Contained,
            home: vec![HomePath(".claude".to_owned())],
            network: vec![destination("*.example.com:443")],
            ..SandboxNeeds::default()
        };
        assert!(granted.cover(&granted));
        assert!(
            granted
                .cover(&SandboxNeeds { network: vec![destination("a.example.com:443")], ..granted.clone() })
        );
        let more = [
            SandboxNeeds { tier: Tier::Basic, ..granted.clone() },
            SandboxNeeds { nests: true, ..granted.clone() },
            SandboxNeeds { home: vec![HomePath(".ssh".to_owned())], ..granted.clone() },
            SandboxNeeds { network: vec![destination("a.example.com:80")], ..granted.clone() },
        ];
        for asked in more {
            assert!(!granted.cover(&asked), "{asked:?}");
        }
    }

    #[test]
    fn needs_are_told_in_one_line() {
        assert_eq!(SandboxNeeds::default().line(), None);
        let needs = SandboxNeeds {
            home: vec![HomePath(".claude".to_owned()), HomePath(".claude.json".to_owned())],
            network: vec![destination("api.example.com:443")],
            ..SandboxNeeds::default()
        };
        assert_eq!(
            needs.line().unwrap(),
            "in a sandbox: read and write `.claude`, `.claude.json` in your home folder; connect to api.example.com:443"
        );
    }
}
