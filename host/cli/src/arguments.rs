//! The command line: every command, flag and example.

mod audit;
mod message;
mod plugin;
mod policy;
mod record;
mod secret;
mod setup;

pub use audit::{AuditArgs, AuditCommand, EntriesArgs};
pub use message::MessageArgs;
pub use plugin::{InstallArgs, KeysCommand, PluginArgs, PluginCommand, TryArgs};
pub use policy::{CheckArgs, PolicyArgs, PolicyCommand};
pub use record::{DiskArgs, ExplainArgs, GcArgs, ReplayArgs};
pub use secret::{SecretArgs, SecretCommand};
pub use setup::SetupArgs;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::config::layers::{Flags, RepositoryFlag};
use crate::config::{ConfigError, Key};

/// Runs coding agents on the tasks of your tracker, in git worktrees on this machine.
#[derive(Debug, Parser)]
#[command(
    name = "host",
    version,
    propagate_version = false,
    disable_help_subcommand = true,
    max_term_width = 100,
    after_help = "Examples:
  host run --plugin folder --provider claude-code    work on the tasks in ./tasks
  host setup tale                                    connect this machine to Tale
  host runs                                          what has been done
  host show fix-login                                one run in full
  host doctor                                        what is missing on this machine

RUN is any unique part of a run's id, or the key of its task.
`host help exit-codes` lists the exit codes. NO_COLOR turns colours off."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Set up a tracker: ask for what it needs, and save it
    Setup(Box<SetupArgs>),
    /// Take tasks from a tracker and work on them, until stopped
    Run(Box<RunArgs>),
    /// List runs, newest first
    Runs(RunsArgs),
    /// Show one run in full
    Show(ShowArgs),
    /// Show what the agents of a run said and did
    Logs(LogsArgs),
    /// End a run that is under way
    Stop(StopArgs),
    /// Say something to the agent of a run
    Message(MessageArgs),
    /// End the running host and leave its agents at work
    #[command(after_help = DETACH_HELP)]
    Detach,
    /// Show what the running host does, or what one would work with
    Status(Box<StatusArgs>),
    /// Tell why a run is in its state, and what led there
    Explain(ExplainArgs),
    /// Decide everything about a run again, and compare
    Replay(ReplayArgs),
    /// Show what was allowed, refused, started and let out, and prove it
    Audit(AuditArgs),
    /// Show what takes how much space
    Disk(DiskArgs),
    /// Remove what of the past may go, after a look at what that is
    Gc(GcArgs),
    /// Check this machine: git, repository, plugins, coding CLIs, disk
    Doctor(Box<DoctorArgs>),
    /// List, inspect, install, compare, sign, allow and revoke plugins
    Plugin(PluginArgs),
    /// Show what your organisation's policy allows
    Policy(PolicyArgs),
    /// Keep the keys of plugins: in the system's keyring, or in a file of your own
    Secret(SecretArgs),
    /// Show every setting and where it came from
    Config(ConfigArgs),
    /// Help on a command, or on `exit-codes`
    Help(HelpArgs),
}

/// Settings that may stand on the command line.
#[derive(Args, Debug, Default)]
pub struct SettingsArgs {
    /// Tracker plugin, by name or file
    #[arg(long, value_name = "NAME|FILE")]
    pub plugin: Option<String>,
    /// Provider plugin (coding CLI), by name or file; the first is used where a task names none [default: all whose CLI is here]
    #[arg(long, value_name = "NAME|FILE")]
    pub provider: Vec<String>,
    /// Repository to work on [default: the current folder's]
    #[arg(long, value_name = "PATH|KEY=PATH")]
    pub repo: Vec<String>,
    /// Runs at once [default: 2]
    #[arg(long, value_name = "N")]
    pub slots: Option<String>,
    /// What agents may do unasked: safe, auto-edits or full-auto [default: auto-edits]
    #[arg(long, value_name = "LEVEL")]
    pub permission: Option<String>,
    /// The most a task may ask for [default: the same as --permission]
    #[arg(long, value_name = "LEVEL")]
    pub permission_ceiling: Option<String>,
    /// Model, where the task names none
    #[arg(long, value_name = "NAME")]
    pub model: Option<String>,
    /// Attempts per run [default: 2]
    #[arg(long, value_name = "N")]
    pub attempts: Option<String>,
    /// Time for one attempt: 90s, 60m, 1h30m or none [default: 60m]
    #[arg(long, value_name = "TIME")]
    pub time_limit: Option<String>,
    /// Longest silence of an agent [default: 20m]
    #[arg(long, value_name = "TIME")]
    pub stall_limit: Option<String>,
    /// Tokens for one run [default: none]
    #[arg(long, value_name = "N")]
    pub token_limit: Option<String>,
    /// US dollars for one run [default: none]
    #[arg(long, value_name = "DOLLARS")]
    pub cost_limit: Option<String>,
    /// Memory for one attempt and all it starts: 512M, 4G or none [default: none]
    #[arg(long, value_name = "SIZE")]
    pub memory_limit: Option<String>,
    /// Processors for one attempt and all it starts [default: none, so all]
    #[arg(long, value_name = "N")]
    pub cpu_limit: Option<String>,
    /// What holds an attempt's processes together: auto, namespace or sweep [default: auto]
    #[arg(long, value_name = "HOW")]
    pub containment: Option<String>,
    /// How far agents are walled in: auto, none, basic or contained [default: auto]
    #[arg(long, value_name = "TIER")]
    pub sandbox: Option<String>,
    /// How far finished work may land: granted, leave, push, pull-request or merge [default: granted]
    #[arg(long, value_name = "KIND")]
    pub landing: Option<String>,
    /// Verify commands of tasks: granted (run if the plugin may), refuse or ignore [default: granted]
    #[arg(long, value_name = "RULE")]
    pub verify: Option<String>,
    /// Time for one verify command [default: 30m]
    #[arg(long, value_name = "TIME")]
    pub verify_limit: Option<String>,
    /// What coming back from a pull request has its task go on: off, checks, reviews or all [default: off]
    #[arg(long, value_name = "WHAT")]
    pub follow_up: Option<String>,
    /// Work in the folder itself if it is in no git repository: one run at a time, no branch
    #[arg(long)]
    pub in_place: bool,
    /// Let requests beyond the tracker plugin's grant through, and say what grant would have done
    #[arg(long)]
    pub observe: bool,
    /// What trackers call this host [default: the machine's name]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// A field of the tracker plugin; `host plugin inspect` lists them
    #[arg(long, value_name = "FIELD=VALUE")]
    pub set: Vec<String>,
    /// Command for the `command` provider
    #[arg(
        long,
        value_name = "TEMPLATE",
        help = "Command for the `command` provider; no shell, {prompt_file} and the like are filled in"
    )]
    pub command: Option<String>,
}

/// `host run`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  host run --plugin folder --provider claude-code
      take tasks from ./tasks, let Claude Code work on them, two at once
  host run --plugin folder --provider claude-code --once
      stop when every task is done; exit code 10 if one did not succeed
  host run --plugin folder --command \"my-agent --task {prompt_file}\"
      any program as agent
  host run --provider claude-code --provider codex --repo app=~/app --repo api=~/api
      two CLIs and two repositories; tasks choose, the first is the default

Ctrl-C takes no new tasks and waits for the agents; a second one stops them, and
their work goes on at the next start. Every flag can stand in config.toml or in the
environment (--time-limit is HOSTLER_TIME_LIMIT); `host config show` tells which won.")]
pub struct RunArgs {
    /// The settings.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Stop when there is nothing left to do
    #[arg(long)]
    pub once: bool,
    /// Write one JSON object per line to standard output
    #[arg(long)]
    pub json: bool,
    /// Form of the log on standard error
    #[arg(long, value_name = "FORM", default_value = "text")]
    pub log_format: LogFormat,
    /// Log more
    #[arg(short, long, action = clap::ArgAction::Count, help = "Log more; twice for everything (HOSTLER_LOG sets it finer)")]
    pub verbose: u8,
}

/// Form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object per line.
    Json,
}

/// `host runs`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  host runs                 the last 20
  host runs --open          those under way or waiting
  host runs --all --json    everything, for a program")]
pub struct RunsArgs {
    /// Everything there is
    #[arg(long, conflicts_with = "limit")]
    pub all: bool,
    /// Only runs that are not over
    #[arg(long)]
    pub open: bool,
    /// At most this many
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `host show`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  host show fix-login           by the key of the task
  host show 3f9a                by any unique part of the run's id
  host show fix-login --diff    what it changed, as a patch")]
pub struct ShowArgs {
    /// Part of the run's id, or the task's key
    pub run: String,
    /// Print what the run changed, as a patch
    #[arg(long, conflicts_with = "json")]
    pub diff: bool,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `host logs`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  host logs fix-login -f            follow an agent at work
  host logs fix-login --attempt 1   only the first attempt
  host logs fix-login --raw         what the CLI printed, byte for byte")]
pub struct LogsArgs {
    /// Part of the run's id, or the task's key
    pub run: String,
    /// Go on until the run is over
    #[arg(short, long)]
    pub follow: bool,
    /// What the CLI itself printed, each stream to the same stream
    #[arg(long, conflicts_with_all = ["json", "follow"])]
    pub raw: bool,
    /// Only this attempt [default: all; with --raw: the last]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub attempt: Option<u32>,
    /// Write one JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// `host stop`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  host stop fix-login    end its agent and report it as cancelled; its branch stays")]
pub struct StopArgs {
    /// Part of the run's id, or the task's key
    pub run: String,
}

/// `host detach`, whose only argument is the command itself.
const DETACH_HELP: &str = "Examples:
  host detach    before an upgrade; `host run` takes the agents up again

An agent works on until its lease or its time limit is over. A terminal that is closed
does the same.";

/// `host status`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  host status           slots, tracker, open runs
  host status --json    the same for a program

Where no host runs, the exit code is 11, and what one would work with is shown:
settings, coding CLIs, and whether the tracker's server can be reached. For that a
connection is opened and closed; nothing is sent, so no lease is renewed.")]
pub struct StatusArgs {
    /// The settings.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `host doctor`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  host doctor                         everything, with the settings as they are
  host doctor --provider codex        would this provider work?

The exit code is 1 if something fails; warnings do not count.")]
pub struct DoctorArgs {
    /// The settings.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `host config`.
#[derive(Args, Debug)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:
  host config show
  host config show --plugin folder --json"
)]
pub struct ConfigArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to do with settings.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show every setting, its value and where it came from
    #[command(
        after_help = "Precedence: flag > environment > .hostler/config.toml of the repository > your keyring >
your secrets.toml and config.toml > what an earlier program left (~/.tale-daemon/config.json) > default.

Examples:
  host config show
  host config show --plugin folder --json"
    )]
    Show {
        /// The settings.
        #[command(flatten)]
        settings: Box<SettingsArgs>,
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
}

/// `host help`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  host help run\n  host help exit-codes")]
pub struct HelpArgs {
    /// A command, or `exit-codes`
    #[arg(value_name = "TOPIC")]
    pub topic: Vec<String>,
}

impl SettingsArgs {
    /// What the command line says, as a layer of the configuration.
    pub fn flags(&self) -> Result<Flags, ConfigError> {
        let single = [
            (Key::Plugin, &self.plugin),
            (Key::Model, &self.model),
            (Key::Permission, &self.permission),
            (Key::PermissionCeiling, &self.permission_ceiling),
            (Key::Slots, &self.slots),
            (Key::Attempts, &self.attempts),
            (Key::TimeLimit, &self.time_limit),
            (Key::StallLimit, &self.stall_limit),
            (Key::TokenLimit, &self.token_limit),
            (Key::CostLimit, &self.cost_limit),
            (Key::MemoryLimit, &self.memory_limit),
            (Key::CpuLimit, &self.cpu_limit),
            (Key::Containment, &self.containment),
            (Key::Sandbox, &self.sandbox),
            (Key::Landing, &self.landing),
            (Key::Verify, &self.verify),
            (Key::VerifyLimit, &self.verify_limit),
            (Key::FollowUp, &self.follow_up),
            (Key::Name, &self.name),
        ];
        let given = single.into_iter().filter_map(|(key, value)| Some((key, vec![value.clone()?])));
        let providers = (!self.provider.is_empty()).then(|| (Key::Provider, self.provider.clone()));
        let in_place = self.in_place.then(|| (Key::InPlace, vec!["true".to_owned()]));
        let fields = self.set.iter().map(|text| assignment(text));
        Ok(Flags {
            keys: given.chain(providers).chain(in_place).collect(),
            repositories: self.repo.iter().map(|text| repository(text)).collect(),
            fields: fields.collect::<Result<_, _>>()?,
            command: self.command.clone(),
            observe: self.observe,
        })
    }
}

/// `FIELD=VALUE`.
pub fn assignment(text: &str) -> Result<(String, String), ConfigError> {
    let pair = text.split_once('=').filter(|(field, _)| !field.trim().is_empty());
    let (field, value) = pair.ok_or_else(|| ConfigError::NotAnAssignment(format!("`{text}`")))?;
    Ok((field.trim().to_owned(), value.to_owned()))
}

/// `KEY=PATH`, or a path that happens to contain `=` behind a slash.
fn repository(text: &str) -> RepositoryFlag {
    match text.split_once('=').filter(|(key, _)| !key.is_empty() && !key.contains('/')) {
        Some((key, path)) => RepositoryFlag { key: Some(key.to_owned()), path: path.into() },
        None => RepositoryFlag { key: None, path: text.into() },
    }
}
