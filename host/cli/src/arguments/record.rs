//! The commands about the past: `host gc`, `host disk`.

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
branch. A branch goes only with such a worktree. What cannot be checked stays.
How long things are kept stands in config.toml:

  [retention]
  worktrees = \"14d\"    # these are the defaults; `none` keeps them for ever
  logs = \"30d\"
  journal = \"90d\"

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
