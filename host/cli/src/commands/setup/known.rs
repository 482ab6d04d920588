//! What is known before anybody is asked.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use hostler_daemon::plugins::{ConfigField, Manifest};

use crate::config::configuration::absolute;
use crate::config::file::{Given, Written};
use crate::config::layers::shown;
use crate::config::{ConfigFile, Key, SecretsFile, tale_daemon};

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A folder in a git repository.
    Repository,
    /// Any other folder.
    Folder,
    /// No folder.
    Nothing,
}

/// What is known before anybody is asked.
pub struct Known<'a> {
    /// The tracker to set up.
    pub manifest: &'a Manifest,
    /// `config.toml`, as it is.
    pub config: Option<ConfigFile>,
    /// `secrets.toml`, as it is.
    pub secrets: Option<SecretsFile>,
    /// What an earlier program left.
    pub earlier: Option<ConfigFile>,
    /// The environment.
    pub environment: &'a BTreeMap<String, String>,
    /// The machine's name.
    pub machine: String,
    /// Where the program was started.
    pub folder: &'a Path,
    /// The repository around that, if there is one.
    pub here: Option<PathBuf>,
    /// Tells what is at a path.
    pub look: &'a dyn Fn(&Path) -> Place,
}

/// Why a value is proposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is in force without being written down by us: kept, from the environment, or
    /// the plugin's own default.
    InForce,
    /// An earlier program had it.
    Earlier,
    /// It makes sense, but nobody said so yet.
    Suggested,
}

/// A value for those who just press Enter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The value, as text.
    pub value: String,
    /// Why.
    pub source: Source,
}

impl Proposal {
    fn new(value: impl Into<String>, source: Source) -> Self {
        Self { value: value.into(), source }
    }
}

impl Known<'_> {
    /// The plugin's id.
    pub fn id(&self) -> &str {
        &self.manifest.plugin.id
    }

    /// For Tale some things are usual that no other plugin says.
    pub fn is_tale(&self) -> bool {
        self.id() == tale_daemon::PLUGIN
    }

    /// The field that decides where requests go.
    pub fn url_field(&self) -> Option<&str> {
        self.manifest.rights.http.iter().find_map(|right| right.origin_from.as_deref())
    }

    /// The first secret: the key for the tracker.
    pub fn key_field(&self) -> Option<&str> {
        self.manifest.config.iter().find(|(_, field)| field.secret).map(|(name, _)| name.as_str())
    }

    /// What a field would be.
    pub fn field(&self, name: &str, field: &ConfigField) -> Option<Proposal> {
        let variable = field.env.as_ref().and_then(|variable| self.environment.get(variable));
        let variable = variable.filter(|value| !value.is_empty());
        let kept = self.config.as_ref().and_then(|file| file.tracker.get(self.id())?.get(name));
        let earlier = self.earlier.as_ref().and_then(|file| file.tracker.get(self.id())?.get(name));
        let usual = (self.is_tale() && self.url_field() == Some(name)).then_some(tale_daemon::USUAL_URL);
        let in_force = |value: String| Proposal::new(value, Source::InForce);
        variable
            .map(|value| in_force(value.clone()))
            .or_else(|| Some(in_force(plain(kept?))))
            .or_else(|| Some(Proposal::new(plain(earlier?), Source::Earlier)))
            .or_else(|| Some(in_force(text(field.default.as_ref()?))))
            .or_else(|| Some(Proposal::new(usual?, Source::Suggested)))
    }

    /// What a secret would be; its value only where it has to be copied.
    pub fn secret(&self, name: &str, field: &ConfigField) -> Option<Proposal> {
        let table = |tables: &crate::config::file::Tables| tables.get(self.id())?.get(name).cloned();
        let saved = self.secrets.as_ref().and_then(|file| table(&file.tracker));
        let kept = saved.or_else(|| self.config.as_ref().and_then(|file| table(&file.tracker)));
        let earlier = self.earlier.as_ref().and_then(|file| table(&file.tracker));
        let variable = field
            .env
            .as_ref()
            .filter(|name| self.environment.get(*name).is_some_and(|value| !value.is_empty()));
        let in_force = |value: &str| Proposal::new(value, Source::InForce);
        kept.map(|_| in_force("the saved one"))
            .or_else(|| Some(Proposal::new(plain(&earlier?), Source::Earlier)))
            .or_else(|| Some(in_force(&format!("that of {}", variable?))))
    }

    /// What one of the host's own settings would be.
    pub fn key(&self, key: Key) -> Option<Proposal> {
        let kept = self.config.as_ref().and_then(|file| file.keys.get(&key));
        let earlier = self.earlier.as_ref().and_then(|file| file.keys.get(&key));
        kept.map(|given| Proposal::new(plain(given), Source::InForce))
            .or_else(|| Some(Proposal::new(plain(earlier?), Source::Earlier)))
    }

    /// The repositories of a file, absolute.
    pub fn repositories(&self, file: Option<&ConfigFile>) -> Vec<(String, PathBuf)> {
        let named = file.iter().flat_map(|file| file.repositories.iter());
        named.map(|(key, given)| (key.clone(), self.absolute(&plain(given)))).collect()
    }

    /// A path as a person writes it, without `.` and `..`.
    pub fn absolute(&self, path: &str) -> PathBuf {
        let path = absolute(path, self.folder, self.environment.get("HOME").map(Path::new));
        path.components().fold(PathBuf::new(), |mut above, part| {
            match part {
                Component::ParentDir => drop(above.pop()),
                Component::CurDir => {}
                other => above.push(other),
            }
            above
        })
    }
}

fn plain(given: &Given) -> String {
    match &given.written {
        Written::Text(text) => text.clone(),
        Written::Value(value @ serde_json::Value::String(_)) => text(value),
        other @ Written::Value(_) => shown(other),
    }
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
