//! `host message`.

use clap::Args;

/// `host message`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  host message fix-login \"leave the old form alone\"
      a line for its agent, which goes on working

Only agents hear it that read while they work: those of the `command` provider with
`conversation = true`. Where no agent takes it, nothing is kept, and the exit code is 14.")]
pub struct MessageArgs {
    /// Part of the run's id, or the task's key
    pub run: String,
    /// What the agent is to hear
    pub text: String,
    /// Say it once, however often this is repeated: an attempt hears an id once [default: a new one]
    #[arg(long, value_name = "ID")]
    pub id: Option<String>,
}
