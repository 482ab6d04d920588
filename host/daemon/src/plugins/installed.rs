//! Finding, loading and setting up plugins: from a name on the command line to a
//! plugin with a grant and a configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostler_broker::{Secret, Secrets};
pub use hostler_components::manifest::{ConfigField, FieldType};
pub use hostler_components::{
    Change, Difference, Digest, Inspection, Kind, Manifest, Plugin, PublicKey, Refusal, Runtime, SigningKey,
    SigningKeyError, inspect,
};
use hostler_components::{Limits, Settings as RuntimeSettings};
use hostler_engine::rights::Rights;

use crate::failure::Failure;
use crate::home::{Home, make_private};
use crate::organisation::Organisation;
use crate::plugins::admission::{self, Admission, Candidate, admit};
use crate::plugins::grants::Grants;
use crate::plugins::install_folder::InstallFolder;
use crate::plugins::keys::KeyRing;
use crate::plugins::lockfile::LockFileError;
use crate::plugins::permit::Permit;
use crate::plugins::store::Build;
use crate::plugins::vouching::{self, SignatureRule};
use crate::settings::PluginSettings;

/// A plugin that may be used, with everything the operator set for it.
pub struct Installed {
    /// The loaded file.
    pub plugin: Arc<Plugin>,
    /// What it may do: the grant, never the manifest.
    pub rights: Rights,
    /// The leave to use it, for as long as the operator gives it.
    pub permit: Permit,
    /// What should be told about its signature.
    pub doubt: Option<String>,
    /// Who signed it with a key that counts, as the operator calls the owner.
    pub signer: Option<String>,
    /// Its configuration as a JSON object, without secrets.
    pub config: String,
    /// The same as text by field.
    pub fields: BTreeMap<String, String>,
    /// Its secrets, for the broker.
    pub secrets: Secrets,
    /// Where it was loaded from.
    pub file: PathBuf,
    /// Program to start instead of the one on `PATH`.
    pub program: Option<PathBuf>,
}

/// The runtime, with its private cache of native code.
pub fn runtime(home: &Home) -> Result<Runtime, Failure> {
    make_private(&home.cache).map_err(Failure::folder(&home.cache))?;
    let cache = home.cache.join("plugins");
    Ok(Runtime::new(RuntimeSettings { cache, limits: Limits::default() })?)
}

/// Loads a plugin and checks that it is of the wanted kind, that the organisation allows
/// it, that its signature is good enough, and that it has a grant. Blocks.
pub fn install(
    runtime: &Runtime,
    home: &Home,
    signatures: SignatureRule,
    organisation: &Arc<Organisation>,
    settings: &PluginSettings,
    wanted: Kind,
) -> Result<Installed, Failure> {
    let file = settings.file.clone();
    let plugin = runtime.load(&file)?;
    if !plugin.kinds().contains(&wanted) {
        let remedy = match wanted {
            Kind::Tracker => "name a tracker, such as `folder`, with --plugin",
            Kind::Provider => "name a provider, such as `claude-code`, with --provider",
        };
        return Err(Failure::WrongKind { file, wanted: wanted.name(), remedy });
    }
    InstallFolder::check(&file, &plugin.digest())?;
    let (build, keys) = (Build::of(&plugin), home.keys());
    let candidate = Candidate { id: build.id.clone(), digest: plugin.digest(), file: file.clone(), keys };
    let admission = Arc::new(Admission::new(Arc::clone(organisation), candidate));
    admit(&admission, &file)?;
    let signatures = admission::rule(signatures, &organisation.now());
    let doubt = signatures.check(&file, &plugin.digest(), &home.keys())?;
    // Whatever the rule is: it is written down for people.
    let ring = KeyRing::load(&home.keys()).unwrap_or_default();
    let signer = vouching::signed_with(&file, &plugin.digest(), &ring).map(|known| known.name.clone());
    let grants = Grants::load(&home.grants())?;
    let rights = grants.check(plugin.manifest(), &plugin.digest(), &file)?.clone();
    let permit = Permit::new(home.grants(), build, rights.clone(), admission);
    let Configured { config, fields, secrets } = configure(plugin.manifest(), &settings.config)?;
    let program = settings.program.clone();
    Ok(Installed { plugin, rights, permit, doubt, signer, config, fields, secrets, file, program })
}

/// The operator's values, sorted into what the plugin sees and what it does not.
pub struct Configured {
    /// A JSON object.
    pub config: String,
    /// The same as text.
    pub fields: BTreeMap<String, String>,
    /// What the plugin does not see.
    pub secrets: Secrets,
}

/// Applies defaults and types of the manifest to what the operator set.
pub fn configure(manifest: &Manifest, given: &BTreeMap<String, String>) -> Result<Configured, Failure> {
    let id = &manifest.plugin.id;
    if let Some(unknown) = given.keys().find(|name| !manifest.config.contains_key(*name)) {
        let known: Vec<_> = manifest.config.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "it has none".to_owned() } else { known.join(", ") };
        return Err(Failure::Setting(format!(
            "the plugin `{id}` has no setting `{unknown}`; its settings: {known}"
        )));
    }
    let mut config = serde_json::Map::new();
    let mut fields = BTreeMap::new();
    let mut secrets = Secrets::default();
    for (name, field) in &manifest.config {
        let value = match given.get(name) {
            Some(text) => Some(typed(id, name, field.kind, text)?),
            None => field.default.clone(),
        };
        let Some(value) = value else {
            if field.required {
                return Err(Failure::Setting(missing(id, name, field.env.as_deref(), &field.help)));
            }
            continue;
        };
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        if field.secret {
            secrets.insert(name.clone(), Secret::new(text));
        } else {
            config.insert(name.clone(), value);
            fields.insert(name.clone(), text);
        }
    }
    Ok(Configured { config: serde_json::Value::Object(config).to_string(), fields, secrets })
}

fn missing(id: &str, name: &str, env: Option<&str>, help: &str) -> String {
    let also = env.map(|env| format!(", or the environment variable {env}")).unwrap_or_default();
    let help = if help.is_empty() { String::new() } else { format!(" ({help})") };
    format!("the plugin `{id}` needs the setting `{name}`{help}: give it with `--set {name}=…`{also}")
}

fn typed(id: &str, name: &str, kind: FieldType, text: &str) -> Result<serde_json::Value, Failure> {
    let value = match kind {
        FieldType::String => Some(serde_json::Value::from(text)),
        FieldType::List if !text.trim_start().starts_with('[') => {
            Some(text.split(',').map(|item| item.trim().to_owned()).collect())
        }
        _ => serde_json::from_str(text).ok(),
    };
    value.filter(|value| kind.admits(value)).ok_or_else(|| {
        Failure::Setting(format!(
            "the setting `{name}` of the plugin `{id}` must be a {}, not `{text}`",
            kind.name()
        ))
    })
}

/// Why a plugin was not found.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// Nothing is called so.
    #[error("there is no plugin `{name}`: looked in {looked}; {there}")]
    Nowhere {
        /// What was asked for.
        name: String,
        /// In which folders.
        looked: String,
        /// What there is instead.
        there: String,
    },
    /// It is installed, and its file is gone.
    #[error("the plugin `{id}` is installed, but its file {} is gone: install it again with `host plugin install FILE`", file.display())]
    Gone {
        /// The plugin.
        id: String,
        /// Where it was.
        file: PathBuf,
    },
    /// What is installed cannot be told.
    #[error(transparent)]
    LockFile(#[from] LockFileError),
}

/// The file of a plugin given by path or by name. In each folder an installed plugin
/// comes before a file that only lies there.
pub fn find(name: &str, folders: &[PathBuf]) -> Result<PathBuf, NotFound> {
    let path = Path::new(name);
    let is_path = name.contains('/') || path.extension().is_some_and(|end| end == "wasm");
    if is_path && path.is_file() {
        return Ok(path.to_owned());
    }
    let file = if is_path { name.to_owned() } else { format!("{name}.wasm") };
    for folder in folders.iter().filter(|_| !name.contains('/')) {
        let lying = Some(folder.join(&file)).filter(|candidate| candidate.is_file());
        if let Some(found) = current_build(folder, name)?.or(lying) {
            return Ok(found);
        }
    }
    let looked: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let there: Vec<_> = available(folders)?.into_iter().map(|(name, _)| name).collect();
    Err(NotFound::Nowhere {
        name: name.to_owned(),
        looked: if is_path { "this path".to_owned() } else { looked.join(", ") },
        there: if there.is_empty() {
            "no plugin is installed: `cargo xtask install` installs those of this repository".to_owned()
        } else {
            format!("there are {}", there.join(", "))
        },
    })
}

fn current_build(folder: &Path, id: &str) -> Result<Option<PathBuf>, NotFound> {
    let folder = InstallFolder::at(folder.to_owned());
    let Some(digest) = folder.lock()?.get(id).map(|slot| slot.current.digest) else { return Ok(None) };
    let file = folder.build(id, &digest);
    if file.is_file() { Ok(Some(file)) } else { Err(NotFound::Gone { id: id.to_owned(), file }) }
}

/// Every plugin in these folders by name; the first folder wins, and in each what is
/// installed.
pub fn available(folders: &[PathBuf]) -> Result<Vec<(String, PathBuf)>, LockFileError> {
    let mut found = BTreeMap::new();
    for folder in folders {
        let installed = InstallFolder::at(folder.clone());
        for (id, slot) in installed.lock()?.all() {
            let build = installed.build(id, &slot.current.digest);
            found.entry(id.to_owned()).or_insert(build);
        }
        let Ok(entries) = std::fs::read_dir(folder) else { continue };
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            if let (Some(stem), Some("wasm")) = (
                path.file_stem().and_then(|stem| stem.to_str()),
                path.extension().and_then(|end| end.to_str()),
            ) {
                found.entry(stem.to_owned()).or_insert_with(|| path.clone());
            }
        }
    }
    Ok(found.into_iter().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn manifest() -> Manifest {
        Manifest::parse(
            "[plugin]\nid = \"demo\"\nname = \"Demo\"\nversion = \"1.0.0\"\n\
             contract = \"hostler:plugin@0.1.0\"\ndescription = \"A demo.\"\n\
             [config.path]\ntype = \"string\"\ndefault = \"tasks\"\n\
             [config.token]\ntype = \"string\"\nsecret = true\nrequired = true\nenv = \"DEMO_TOKEN\"\nhelp = \"API token\"\n\
             [config.depth]\ntype = \"integer\"\n[config.tags]\ntype = \"list\"\n",
        )
        .unwrap()
    }

    fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn a_secret_never_reaches_the_configuration_a_plugin_sees() {
        let configured =
            configure(&manifest(), &given(&[("token", "hunter2"), ("depth", "3"), ("tags", "a, b")]))
                .unwrap();
        assert_eq!(configured.config, r#"{"depth":3,"path":"tasks","tags":["a","b"]}"#);
        assert!(!configured.fields.contains_key("token"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_said_with_a_remedy() {
        let error = |pairs: &[(&str, &str)]| configure(&manifest(), &given(pairs)).err().unwrap().to_string();
        assert!(error(&[]).contains("--set token=…") && error(&[]).contains("DEMO_TOKEN"), "{}", error(&[]));
        assert!(error(&[("token", "x"), ("depth", "deep")]).contains("must be a integer, not `deep`"));
        assert!(error(&[("tokn", "x")]).contains("has no setting `tokn`"));
    }

    #[test]
    fn a_name_finds_the_first_installed_file_and_a_miss_says_what_there_is() {
        let place = tempfile::tempdir().unwrap();
        let (one, two) = (place.path().join("one"), place.path().join("two"));
        for folder in [&one, &two] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join("folder.wasm"), b"").unwrap();
        }
        let folders = vec![one.clone(), two];
        assert_eq!(find("folder", &folders).unwrap(), one.join("folder.wasm"));
        assert_eq!(find("folder.wasm", &folders).unwrap(), one.join("folder.wasm"));
        let error = find("tale", &folders).unwrap_err().to_string();
        assert!(error.contains("there are folder"), "{error}");
    }
}
