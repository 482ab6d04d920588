//! `host plugin`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `host plugin`.
#[derive(Args, Debug)]
#[command(
    disable_help_subcommand = true,
    after_help = "Examples:
  host plugin list                   what is there, and what may run
  host plugin inspect folder         what it is and what it asks for
  host plugin allow folder           let it have that, after a question
  host plugin install ./x.wasm       install it under its name
  host plugin diff old.wasm new.wasm what a new build asks for beyond the old one
  host plugin revoke folder          take that back, also from a running host
  host plugin verify folder          who signed it
  host plugin try claude-code --transcript out.jsonl"
)]
pub struct PluginArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PluginCommand,
}

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// List the plugins that can be named
    #[command(after_help = "Examples:\n  host plugin list --json")]
    List {
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what a plugin file is and asks for, without running it
    #[command(after_help = "Examples:\n  host plugin inspect ./my-tracker.wasm")]
    Inspect {
        /// Plugin, by name or file
        #[arg(value_name = "NAME|FILE")]
        file: String,
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
    /// Install plugins under their names, or newer builds of them
    Install(InstallArgs),
    /// Take an installed plugin away, with everything it was allowed
    #[command(after_help = "Examples:
  host plugin remove my-tracker

A running host stops using it at once. A plugin file that only lies in the folder of
plugins is removed like any file.")]
    Remove {
        /// Installed plugin
        #[arg(value_name = "NAME")]
        plugin: String,
    },
    /// Go back to the build of a plugin that was installed before
    #[command(after_help = "Examples:
  host plugin rollback my-tracker

Twice is where you began. Runs that are open go on with the build they began with.")]
    Rollback {
        /// Installed plugin
        #[arg(value_name = "NAME")]
        plugin: String,
    },
    /// Show what another build of a plugin asks for beyond an earlier one
    #[command(after_help = "Examples:
  host plugin diff folder ./folder-1.1.wasm
  host plugin diff folder ./folder-1.1.wasm --json

The exit code is 0 if the new build asks for the same or less, and 13 if it asks for
more.")]
    Diff {
        /// The earlier build, by name or file
        #[arg(value_name = "OLD")]
        old: String,
        /// The other build, by name or file
        #[arg(value_name = "NEW")]
        new: String,
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
    /// Allow exactly this build of a plugin what it asks for
    #[command(
        after_help = "Examples:\n  host plugin allow folder\n  host plugin allow ./my-tracker.wasm --yes    without a question, for scripts"
    )]
    Allow {
        /// Plugin, by name or file
        #[arg(value_name = "NAME|FILE")]
        file: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Take back what a plugin was allowed, at once
    #[command(after_help = "Examples:
  host plugin revoke folder            every build of the plugin with this id
  host plugin revoke ./folder.wasm     only this build

A running host sends nothing more for the plugin from this moment on. If it was the
tracker or the only provider, the host stops its agents and ends, and their work goes on
at the next start; the runs of one provider among several are stopped.")]
    Revoke {
        /// Plugin, by its id or by file
        #[arg(value_name = "ID|FILE")]
        plugin: String,
    },
    /// Sign a plugin file
    #[command(after_help = "Examples:
  host plugin keys generate ~/my.key
  host plugin sign ./my-tracker.wasm --key ~/my.key

Writes NAME.wasm.minisig beside the file. Both files belong together. The signature and
the key are those of minisign, and `minisign` can check and make them, too.")]
    Sign {
        /// Plugin, by name or file
        #[arg(value_name = "NAME|FILE")]
        file: String,
        /// Secret key of minisign
        #[arg(long, value_name = "KEYFILE")]
        key: PathBuf,
    },
    /// Show who signed a plugin file
    #[command(after_help = "Examples:
  host plugin verify folder
  host plugin verify ./my-tracker.wasm --json

The exit code is 0 if somebody whose key you know signed exactly this file, else 4.
`signatures` in config.toml says what follows from it: `require` runs and allows nothing
without a good signature, `warn` only tells (the default), `off` does not look.")]
    Verify {
        /// Plugin, by name or file
        #[arg(value_name = "NAME|FILE")]
        file: String,
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
    /// Whose signatures count, and keys to sign with
    #[command(
        disable_help_subcommand = true,
        after_help = "Examples:
  host plugin keys list
  host plugin keys add ada RWTHNTpT1FDh/4B/371EisAbxaiNkdcwvLt3TYvLXFpeOLRovjDa8bEe
  host plugin keys generate ~/my.key

The keys that count stand in keys.toml in the configuration folder. A file that others
could change is refused."
    )]
    Keys {
        /// What to do.
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Show what a provider plugin makes of recorded output
    #[command(
        after_help = "Examples:\n  host plugin try claude-code --transcript stdout.log --stderr stderr.log --exit 1"
    )]
    Try(TryArgs),
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// List the keys whose signatures count
    #[command(after_help = "Examples:\n  host plugin keys list --json")]
    List {
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
    /// Let the signatures of a key count
    #[command(after_help = "Examples:
  host plugin keys add ada RWTHNTpT1FDh/4B/371EisAbxaiNkdcwvLt3TYvLXFpeOLRovjDa8bEe
  host plugin keys add ada ./ada.pub")]
    Add {
        /// What you call its owner
        #[arg(value_name = "NAME")]
        name: String,
        /// The public key, or a file with it
        #[arg(value_name = "PUBKEY|FILE")]
        key: String,
    },
    /// Let the signatures of a key count no more
    #[command(after_help = "Examples:\n  host plugin keys remove ada")]
    Remove {
        /// What you call its owner
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Make a key to sign with
    #[command(after_help = "Examples:
  host plugin keys generate ~/my.key                  asks for a password
  host plugin keys generate ci.key --no-password      for scripts

Writes the secret key to FILE and the public key to FILE.pub; replaces no file.")]
    Generate {
        /// Where the secret key goes
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Whoever reads the file can sign
        #[arg(long)]
        no_password: bool,
    },
}

/// `host plugin install`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  host plugin install ./my-tracker.wasm          shows what it asks for, and asks you
  host plugin install ./plugins --yes            every plugin in a folder, for scripts

A plugin is read once, compiled and tried out in a process with limits, and installed
under its own name: whole or not at all. A newer build that asks for no more than the
one before may do what it asks for. One that asks for more waits, and the one before
keeps running, until you say yes here or with `host plugin allow NAME`; --yes does not
say that yes, and the exit code is 13.")]
pub struct InstallArgs {
    /// Plugin files, or folders with plugin files
    #[arg(value_name = "FILE|FOLDER", required = true)]
    pub from: Vec<PathBuf>,
    /// Do not ask about plugins that are new here
    #[arg(long)]
    pub yes: bool,
    /// Allow nothing yet: whoever uses a new plugin first is asked
    #[arg(long, conflicts_with = "yes")]
    pub ask_later: bool,
}

/// `host plugin try`.
#[derive(Args, Debug)]
pub struct TryArgs {
    /// Provider plugin, by name or file
    #[arg(value_name = "NAME|FILE")]
    pub provider: String,
    /// File with the CLI's standard output
    #[arg(long, value_name = "FILE")]
    pub transcript: PathBuf,
    /// File with its standard error
    #[arg(long, value_name = "FILE")]
    pub stderr: Option<PathBuf>,
    /// Its exit code
    #[arg(long, value_name = "CODE", default_value_t = 0)]
    pub exit: i32,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}
