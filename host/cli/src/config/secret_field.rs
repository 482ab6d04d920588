//! One secret field of a plugin, and every place that has a value for it.

use std::collections::BTreeMap;
use std::fmt;

use hostler_daemon::plugins::{ConfigField, Manifest};
use serde::Serialize;

use super::error::ConfigError;
use super::fields::{self, Role};
use super::file::{ConfigFile, Given, Tables};
use super::layers::Layers;
use super::origin::Origin;
use crate::keyring::{Bounded, SecretName};

/// What the screens call a keyring that a file speaks of and that is not there.
const NO_KEYRING: &str = "not here now";

/// A secret field of a plugin.
pub struct SecretField {
    /// Plugin and field.
    pub name: SecretName,
    /// What the plugin is used as.
    pub role: Role,
    /// The environment variable that gives it.
    pub variable: Option<String>,
}

/// Where a secret comes from. Reads well after "from".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sources {
    /// The place that is used, if any has a value.
    pub from: Option<Origin>,
    /// The places that have a value, too, and are passed over; the weightiest first.
    pub overridden: Vec<Origin>,
}

/// What the operator's config.toml says about a secret.
pub enum ByHand {
    /// Its value stands here.
    Value(Origin),
    /// Here stands that the keyring has it.
    InKeyring(Origin),
}

impl fmt::Display for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(from) = &self.from else { return f.write_str("not set") };
        write!(f, "{from}")?;
        for (place, other) in self.overridden.iter().enumerate() {
            write!(f, "{}{other}", if place == 0 { ", instead of " } else { " and " })?;
        }
        Ok(())
    }
}

impl SecretField {
    /// Every secret of a plugin.
    pub fn all(role: Role, manifest: &Manifest) -> Vec<Self> {
        let secrets = manifest.config.iter().filter(|(_, field)| field.secret);
        let secret = |(name, field): (&String, &ConfigField)| Self {
            name: SecretName { plugin: manifest.plugin.id.clone(), field: name.clone() },
            role,
            variable: field.env.clone(),
        };
        secrets.map(secret).collect()
    }

    /// Where its value would stand in a file.
    pub fn place(&self) -> [&str; 3] {
        [self.role.table(), &self.name.plugin, &self.name.field]
    }

    /// Where it comes from, by the order in which [`fields`] decides. The keyring is not
    /// asked: the files say what it has.
    pub fn sources(&self, layers: &Layers) -> Result<Sources, ConfigError> {
        let mut places = Vec::new();
        let variable = self.variable.as_ref().filter(|name| layers.environment.contains_key(*name));
        places.extend(variable.map(|name| Origin::Environment(name.clone())));
        if self.is_in_keyring(layers)? {
            let title = Bounded::system(&layers.environment).map_or(NO_KEYRING, |found| found.title());
            places.push(Origin::Keyring(title));
        }
        let secrets = layers.secrets.as_ref().map(|file| (&file.tracker, &file.providers));
        let files = [&layers.user_file, &layers.earlier].into_iter().flatten();
        let files = secrets.into_iter().chain(files.map(|file| (&file.tracker, &file.providers)));
        places.extend(files.filter_map(|(tracker, providers)| self.given(tracker, providers)));
        let mut places = places.into_iter();
        Ok(Sources { from: places.next(), overridden: places.collect() })
    }

    /// Whether the operator's files say that the keyring has it.
    pub fn is_in_keyring(&self, layers: &Layers) -> Result<bool, ConfigError> {
        Ok(kept_in_keyring(&self.name.plugin, layers)?.contains(&self.name.field))
    }

    /// What stands about it in the operator's config.toml, which only its owner changes.
    pub fn by_hand(&self, layers: &Layers) -> Result<Option<ByHand>, ConfigError> {
        let Some(file) = &layers.user_file else { return Ok(None) };
        if let Some(mark) = self.mark(file)? {
            return Ok(Some(ByHand::InKeyring(mark)));
        }
        Ok(self.given(&file.tracker, &file.providers).map(ByHand::Value))
    }

    fn mark(&self, file: &ConfigFile) -> Result<Option<Origin>, ConfigError> {
        let Some(given) = file.keyring.get(&self.name.plugin) else { return Ok(None) };
        let names = fields::list(&self.name.plugin, given)?;
        Ok(names.contains(&self.name.field).then(|| given.origin.clone()))
    }

    fn given(&self, tracker: &Tables, providers: &Tables) -> Option<Origin> {
        let tables = if self.role == Role::Tracker { tracker } else { providers };
        let fields: &BTreeMap<String, Given> = tables.get(&self.name.plugin)?;
        fields.get(&self.name.field).map(|given| given.origin.clone())
    }
}

/// The fields of a plugin that the keyring has, by the operator's files.
pub fn kept_in_keyring(plugin: &str, layers: &Layers) -> Result<Vec<String>, ConfigError> {
    let lists = layers.in_keyring(plugin).into_iter().map(|given| fields::list(plugin, given));
    Ok(lists.collect::<Result<Vec<_>, _>>()?.concat())
}
