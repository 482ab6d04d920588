//! `secrets.toml`: the secret fields of plugins, in a file of their own that only its
//! owner can read.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::error::ConfigError;
use super::file::{ConfigFile, Given, Tables, Whose, read_text};

/// What others may not do with the file itself: anything.
const FILE_CLOSED: u32 = 0o077;

/// What others may not do with its folder: put another file in its place.
const FOLDER_CLOSED: u32 = 0o022;

/// The secrets, by plugin and field. Its `Debug` shows none.
#[derive(Clone, PartialEq)]
pub struct SecretsFile {
    /// Which file.
    pub path: PathBuf,
    /// `[tracker.ID]`.
    pub tracker: Tables,
    /// `[providers.ID]`.
    pub providers: Tables,
    /// `[keyring]`: lists of secret fields that are kept there and not here, by plugin.
    pub keyring: BTreeMap<String, Given>,
}

impl SecretsFile {
    /// Reads the file, if it is there and closed to others.
    pub fn read(path: &Path) -> Result<Option<Self>, ConfigError> {
        if !path.exists() {
            return Ok(None);
        }
        check_closed(path, FILE_CLOSED, "600")?;
        if let Some(folder) = path.parent() {
            check_closed(folder, FOLDER_CLOSED, "700")?;
        }
        read_text(path)?.map(|text| Self::parse(path, &text)).transpose()
    }

    /// Reads the text of the file.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let file = ConfigFile::parse(path, text, Whose::Operator)?;
        let keys = file.keys.iter().map(|(key, given)| (key.name(), given));
        let repositories = file.repositories.first().map(|(_, given)| ("repos", given));
        let forges =
            file.forges.values().filter_map(|table| table.values().next()).map(|given| ("forge", given));
        let retention = file.retention.values().next().map(|given| ("retention", given));
        let network = file.network.values().next().map(|given| ("network", given));
        let agents = file.agents.values().next().map(|given| ("agents", given));
        let mut all = keys.chain(repositories).chain(forges).chain(retention).chain(network).chain(agents);
        if let Some((key, given)) = all.next() {
            return Err(foreign(key, given));
        }
        Ok(Self { path: file.path, tracker: file.tracker, providers: file.providers, keyring: file.keyring })
    }
}

impl std::fmt::Debug for SecretsFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "secrets in {}", self.path.display())
    }
}

fn foreign(key: &str, given: &Given) -> ConfigError {
    ConfigError::NoSecret { place: given.origin.clone(), key: key.to_owned() }
}

fn check_closed(path: &Path, refused: u32, wanted: &'static str) -> Result<(), ConfigError> {
    let facts =
        std::fs::metadata(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
    let mode = facts.permissions().mode() & 0o777;
    if mode & refused == 0 {
        return Ok(());
    }
    Err(ConfigError::OpenToOthers { path: path.to_owned(), mode, wanted })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn secrets_that_others_could_read_or_replace_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("secrets.toml");
        assert!(SecretsFile::read(&path).unwrap().is_none());
        std::fs::write(&path, "[tracker.tale]\napi-key = \"hunter2\"\n").unwrap();
        mode(&path, 0o600);
        assert!(SecretsFile::read(&path).unwrap().is_some());
        mode(&path, 0o640);
        let told = SecretsFile::read(&path).unwrap_err().to_string();
        assert!(told.contains("mode 0640") && told.contains("chmod 600"), "{told}");
        mode(&path, 0o600);
        mode(place.path(), 0o770);
        let told = SecretsFile::read(&path).unwrap_err().to_string();
        assert!(told.contains("mode 0770") && told.contains("chmod 700"), "{told}");
    }

    #[test]
    fn only_fields_of_plugins_belong_into_the_file_and_nothing_shows_them() {
        let parse = |text: &str| SecretsFile::parse(Path::new("/s.toml"), text);
        let told = parse("slots = 3").unwrap_err().to_string();
        assert!(told.starts_with("/s.toml line 1: `slots` does not belong here"), "{told}");
        for table in [
            "[repos]\na = \"/a\"",
            "[forge.\"a.b\"]\nkind = \"github\"",
            "[agents]\nnetwork-deny = [\"a.example:443\"]",
            "[retention]\nlogs = \"1d\"",
            "[network]\nobserve = true",
        ] {
            let told = parse(table).unwrap_err().to_string();
            assert!(told.starts_with("/s.toml line 2: ") && told.contains("does not belong here"), "{told}");
        }
        let read = parse("[tracker.tale]\napi-key = \"hunter2\"").unwrap();
        assert!(!format!("{read:?}").contains("hunter2"));
        let told = parse("[tracker.tale]\napi-key = \"hunter2").unwrap_err().to_string();
        assert!(!told.contains("hunter2"), "{told}");
    }
}
