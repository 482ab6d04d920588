//! From what was said to what a host is started with: reads the files, finds the
//! plugins and the repositories.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use hostler_daemon::install_folder::InstallFolder;
use hostler_daemon::plugins::{self, Inspection, Kind, Manifest};
use hostler_daemon::sandbox::{Outside, SandboxSettings};
use hostler_daemon::{PluginSettings, RepositorySettings, Settings};

use crate::arguments::SettingsArgs;
use crate::config::agents;
use crate::config::configuration::{self, NamedRepository, Surroundings};
use crate::config::fields::{self, Fields, Kept, Role};
use crate::config::forges::{NamedForge, forges};
use crate::config::secret_field::{SecretField, Sources};
use crate::config::{
    ConfigError, ConfigFile, Configuration, Key, Layers, NetworkConfiguration, Origin, Setting, Whose,
    tale_daemon, value,
};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::found;
use crate::keyring::{Bounded, KeyringError, SecretName};

/// Set to 1, the running host's clock can be moved forward: for tests of what time does.
const TEST_CLOCK: &str = "HOSTLER_TEST_CLOCK";

/// What was said, and what follows from it so far.
pub struct Setup {
    /// What was said.
    pub layers: Layers,
    /// Every setting that does not depend on a plugin.
    pub configuration: Configuration,
    /// What is worked on; at least one.
    pub repositories: Setting<Vec<NamedRepository>>,
    /// Where pull requests are opened with a token.
    pub forges: Vec<NamedForge>,
    /// The way to trackers and forges.
    pub network: NetworkConfiguration,
    /// What agents reach from inside a sandbox.
    pub outside: Outside,
    /// The settings files, and whether they are there.
    pub files: Vec<(PathBuf, bool)>,
}

/// A plugin that was chosen, with its file read.
#[derive(Clone)]
pub struct Chosen {
    /// Absolute.
    pub file: PathBuf,
    /// What the file shows.
    pub inspection: Inspection,
    /// What it asks for.
    pub manifest: Manifest,
}

impl Chosen {
    /// What it is used as, where nobody says it: a plugin that is both is a tracker.
    pub fn role(&self) -> Role {
        if self.inspection.kinds.contains(&Kind::Tracker) { Role::Tracker } else { Role::Provider }
    }
}

impl Setup {
    /// Reads every layer and decides every setting.
    pub fn read(args: &SettingsArgs, context: &Context) -> Result<Self, Failure> {
        let user_path = context.config_file();
        let mut layers = context.layers_with_secrets()?;
        layers.flags = args.flags()?;
        layers.earlier = earlier(&layers, context)?;
        let machine = machine_name(&context.environment);
        let home = context.environment.get("HOME").map(Path::new);
        let around = Surroundings { folder: &context.folder, home };
        let repositories = configuration::repositories(&layers, &around)?;
        let mut files = vec![(user_path, layers.user_file.is_some())];
        files.extend(layers.secrets.as_ref().map(|file| (file.path.clone(), true)));
        let default = repositories.value.first().and_then(|repository| top(&repository.path));
        if let Some(top) = default {
            let path = top.join(".hostler/config.toml");
            layers.repository_file = ConfigFile::read(&path, Whose::Repository)?;
            files.push((path, layers.repository_file.is_some()));
        }
        let left = layers.earlier.as_ref().map(|file| &file.path).filter(|path| path.is_absolute());
        files.extend(left.map(|path| (path.clone(), true)));
        let mut configuration = Configuration::resolve(&layers, &machine)?;
        if configuration.providers.value.is_empty() {
            let names = found::to_use(found::providers(&layers, context)?, context)?;
            let origin = if names.is_empty() { Origin::Default } else { Origin::Found };
            configuration.providers = Setting { value: names, origin };
        }
        let forges = forges(layers.user_file.as_ref())?;
        let network = NetworkConfiguration::resolve(&layers, home)?;
        let outside = agents::outside(layers.user_file.as_ref(), home)?;
        Ok(Self { layers, configuration, repositories, forges, network, outside, files })
    }

    /// The tracker plugin, or how to choose one.
    pub fn tracker(&self, context: &Context) -> Result<Chosen, Failure> {
        match &self.configuration.plugin.value {
            Some(name) => choose(name, context),
            None => Err(nothing_chosen(Kind::Tracker, context).into()),
        }
    }

    /// The providers, the first being the default; at least one.
    pub fn providers(&self, context: &Context) -> Result<Vec<Chosen>, Failure> {
        let names = &self.configuration.providers.value;
        if names.is_empty() {
            return Err(nothing_chosen(Kind::Provider, context).into());
        }
        let chosen: Vec<Chosen> = names.iter().map(|name| choose(name, context)).collect::<Result<_, _>>()?;
        let takes_command = |chosen: &Chosen| {
            chosen.manifest.rights.program.as_ref().is_some_and(|program| program.command_from.is_some())
        };
        if self.layers.flags.command.is_some() && !chosen.iter().any(takes_command) {
            return Err(ConfigError::NobodyTakesCommand.into());
        }
        Ok(chosen)
    }

    /// The fields of a plugin, with where they came from.
    pub fn fields(&self, role: Role, chosen: &Chosen, context: &Context) -> Result<Fields, Failure> {
        let user_path = context.config_file().display().to_string();
        let kept = self.kept(chosen, context)?;
        Ok(fields::resolve(role, &chosen.manifest, &self.layers, &kept, &user_path)?)
    }

    /// What the keyring has of a plugin's secrets. It is asked for those only that the
    /// operator keeps there, and no other secret is taken in their place.
    pub fn kept(&self, chosen: &Chosen, context: &Context) -> Result<Kept, Failure> {
        let names = fields::in_keyring(&chosen.manifest, &self.layers)?;
        if names.is_empty() {
            return Ok(Kept::default());
        }
        let keyring = Bounded::system(&context.environment);
        let asked = keyring.as_ref().ok_or(KeyringError::Absent).and_then(|keyring| {
            let values = names.iter().map(|name| Ok((name.field.clone(), keyring.read(name)?)));
            Ok((keyring.title(), values.collect::<Result<Vec<_>, KeyringError>>()?))
        });
        let listed = || names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let (title, values) = asked.map_err(|error| {
            Failure::new(Exit::Configuration, format!("{} cannot be read: {error}", listed()))
        })?;
        let there = |(field, value): (String, Option<String>)| Some((field, value?));
        let kept = Kept { title, values: values.into_iter().filter_map(there).collect() };
        match names.iter().find(|name| !kept.values.contains_key(&name.field)) {
            None => Ok(kept),
            Some(name) => Err(Failure::new(
                Exit::Configuration,
                format!(
                    "{name} should be in the keyring and is not: keep it there again with `host secret set {name}`"
                ),
            )),
        }
    }

    /// Every secret of a plugin that has a value, by name, and where it comes from.
    pub fn secrets(&self, role: Role, chosen: &Chosen) -> Result<Vec<(SecretName, Sources)>, ConfigError> {
        let all = SecretField::all(role, &chosen.manifest).into_iter();
        let sources = all.map(|secret| secret.sources(&self.layers).map(|sources| (secret.name, sources)));
        let there =
            |found: &Result<(SecretName, Sources), _>| !matches!(found, Ok((_, Sources { from: None, .. })));
        sources.filter(there).collect()
    }

    /// The program that a provider starts instead of the one on `PATH`.
    pub fn program(&self, chosen: &Chosen, context: &Context) -> Result<Option<Setting<PathBuf>>, Failure> {
        let tables = self.layers.user_file.as_ref().map(|file| &file.providers);
        let home = context.environment.get("HOME").map(Path::new);
        let id = &chosen.manifest.plugin.id;
        Ok(configuration::program_of(tables, id, &context.home.config, home)?)
    }

    /// Everything about one plugin that the daemon wants to know.
    pub fn plugin_settings(
        &self,
        role: Role,
        chosen: &Chosen,
        context: &Context,
    ) -> Result<PluginSettings, Failure> {
        let fields = self.fields(role, chosen, context)?;
        let given = fields.into_iter().map(|(name, setting)| (name, setting.value.reveal().to_owned()));
        let program = match role {
            Role::Tracker => None,
            Role::Provider => self.program(chosen, context)?.map(|setting| setting.value),
        };
        Ok(PluginSettings { file: chosen.file.clone(), config: given.collect(), program })
    }

    /// What is worked on, each with a key of its own.
    pub fn keyed_repositories(&self) -> Result<Vec<RepositorySettings>, Failure> {
        let mut keys = BTreeSet::new();
        let mut repositories = Vec::new();
        for repository in &self.repositories.value {
            let key = repository.key.clone().unwrap_or_else(|| key_of(&repository.path));
            if !keys.insert(key.clone()) {
                return Err(ConfigError::SameKey(key).into());
            }
            repositories.push(RepositorySettings {
                key,
                path: repository.path.clone(),
                in_place: self.configuration.in_place.value,
            });
        }
        Ok(repositories)
    }

    /// What a host is started with.
    pub fn settings(
        &self,
        tracker: &Chosen,
        providers: &[Chosen],
        once: bool,
        context: &Context,
    ) -> Result<Settings, Failure> {
        let provider = |chosen| self.plugin_settings(Role::Provider, chosen, context);
        Ok(Settings {
            home: context.home.clone(),
            shim: context.shim(),
            name: self.configuration.name.value.clone(),
            tracker: self.plugin_settings(Role::Tracker, tracker, context)?,
            providers: providers.iter().map(provider).collect::<Result<_, _>>()?,
            repositories: self.keyed_repositories()?,
            forges: self.forges.iter().map(|forge| forge.settings(&context.environment)).collect(),
            network: self.network.settings(),
            policy: self.configuration.policy(),
            organisation: context.policies.clone(),
            signatures: self.configuration.signatures.value.rule(),
            once,
            environment: context.environment.clone(),
            containment: self.configuration.containment.value,
            isolation: self.configuration.isolation.value,
            sandbox: SandboxSettings {
                wish: self.configuration.sandbox.value,
                outside: self.outside.clone(),
            },
            test_clock: context.environment.get(TEST_CLOCK).is_some_and(|value| value == "1"),
            base: context.folder.clone(),
        })
    }
}

/// What the program left that the chosen tracker's users had before.
fn earlier(layers: &Layers, context: &Context) -> Result<Option<ConfigFile>, ConfigError> {
    let plugin = layers.read(Key::Plugin, |text| value::text(text).map(Some), None)?.value;
    if !plugin.is_some_and(|plugin| tale_daemon::is_meant(&plugin)) {
        return Ok(None);
    }
    let left = tale_daemon::read(context.tale_daemon_file().as_deref())?;
    Ok(Some(left.unwrap_or_else(tale_daemon::defaults)))
}

/// Finds a plugin and reads what it is.
pub fn choose(name: &str, context: &Context) -> Result<Chosen, Failure> {
    let (file, inspection) = inspect(name, context)?;
    accepted(file, inspection)
}

/// A plugin that was looked at, if it is what was installed and could run.
pub fn accepted(file: PathBuf, inspection: Inspection) -> Result<Chosen, Failure> {
    InstallFolder::check(&file, &inspection.digest)?;
    match (&inspection.refusal, inspection.manifest.clone()) {
        (None, Some(manifest)) => Ok(Chosen { file, inspection, manifest }),
        (refusal, _) => {
            let why = refusal.as_ref().or(inspection.manifest_error.as_ref()).map_or("", String::as_str);
            Err(Failure::new(Exit::Plugin, format!("plugin {}: {why}", file.display())))
        }
    }
}

/// Finds a plugin file and looks at it, also if it could not run.
pub fn inspect(name: &str, context: &Context) -> Result<(PathBuf, Inspection), Failure> {
    let file = context.folder.join(plugins::find(name, &context.plugin_folders())?);
    let refused =
        |why: &dyn std::fmt::Display| Failure::new(Exit::Plugin, format!("plugin {}: {why}", file.display()));
    let bytes = std::fs::read(&file)
        .map_err(|error| refused(&format!("the file cannot be read ({error}); check its permissions")))?;
    let inspection = plugins::inspect(&bytes).map_err(|refusal| refused(&refusal))?;
    Ok((file, inspection))
}

/// Says how to choose, with what there is to choose from.
fn nothing_chosen(kind: Kind, context: &Context) -> ConfigError {
    let (what, flag, key) = match kind {
        Kind::Tracker => ("tracker plugin", "--plugin", "plugin"),
        Kind::Provider => ("provider", "--provider", "provider"),
    };
    let names: Vec<String> = plugins::available(&context.plugin_folders())
        .unwrap_or_default()
        .into_iter()
        .filter(|(_, file)| {
            let found = std::fs::read(file).ok().and_then(|bytes| plugins::inspect(&bytes).ok());
            found.is_some_and(|found| found.kinds.contains(&kind))
        })
        .map(|(name, _)| name)
        .collect();
    let file = context.config_file();
    let remedy = match names.first() {
        Some(first) => format!(
            "name one with {flag}, such as `{flag} {first}`, or set `{key}` in {} (there {} {})",
            file.display(),
            if names.len() == 1 { "is" } else { "are" },
            names.join(", ")
        ),
        None => "none is here; install one with `host plugin install FILE`".to_owned(),
    };
    ConfigError::NothingChosen { what, remedy }
}

/// The folder of the repository around a folder.
pub fn top(folder: &Path) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    folder.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}

/// Name of the repository's folder; trackers see it.
pub fn key_of(path: &Path) -> String {
    let folder = top(path).or_else(|| path.canonicalize().ok()).unwrap_or_else(|| path.to_owned());
    folder.file_name().map_or_else(|| "repository".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// Where the kernel tells it; elsewhere the shell's variable, which is often not
/// passed on.
pub fn machine_name(environment: &BTreeMap<String, String>) -> String {
    let told = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let names = told.into_iter().chain(environment.get("HOSTNAME").cloned());
    let mut names = names.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    names.next().unwrap_or_else(|| "host".to_owned())
}
