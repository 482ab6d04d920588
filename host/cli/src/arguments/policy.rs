//! `host policy`.

use clap::{Args, Subcommand};
use hostler_daemon::policy::EXAMPLE;

/// `host policy`.
#[derive(Args, Debug)]
#[command(disable_help_subcommand = true, after_help = help())]
pub struct PolicyArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PolicyCommand,
}

/// What to do with policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Show what your organisation's policy allows, and what is left of a plugin's rights
    #[command(after_help = "Examples:
  host policy check                              where policies are, and what they set
  host policy check tale                         what is left of a plugin's rights
  host policy check --origin https://api.example.com
  host policy check --repository . --permission full-auto --json

The exit code is 0 if all that was asked about is allowed, 5 if any of it is denied or
not granted, and 3 if a policy cannot be used.")]
    Check(CheckArgs),
}

/// `host policy check`.
#[derive(Args, Debug)]
pub struct CheckArgs {
    /// Plugin, by name or file
    #[arg(value_name = "NAME|FILE")]
    pub plugin: Option<String>,
    /// May plugins send requests there?
    #[arg(long, value_name = "URL")]
    pub origin: Option<String>,
    /// May this program be started as an agent?
    #[arg(long, value_name = "NAME|PATH")]
    pub program: Option<String>,
    /// May agents work in this repository?
    #[arg(long, value_name = "PATH")]
    pub repository: Option<String>,
    /// May agents do this much unasked?
    #[arg(long, value_name = "LEVEL", value_parser = ["safe", "auto-edits", "full-auto"])]
    pub permission: Option<String>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// Teaches by a whole policy.
fn help() -> String {
    let indented: String =
        EXAMPLE.lines().map(|line| format!("  {line}").trim_end().to_owned() + "\n").collect();
    format!(
        "Examples:
  host policy check                  where policies are, and what they set
  host policy check tale             what is left of a plugin's rights

A policy can only cut down what you allow. A further one, which HOSTLER_POLICY names, applies
besides. This is a whole policy:

{indented}"
    )
}
