//! The fields that a plugin's manifest names: `--set` > the field's environment
//! variable > the repository's file > your keyring > your secrets > your file > an earlier program's
//! file > the manifest's default.

use std::collections::BTreeMap;
use std::fmt;

use hostler_daemon::plugins::{ConfigField, FieldType, Manifest};
use serde_json::Value;

use super::configuration::PROGRAM;
use super::error::ConfigError;
use super::file::{Given, Written};
use super::layers::{Layers, shown};
use super::origin::{Origin, Setting};
use super::secrets::SecretsFile;
use crate::keyring::SecretName;

/// The value of one field. Prints itself masked if it is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct FieldValue {
    text: String,
    secret: bool,
}

/// What stands in place of a secret.
pub const MASK: &str = "••••••";

impl FieldValue {
    /// Text as it is, numbers and booleans as written, lists as JSON.
    fn of(field: &ConfigField, value: &Value) -> Self {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Self { text, secret: field.secret }
    }

    /// The value itself, for the host only.
    pub fn reveal(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.secret { MASK } else { &self.text })
    }
}

impl fmt::Debug for FieldValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// All fields of a plugin that have a value.
pub type Fields = BTreeMap<String, Setting<FieldValue>>;

/// Which plugin, and what it is used as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `[tracker.ID]`, `--set`.
    Tracker,
    /// `[providers.ID]`, `--command`.
    Provider,
}

impl Role {
    /// Name of its table in a file.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Tracker => "tracker",
            Self::Provider => "providers",
        }
    }
}

/// What the keyring has of a plugin's secrets.
#[derive(Clone, Default)]
pub struct Kept {
    /// What people call the keyring.
    pub title: &'static str,
    /// By field.
    pub values: BTreeMap<String, String>,
}

impl Kept {
    fn get(&self, field: &str) -> Option<Given> {
        let text = self.values.get(field)?.clone();
        Some(Given { written: Written::Text(text), origin: Origin::Keyring(self.title) })
    }
}

/// The secrets of a plugin that are to be looked for in the keyring: those that the
/// operator keeps there, and that no variable gives.
pub fn in_keyring(manifest: &Manifest, layers: &Layers) -> Result<Vec<SecretName>, ConfigError> {
    let plugin = &manifest.plugin.id;
    let mut names = Vec::new();
    for given in layers.in_keyring(plugin) {
        for field in list(plugin, given)? {
            let known = manifest.config.get(&field).filter(|known| known.secret);
            let Some(known) = known else {
                return Err(ConfigError::NoSecret { place: given.origin.clone(), key: field });
            };
            let variable = known.env.as_ref().and_then(|name| layers.environment.get(name));
            if variable.is_none() {
                names.push(SecretName { plugin: plugin.clone(), field });
            }
        }
    }
    Ok(names)
}

/// The names in a `[keyring]` entry.
pub fn list(plugin: &str, given: &Given) -> Result<Vec<String>, ConfigError> {
    let names = given.texts().map(|names| names.into_iter().map(str::to_owned).collect());
    names.ok_or_else(|| ConfigError::Value {
        place: given.origin.clone(),
        key: format!("keyring.{plugin}"),
        value: shown(&given.written),
        expected: "a list of secret fields, such as [\"api-key\"]".to_owned(),
    })
}

/// Decides every field of one plugin. `user_path` is where the operator's file is
/// or would be, for the remedy.
pub fn resolve(
    role: Role,
    manifest: &Manifest,
    layers: &Layers,
    kept: &Kept,
    user_path: &str,
) -> Result<Fields, ConfigError> {
    let (fields, missing) = resolve_what_is_there(role, manifest, layers, kept, user_path)?;
    missing.into_iter().next().map_or(Ok(fields), |(_, error)| Err(error))
}

/// The same, but what is missing is told beside what is there: field and error.
pub fn resolve_what_is_there(
    role: Role,
    manifest: &Manifest,
    layers: &Layers,
    kept: &Kept,
    user_path: &str,
) -> Result<(Fields, Vec<(String, ConfigError)>), ConfigError> {
    let plugin = Plugin { role, manifest, user_path };
    let flags = plugin.flags(layers);
    let user = layers.user_file.as_ref().and_then(|file| plugin.table(file));
    let repository = layers.repository_file.as_ref().and_then(|file| plugin.table(file));
    for given in flags.iter().chain(repository.into_iter().flatten()).chain(user.into_iter().flatten()) {
        plugin.check_known(given.0, given.1)?;
    }
    let secrets = layers.secrets.as_ref().and_then(|file| plugin.secrets(file));
    for (name, given) in secrets.into_iter().flatten() {
        plugin.check_secret(name, given)?;
    }
    // An earlier program may know fields that this plugin does without.
    let earlier = layers.earlier.as_ref().and_then(|file| plugin.table(file));
    for (name, given) in repository.into_iter().flatten() {
        plugin.check_harmless(name, given)?;
    }
    for (name, given) in &flags {
        plugin.check_no_secret_on_the_command_line(name, given)?;
    }
    let mut fields = Fields::new();
    let mut missing = Vec::new();
    for (name, field) in &manifest.config {
        let variable = match plugin.variable(name, field, &layers.environment) {
            Ok(variable) => variable,
            Err(error) => {
                missing.push((name.clone(), error));
                continue;
            }
        };
        let given = flags
            .get(name)
            .cloned()
            .or(variable)
            .or_else(|| repository?.get(name).cloned())
            .or_else(|| kept.get(name))
            .or_else(|| secrets?.get(name).cloned())
            .or_else(|| user?.get(name).cloned())
            .or_else(|| earlier?.get(name).cloned());
        let setting = match (given, &field.default) {
            (Some(given), _) => Some(read_field(name, field, &given)?),
            (None, Some(default)) => Some(Setting::default(FieldValue::of(field, default))),
            (None, None) => None,
        };
        if setting.is_none() && field.required {
            missing.push((name.clone(), plugin.missing(name, field)));
        }
        fields.extend(setting.map(|setting| (name.clone(), setting)));
    }
    Ok((fields, missing))
}

struct Plugin<'a> {
    role: Role,
    manifest: &'a Manifest,
    user_path: &'a str,
}

impl Plugin<'_> {
    fn id(&self) -> &str {
        &self.manifest.plugin.id
    }

    fn table<'a>(&self, file: &'a super::file::ConfigFile) -> Option<&'a BTreeMap<String, Given>> {
        match self.role {
            Role::Tracker => file.tracker.get(self.id()),
            Role::Provider => file.providers.get(self.id()),
        }
    }

    fn secrets<'a>(&self, file: &'a SecretsFile) -> Option<&'a BTreeMap<String, Given>> {
        match self.role {
            Role::Tracker => file.tracker.get(self.id()),
            Role::Provider => file.providers.get(self.id()),
        }
    }

    /// An empty variable counts as none, except for a secret: whoever emptied it did
    /// not mean another credential to be used instead.
    fn variable(
        &self,
        field_name: &str,
        field: &ConfigField,
        environment: &BTreeMap<String, String>,
    ) -> Result<Option<Given>, ConfigError> {
        let Some(name) = field.env.clone() else { return Ok(None) };
        match environment.get(&name) {
            Some(text) if text.is_empty() && field.secret => Err(ConfigError::EmptySecret {
                variable: name,
                plugin: self.id().to_owned(),
                field: field_name.to_owned(),
            }),
            Some(text) if !text.is_empty() => {
                Ok(Some(Given { written: Written::Text(text.clone()), origin: Origin::Environment(name) }))
            }
            _ => Ok(None),
        }
    }

    fn flags(&self, layers: &Layers) -> BTreeMap<String, Given> {
        let given = |text: &String, flag: &str| Given {
            written: Written::Text(text.clone()),
            origin: Origin::Flag(flag.to_owned()),
        };
        match self.role {
            Role::Tracker => {
                let pairs = layers.flags.fields.iter();
                pairs.map(|(name, text)| (name.clone(), given(text, "--set"))).collect()
            }
            Role::Provider => {
                let program = self.manifest.rights.program.as_ref();
                let field = program.and_then(|program| program.command_from.clone());
                let pair = field.zip(layers.flags.command.as_ref());
                pair.into_iter().map(|(name, text)| (name, given(text, "--command"))).collect()
            }
        }
    }

    fn check_known(&self, name: &str, given: &Given) -> Result<(), ConfigError> {
        if self.manifest.config.contains_key(name) || (self.role == Role::Provider && name == PROGRAM) {
            return Ok(());
        }
        Err(ConfigError::UnknownField {
            place: given.origin.clone(),
            plugin: self.id().to_owned(),
            field: name.to_owned(),
            known: self.manifest.config.keys().cloned().collect(),
        })
    }

    /// In the file for secrets stand secrets and nothing else.
    fn check_secret(&self, name: &str, given: &Given) -> Result<(), ConfigError> {
        self.check_known(name, given)?;
        if self.manifest.config.get(name).is_some_and(|field| field.secret) {
            return Ok(());
        }
        Err(ConfigError::NoSecret { place: given.origin.clone(), key: name.to_owned() })
    }

    fn check_harmless(&self, name: &str, given: &Given) -> Result<(), ConfigError> {
        let secret = self.manifest.config.get(name).is_some_and(|field| field.secret);
        let why = if secret {
            "it is secret, and everybody who has the repository could read it"
        } else if self.manifest.guarded_fields().contains(name) {
            "it decides where requests, credentials or files go"
        } else {
            return Ok(());
        };
        Err(ConfigError::NotForRepositories { place: given.origin.clone(), key: name.to_owned(), why })
    }

    fn check_no_secret_on_the_command_line(&self, name: &str, given: &Given) -> Result<(), ConfigError> {
        match self.manifest.config.get(name) {
            Some(field) if field.secret && matches!(given.origin, Origin::Flag(_)) => {
                Err(ConfigError::SecretOnCommandLine {
                    field: name.to_owned(),
                    remedy: self.remedy(name, field),
                })
            }
            _ => Ok(()),
        }
    }

    fn missing(&self, name: &str, field: &ConfigField) -> ConfigError {
        let help = field.help.trim_end_matches('.');
        ConfigError::MissingField {
            plugin: self.id().to_owned(),
            field: name.to_owned(),
            help: if help.is_empty() { String::new() } else { format!(" ({help})") },
            remedy: self.remedy(name, field),
        }
    }

    fn remedy(&self, name: &str, field: &ConfigField) -> String {
        let way = match (self.role, field.secret) {
            (Role::Tracker, true) => format!("save it with `host setup {}`", self.id()),
            _ => {
                format!("write `{name}` below `[{}.{}]` in {}", self.role.table(), self.id(), self.user_path)
            }
        };
        let flag = match self.role {
            Role::Tracker if !field.secret => Some(format!("give `--set {name}=VALUE`")),
            _ => None,
        };
        let variable = field.env.as_ref().map(|variable| format!("set {variable} in the environment"));
        let ways = flag.into_iter().chain(variable).chain([way]);
        ways.collect::<Vec<_>>().join(", or ")
    }
}

/// Checks the type of what was written.
fn read_field(name: &str, field: &ConfigField, given: &Given) -> Result<Setting<FieldValue>, ConfigError> {
    let value = match &given.written {
        Written::Text(text) => from_text(field.kind, text),
        Written::Value(value) => Some(value.clone()),
    };
    match value.filter(|value| field.kind.admits(value)) {
        Some(value) => Ok(Setting { value: FieldValue::of(field, &value), origin: given.origin.clone() }),
        None => Err(ConfigError::Value {
            place: given.origin.clone(),
            key: name.to_owned(),
            value: if field.secret { "something else".to_owned() } else { shown(&given.written) },
            expected: expected(field.kind).to_owned(),
        }),
    }
}

/// A value of this type, as it is written on a command line.
pub fn from_text(kind: FieldType, text: &str) -> Option<Value> {
    match kind {
        FieldType::String => Some(text.into()),
        FieldType::List if text.trim_start().starts_with('[') => serde_json::from_str(text).ok(),
        FieldType::List => Some(text.split(',').map(|item| Value::from(item.trim())).collect()),
        FieldType::Integer | FieldType::Number | FieldType::Boolean => serde_json::from_str(text.trim()).ok(),
    }
}

/// What a value of this type looks like.
pub const fn expected(kind: FieldType) -> &'static str {
    match kind {
        FieldType::String => "text",
        FieldType::Integer => "a whole number",
        FieldType::Number => "a number",
        FieldType::Boolean => "true or false",
        FieldType::List => "a list of texts",
    }
}
