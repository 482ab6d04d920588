//! What follows from the layers: one value per setting.

use std::path::{Path, PathBuf};

use hostler_daemon::engine::follow_up::FollowUp;
use hostler_daemon::engine::landing::LandingKind;
use hostler_daemon::engine::plan::Permission;
use hostler_daemon::engine::policy::{self, Policy, VerifyRule};
use hostler_daemon::engine::sandbox::Wish;
use hostler_daemon::engine::time::Millis;
use hostler_daemon::{Containment, Isolation};

use super::error::ConfigError;
use super::file::{Given, Tables};
use super::key::Key;
use super::layers::{Layers, read_one};
use super::origin::{Origin, Setting};
use super::signatures::Signatures;
use super::value;

/// A repository as it was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedRepository {
    /// What trackers call it; by default its folder's name.
    pub key: Option<String>,
    /// Absolute; a folder inside it.
    pub path: PathBuf,
}

/// Every setting, in force, with where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Configuration {
    /// The tracker plugin, by name or file.
    pub plugin: Setting<Option<String>>,
    /// The providers, by name or file; the first is the default.
    pub providers: Setting<Vec<String>>,
    /// Used where the tracker wishes none.
    pub model: Setting<Option<String>>,
    /// Used where the tracker wishes nothing.
    pub permission: Setting<Permission>,
    /// Never more than this.
    pub permission_ceiling: Setting<Permission>,
    /// Runs at once.
    pub slots: Setting<u32>,
    /// Per run.
    pub attempts: Setting<u32>,
    /// Of one attempt.
    pub time_limit: Setting<Option<Millis>>,
    /// Longest silence.
    pub stall_limit: Setting<Option<Millis>>,
    /// Per run.
    pub token_limit: Setting<Option<u64>>,
    /// US dollars per run.
    pub cost_limit: Setting<Option<f64>>,
    /// Bytes for one attempt.
    pub memory_limit: Setting<Option<u64>>,
    /// Processors for one attempt.
    pub cpu_limit: Setting<Option<u32>>,
    /// How the processes of an attempt are held together.
    pub containment: Setting<Containment>,
    /// What the git of agents works with.
    pub isolation: Setting<Isolation>,
    /// How far agents are walled in.
    pub sandbox: Setting<Wish>,
    /// Landings allowed, as far as the tracker plugin's grant goes.
    pub landings: Setting<Vec<LandingKind>>,
    /// Whether verify commands are run, as far as the grant goes.
    pub verify: Setting<VerifyRule>,
    /// Time for one of them.
    pub verify_limit: Setting<Option<Millis>>,
    /// What coming back from a pull request has its task go on.
    pub follow_up: Setting<FollowUp>,
    /// Whether to work in folders that are in no git repository.
    pub in_place: Setting<bool>,
    /// How much the signatures of plugins matter.
    pub signatures: Setting<Signatures>,
    /// What trackers call this host.
    pub name: Setting<String>,
}

/// What is known of the surroundings, besides the layers.
pub struct Surroundings<'a> {
    /// Where the program was started.
    pub folder: &'a Path,
    /// For paths that begin with `~/`.
    pub home: Option<&'a Path>,
}

impl Configuration {
    /// Decides every setting.
    pub fn resolve(layers: &Layers, machine: &str) -> Result<Self, ConfigError> {
        let (permission, permission_ceiling) = permissions(layers)?;
        let attempts = |text: &str| value::positive(text, value::MAX_ATTEMPTS);
        let slots = |text: &str| value::positive(text, value::MAX_SLOTS);
        let some_text = |text: &str| value::text(text).map(Some);
        let mut providers = layers.names(Key::Provider)?;
        if let (None, Some(_)) = (layers.flags.keys.get(&Key::Provider), &layers.flags.command) {
            providers =
                Setting { value: vec!["command".to_owned()], origin: Origin::Flag("--command".to_owned()) };
        }
        refuse_files_named_by_a_repository(layers, &providers)?;
        Ok(Self {
            plugin: layers.read(Key::Plugin, some_text, None)?,
            providers,
            model: layers.read(Key::Model, some_text, None)?,
            permission,
            permission_ceiling,
            slots: layers.read(Key::Slots, slots, policy::DEFAULT_SLOTS)?,
            attempts: layers.read(Key::Attempts, attempts, policy::DEFAULT_ATTEMPTS)?,
            time_limit: layers.read(Key::TimeLimit, value::duration, Some(policy::DEFAULT_TIME))?,
            stall_limit: layers.read(Key::StallLimit, value::duration, Some(policy::DEFAULT_STALL))?,
            token_limit: layers.read(Key::TokenLimit, value::tokens, None)?,
            cost_limit: layers.read(Key::CostLimit, value::dollars, None)?,
            memory_limit: layers.read(Key::MemoryLimit, value::bytes, None)?,
            cpu_limit: layers.read(Key::CpuLimit, value::processors, None)?,
            containment: layers.read(Key::Containment, value::containment, Containment::Auto)?,
            isolation: layers.read(Key::Isolation, value::isolation, Isolation::Worktree)?,
            sandbox: layers.read(Key::Sandbox, value::sandbox, Wish::Auto)?,
            landings: layers.read(Key::Landing, value::landings, value::ALL_LANDINGS.to_vec())?,
            verify: layers.read(Key::Verify, value::verify, VerifyRule::Allow)?,
            verify_limit: layers.read(
                Key::VerifyLimit,
                value::duration,
                Some(policy::DEFAULT_VERIFY_TIME),
            )?,
            follow_up: layers.read(Key::FollowUp, value::follow_up, FollowUp::Off)?,
            in_place: layers.read(Key::InPlace, value::truth, false)?,
            signatures: Signatures::of(layers)?,
            name: layers.read(Key::Name, value::text, machine.to_owned())?,
        })
    }

    /// The part that the engine decides by.
    pub fn policy(&self) -> Policy {
        let mut policy = Policy {
            slots: self.slots.value,
            model: self.model.value.clone(),
            permission_default: self.permission.value,
            permission_ceiling: self.permission_ceiling.value,
            ..Policy::default()
        };
        policy.limits.time = self.time_limit.value;
        policy.limits.stall = self.stall_limit.value;
        policy.limits.tokens = self.token_limit.value;
        policy.limits.cost_usd = self.cost_limit.value;
        policy.limits.attempts = self.attempts.value;
        policy.limits.memory = self.memory_limit.value;
        policy.limits.cpus = self.cpu_limit.value;
        policy.usual.time = self.time_limit.origin == Origin::Default;
        policy.usual.slots = self.slots.origin == Origin::Default;
        policy.usual.stall = self.stall_limit.origin == Origin::Default;
        policy.landings.clone_from(&self.landings.value);
        policy.verify = self.verify.value;
        policy.verify_time = self.verify_limit.value.unwrap_or(value::MAX_DURATION);
        policy.follow_up = self.follow_up.value;
        policy
    }
}

/// `permission` alone decides both, so that `--permission safe` means safe.
fn permissions(layers: &Layers) -> Result<(Setting<Permission>, Setting<Permission>), ConfigError> {
    let default = Policy::default();
    let permission = layers.read(Key::Permission, value::permission, default.permission_default)?;
    let Some(given) = layers.given(Key::PermissionCeiling) else {
        let ceiling = Setting { value: permission.value, origin: Origin::Follows(Key::Permission) };
        return Ok((permission, ceiling));
    };
    let ceiling = read_one(Key::PermissionCeiling.name(), &given, value::permission)?;
    if permission.value <= ceiling.value {
        return Ok((permission, ceiling));
    }
    if permission.origin == Origin::Default {
        let lowered = Setting { value: ceiling.value, origin: Origin::Follows(Key::PermissionCeiling) };
        return Ok((lowered, ceiling));
    }
    Err(ConfigError::AboveCeiling {
        permission: permission.value.name(),
        permission_origin: permission.origin,
        ceiling: ceiling.value.name(),
        ceiling_origin: ceiling.origin,
    })
}

/// A repository may choose among the operator's plugins, but not bring its own.
fn refuse_files_named_by_a_repository(
    layers: &Layers,
    providers: &Setting<Vec<String>>,
) -> Result<(), ConfigError> {
    let from_repository = matches!((&providers.origin, &layers.repository_file),
        (Origin::File { path, .. }, Some(file)) if *path == file.path);
    let is_file = |name: &&String| name.contains('/') || Path::new(name).extension().is_some();
    match providers.value.iter().find(is_file) {
        Some(name) if from_repository => Err(ConfigError::Value {
            place: providers.origin.clone(),
            key: Key::Provider.name().to_owned(),
            value: format!("`{name}`"),
            expected: "the name of an installed provider; a repository may not name a file".to_owned(),
        }),
        _ => Ok(()),
    }
}

/// The repositories by flag, else by the operator's file or an earlier program's, else
/// the folder where the program was started.
pub fn repositories(
    layers: &Layers,
    around: &Surroundings<'_>,
) -> Result<Setting<Vec<NamedRepository>>, ConfigError> {
    let flags = &layers.flags.repositories;
    if !flags.is_empty() {
        let named = |flag: &super::layers::RepositoryFlag| NamedRepository {
            key: flag.key.clone(),
            path: around.folder.join(&flag.path),
        };
        let origin = Origin::Flag("--repo".to_owned());
        return Ok(Setting { value: flags.iter().map(named).collect(), origin });
    }
    let files = [&layers.user_file, &layers.earlier];
    if let Some(file) = files.into_iter().flatten().find(|file| !file.repositories.is_empty()) {
        let mut named = Vec::new();
        for (key, given) in &file.repositories {
            let path = read_one(&format!("repos.{key}"), given, value::text)?.value;
            let base = file.path.parent().unwrap_or(around.folder);
            named.push(NamedRepository { key: Some(key.clone()), path: absolute(&path, base, around.home) });
        }
        let origin = file.repositories[0].1.origin.clone();
        return Ok(Setting { value: named, origin });
    }
    Ok(Setting::default(vec![NamedRepository { key: None, path: around.folder.to_owned() }]))
}

/// The program that a provider starts instead of the one on `PATH`.
pub fn program_of(
    tables: Option<&Tables>,
    provider: &str,
    folder: &Path,
    home: Option<&Path>,
) -> Result<Option<Setting<PathBuf>>, ConfigError> {
    let given: Option<&Given> = tables.and_then(|tables| tables.get(provider)?.get(PROGRAM));
    let Some(given) = given else { return Ok(None) };
    let text = read_one(&format!("providers.{provider}.{PROGRAM}"), given, value::text)?;
    Ok(Some(Setting { value: absolute(&text.value, folder, home), origin: text.origin }))
}

/// Name of the one field that every provider has.
pub const PROGRAM: &str = "program";

/// A path of a file: `~/` is the home folder, anything relative starts at `base`.
pub fn absolute(path: &str, base: &Path, home: Option<&Path>) -> PathBuf {
    match (path.strip_prefix("~/"), home) {
        (Some(below), Some(home)) => home.join(below),
        _ => base.join(path),
    }
}
