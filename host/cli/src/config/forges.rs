//! `[forge."HOST"]`: what the sites with pull requests are, and where their tokens are
//! found. The operator names a variable; nothing is taken from the environment unasked.

use std::collections::BTreeMap;

use hostler_daemon::{ForgeKind, ForgeSettings, Secret};

use super::error::ConfigError;
use super::file::{ConfigFile, Given};
use super::key::check_names;
use super::layers::read_one;
use super::origin::Setting;
use super::value::{self, Read};

/// What can stand in a table.
const NAMES: [&str; 2] = ["kind", "token-env"];

/// A forge as it was described.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedForge {
    /// As remotes name it, with a port if they do.
    pub host: String,
    /// How to talk to it.
    pub kind: Setting<ForgeKind>,
    /// Name of the environment variable with its token.
    pub token_env: Option<Setting<String>>,
}

impl NamedForge {
    /// With the token, if its variable has a value.
    pub fn settings(&self, environment: &BTreeMap<String, String>) -> ForgeSettings {
        let token = self.token_env.as_ref().and_then(|name| environment.get(&name.value));
        ForgeSettings {
            host: self.host.clone(),
            kind: self.kind.value,
            token: token.filter(|token| !token.is_empty()).map(Secret::new),
        }
    }
}

/// What the operator's file says.
pub fn forges(file: Option<&ConfigFile>) -> Result<Vec<NamedForge>, ConfigError> {
    let tables = file.into_iter().flat_map(|file| &file.forges);
    tables.map(|(host, table)| read(host, table)).collect()
}

fn read(host: &str, table: &BTreeMap<String, Given>) -> Result<NamedForge, ConfigError> {
    check_names(table, &NAMES)?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    if host.is_empty() || !host.bytes().all(plain) {
        return Err(ConfigError::ForgeHost(host.to_owned()));
    }
    let name = |field: &str| format!("forge.\"{host}\".{field}");
    let kind = match table.get("kind") {
        Some(given) => read_one(&name("kind"), given, kind)?,
        None => Setting::default(well_known(host).ok_or_else(|| ConfigError::ForgeKind(host.to_owned()))?),
    };
    let token_env = table.get("token-env").map(|given| read_one(&name("token-env"), given, variable));
    Ok(NamedForge { host: host.to_owned(), kind, token_env: token_env.transpose()? })
}

fn well_known(host: &str) -> Option<ForgeKind> {
    match host {
        "github.com" => Some(ForgeKind::GitHub),
        "gitlab.com" => Some(ForgeKind::GitLab),
        _ => None,
    }
}

/// The word for a kind of forge.
pub const fn kind_word(kind: ForgeKind) -> &'static str {
    match kind {
        ForgeKind::GitHub => "github",
        ForgeKind::GitLab => "gitlab",
    }
}

fn kind(text: &str) -> Read<ForgeKind> {
    let kinds = [ForgeKind::GitHub, ForgeKind::GitLab];
    let found = kinds.into_iter().find(|kind| kind_word(*kind) == text.trim());
    found.ok_or_else(|| "`github` or `gitlab`".to_owned())
}

fn variable(text: &str) -> Read<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let name = value::text(text)?;
    if name.bytes().all(plain) && !name.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(name);
    }
    Err("the name of an environment variable, such as GITHUB_TOKEN, and never the token itself".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::path::Path;

    use super::*;
    use crate::config::Whose;

    fn parsed(text: &str) -> Result<Vec<NamedForge>, ConfigError> {
        let file = ConfigFile::parse(Path::new("/config.toml"), text, Whose::Operator)?;
        forges(Some(&file))
    }

    fn refused(text: &str) -> String {
        parsed(text).unwrap_err().to_string()
    }

    #[test]
    fn a_forge_has_a_kind_and_a_variable_and_only_that_variable_is_read() {
        let text = "[forge.\"git.acme.example\"]\nkind = \"gitlab\"\ntoken-env = \"ACME_TOKEN\"\n\
                    [forge.\"github.com\"]\n";
        let read = parsed(text).unwrap();
        let environment = [("ACME_TOKEN", "t0ken"), ("GITHUB_TOKEN", "other")]
            .map(|(name, value)| (name.into(), value.into()));
        let settings: Vec<_> = read.iter().map(|forge| forge.settings(&environment.clone().into())).collect();
        assert_eq!((settings[0].host.as_str(), settings[0].kind), ("git.acme.example", ForgeKind::GitLab));
        assert!(settings[0].token.is_some());
        assert_eq!(settings[1].kind, ForgeKind::GitHub);
        assert!(settings[1].token.is_none(), "nobody named GITHUB_TOKEN");
        assert!(!format!("{settings:?}").contains("t0ken"));
    }

    #[test]
    fn what_makes_no_sense_is_an_error_with_a_remedy() {
        let told = refused("[forge.\"github.com\"]\ntoken = \"x\"\n");
        assert!(told.contains("line 2") && told.contains("`token-env`"), "{told}");
        let told = refused("[forge.\"git.acme.example\"]\ntoken-env = \"T\"\n");
        assert!(told.contains("git.acme.example") && told.contains("`kind`"), "{told}");
        let told = refused("[forge.\"https://github.com\"]\nkind = \"github\"\n");
        assert!(told.contains("`github.com`"), "{told}");
        assert!(refused("[forge.\"github.com\"]\nkind = \"hub\"\n").contains("`github` or `gitlab`"));
        assert!(refused("[forge.\"github.com\"]\ntoken-env = \"ghp-x y\"\n").contains("GITHUB_TOKEN"));
    }

    #[test]
    fn a_repository_cannot_decide_where_a_token_goes() {
        let text = "[forge.\"evil.example\"]\nkind = \"github\"\n";
        let error = ConfigFile::parse(Path::new("/c.toml"), text, Whose::Repository).unwrap_err().to_string();
        assert!(error.contains("a repository may not set `forge`"), "{error}");
    }
}
