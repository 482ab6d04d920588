//! `host setup` on the command line.

use std::path::PathBuf;

use clap::Args;
use hostler_daemon::engine::plan::Permission;

use crate::config::tale_daemon;

/// `host setup`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  host setup tale
      ask for the address, the key, the repository and what agents may do at most
  host setup tale --yes --url https://tale.example --key KEY --workspace ~/app
      ask nothing; whatever is not given stays as it is
  host setup folder --set path=todo
      any other tracker, with a field of its own

Keys are saved in secrets.toml, which only you can read, and everything else in
config.toml beside it; what stands there already is kept. A key on the command line
can be seen by other programs: answer the question, or set the plugin's environment
variable instead. What `tale daemon setup` saved is taken over.")]
pub struct SetupArgs {
    /// Tracker plugin, by name or file
    #[arg(value_name = "PLUGIN")]
    pub plugin: String,
    /// Ask nothing, and allow the plugins what they ask for
    #[arg(long)]
    pub yes: bool,
    /// Address of the tracker's server
    #[arg(long)]
    pub url: Option<String>,
    /// Key for the tracker; empty for the one in the environment
    #[arg(long, hide_env_values = true)]
    pub key: Option<String>,
    /// What the tracker calls this host
    #[arg(long)]
    pub name: Option<String>,
    /// Repository to work on
    #[arg(long, value_name = "PATH")]
    pub workspace: Option<PathBuf>,
    /// What the tracker calls that repository [default: its folder's name]
    #[arg(long, value_name = "KEY")]
    pub workspace_key: Option<String>,
    /// The most a task may ask for: safe, auto-edits or full-auto
    #[arg(long, value_name = "LEVEL", value_parser = ceiling)]
    pub ceiling: Option<Permission>,
    /// Any other field of the plugin; `host plugin inspect` lists them
    #[arg(long, value_name = "FIELD=VALUE")]
    pub set: Vec<String>,
}

/// In either spelling: `auto-edits` or `auto_edits`.
fn ceiling(text: &str) -> Result<Permission, String> {
    tale_daemon::permission(text).ok_or_else(|| "choose safe, auto-edits or full-auto".to_owned())
}
