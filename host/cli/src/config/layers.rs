//! What was said where, before anybody decides what follows from it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::ConfigError;
use super::file::{ConfigFile, Given, Written};
use super::key::Key;
use super::origin::{Origin, Setting};
use super::secrets::SecretsFile;
use super::value::Read;

/// One `--repo`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryFlag {
    /// What trackers call it; by default its folder's name.
    pub key: Option<String>,
    /// A folder inside it.
    pub path: PathBuf,
}

/// What the command line says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// By key; only `provider` has more than one value.
    pub keys: BTreeMap<Key, Vec<String>>,
    /// `--repo`, in order.
    pub repositories: Vec<RepositoryFlag>,
    /// `--set FIELD=VALUE`, in order.
    pub fields: Vec<(String, String)>,
    /// `--command`.
    pub command: Option<String>,
    /// `--observe`.
    pub observe: bool,
}

/// Everything that was said, strongest first.
#[derive(Debug, Default)]
pub struct Layers {
    /// The command line.
    pub flags: Flags,
    /// The whole environment.
    pub environment: BTreeMap<String, String>,
    /// `.hostler/config.toml` of the repository.
    pub repository_file: Option<ConfigFile>,
    /// The operator's `config.toml`.
    pub user_file: Option<ConfigFile>,
    /// The operator's `secrets.toml`: secret fields only.
    pub secrets: Option<SecretsFile>,
    /// What the program said that the chosen tracker's users had before.
    pub earlier: Option<ConfigFile>,
}

impl Layers {
    /// What the operator's files say is in the keyring of a plugin's secrets.
    pub fn in_keyring(&self, plugin: &str) -> Vec<&Given> {
        let secrets = self.secrets.iter().filter_map(|file| file.keyring.get(plugin));
        let user = self.user_file.iter().filter_map(|file| file.keyring.get(plugin));
        secrets.chain(user).collect()
    }

    /// The strongest word on one value.
    pub fn given(&self, key: Key) -> Option<Given> {
        self.given_list(key).map(|mut words| words.swap_remove(0))
    }

    /// The strongest word on a list: as many texts as were written, at least one.
    pub fn given_list(&self, key: Key) -> Option<Vec<Given>> {
        if let Some(values) = self.flags.keys.get(&key).filter(|values| !values.is_empty()) {
            let origin = Origin::Flag(key.flag());
            let given =
                |text: &String| Given { written: Written::Text(text.clone()), origin: origin.clone() };
            return Some(values.iter().map(given).collect());
        }
        let name = key.environment();
        if let Some(text) = self.environment.get(&name).filter(|text| !text.is_empty()) {
            let origin = Origin::Environment(name);
            return Some(vec![Given { written: Written::Text(text.clone()), origin }]);
        }
        let files = [&self.repository_file, &self.user_file, &self.earlier];
        files.into_iter().flatten().find_map(|file| file.keys.get(&key)).map(|given| vec![given.clone()])
    }

    /// Reads one value with its parser; the default if nobody said anything.
    pub fn read<T>(
        &self,
        key: Key,
        parse: impl Fn(&str) -> Read<T>,
        default: T,
    ) -> Result<Setting<T>, ConfigError> {
        match self.given(key) {
            Some(given) => read_one(key.name(), &given, parse),
            None => Ok(Setting::default(default)),
        }
    }

    /// Reads a list of names.
    pub fn names(&self, key: Key) -> Result<Setting<Vec<String>>, ConfigError> {
        let Some(words) = self.given_list(key) else { return Ok(Setting::default(Vec::new())) };
        let mut names = Vec::new();
        for given in &words {
            names.extend(split_names(key, given)?);
        }
        let origin = words.into_iter().next().map_or(Origin::Default, |given| given.origin);
        Ok(Setting { value: names, origin })
    }
}

/// A list of a file, or text with commas.
fn split_names(key: Key, given: &Given) -> Result<Vec<String>, ConfigError> {
    let wrong = || ConfigError::Value {
        place: given.origin.clone(),
        key: key.name().to_owned(),
        value: shown(&given.written),
        expected: "a name or a list of names".to_owned(),
    };
    let names: Vec<String> = match &given.written {
        Written::Text(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
        Written::Value(serde_json::Value::String(text)) => vec![text.trim().to_owned()],
        Written::Value(_) => given.texts().ok_or_else(wrong)?.into_iter().map(str::to_owned).collect(),
    };
    if names.is_empty() || names.iter().any(String::is_empty) { Err(wrong()) } else { Ok(names) }
}

/// Reads one value with its parser.
pub fn read_one<T>(
    name: &str,
    given: &Given,
    parse: impl Fn(&str) -> Read<T>,
) -> Result<Setting<T>, ConfigError> {
    let wrong = |expected| ConfigError::Value {
        place: given.origin.clone(),
        key: name.to_owned(),
        value: shown(&given.written),
        expected,
    };
    let text = match &given.written {
        Written::Text(text) | Written::Value(serde_json::Value::String(text)) => text.clone(),
        Written::Value(value @ (serde_json::Value::Number(_) | serde_json::Value::Bool(_))) => {
            value.to_string()
        }
        Written::Value(_) => return Err(wrong("a single value".to_owned())),
    };
    let value = parse(&text).map_err(wrong)?;
    Ok(Setting { value, origin: given.origin.clone() })
}

/// As it was written, for an error about a value that is no secret.
pub fn shown(written: &Written) -> String {
    match written {
        Written::Text(text) | Written::Value(serde_json::Value::String(text)) => {
            format!("`{}`", crate::text::cut(text, 60))
        }
        Written::Value(value) => crate::text::cut(&value.to_string(), 60),
    }
}
