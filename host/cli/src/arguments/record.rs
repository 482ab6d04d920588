//! The commands about the past: `host gc`, `host disk`, `host explain`, `host replay`.

use clap::Args;

/// `host gc`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  host gc                          what would go, what stays, and why; removes nothing
  host gc --yes                    remove what may go
  host gc --run fix-login --yes    one run, whatever its age
  host gc --run fix-login --discard --yes
      its worktree with all that is in it; commits stay on its branch

A worktree goes only if its run is over, and nothing in it would be lost: nothing was
changed, or everything is committed and in a branch of a remote or in the default
branch. Its branch goes with it only if it is in the default branch or has no commits.
What cannot be checked stays.
How long things are kept stands in config.toml:

  [retention]
  worktrees = \"14d\"    # these are the defaults; `none` keeps them for ever
  logs = \"30d\"
  journal = \"90d\"
  audit = \"none\"

It can be used beside a running host; only the journal is then left as it is.")]
pub struct GcArgs {
    /// Remove what may go; without it, only say what would
    #[arg(long)]
    pub yes: bool,
    /// Only this run, whatever its age: part of its id, or the task's key
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Give up the work in that run's worktree
    #[arg(long, requires = "run")]
    pub discard: bool,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `host disk`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  host disk           what takes how much space
  host disk --json    the same for a program; sizes in bytes

`host gc` says what of it may go.")]
pub struct DiskArgs {
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `host explain`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  host explain fix-login           why it is in its state, and what led there
  host explain fix-login --json    the same for a program

It reads the record, so it works with and without a running host.")]
pub struct ExplainArgs {
    /// Part of the run's id, or the task's key
    pub run: String,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// `host replay`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  host replay fix-login                       is everything decided the same way again?
  host replay fix-login --plugin ./new.wasm   what another version would have decided
  host replay fix-login --json                the same for a program

Everything that plugins and the engine decided about a run is asked again, with the
same builds, from the record; every answer must be the same, byte for byte. The exit
code is 0 if they are, and 12 if one differs. Nothing is started and nothing is sent,
so it works with and without a running host, and a plugin needs no grant for it.
With --plugin the exit code is 0 whatever comes out.")]
pub struct ReplayArgs {
    /// Part of the run's id, or the task's key
    pub run: String,
    /// Another version of the run's tracker or provider plugin, by name or file
    #[arg(long, value_name = "NAME|FILE")]
    pub plugin: Option<String>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}
