//! Runs any command line on a task. The operator writes it into the
//! configuration; its output is plain text, and its exit code decides.
//!
//! It never guesses at the meaning of the output.
//!
//! Main types: [`AnyCommand`] and [`session::CommandSession`].

mod line;
pub mod session;

use hostler_sdk::provider::{Capabilities, Invocation, Job};
use hostler_sdk::{Problem, Provider};
use serde::Deserialize;

pub use line::one_line;

/// The provider.
pub struct AnyCommand;

hostler_sdk::provider!(AnyCommand);

#[derive(Default, Deserialize)]
struct Config {
    #[serde(default)]
    command: String,
    /// Whether the command reads what it is told while it works.
    #[serde(default)]
    conversation: bool,
}

impl Provider for AnyCommand {
    type Session = session::CommandSession;

    fn detect(version_output: &str) -> Capabilities {
        Capabilities::new(version_output, &[])
    }

    fn launch(job: &Job) -> Result<Invocation, Problem> {
        let Config { command, conversation } = job.config()?;
        if command.trim().is_empty() {
            let message = "No command is configured; set `command`, such as `my-agent --task {prompt_file}`.";
            return Err(Problem::permanent(message));
        }
        let uses = |slot: &str| command.contains(slot);
        let mut invocation = Invocation::new("start");
        for (slot, value) in [("prompt", &job.prompt), ("prompt_file", &job.prompt_file), ("cwd", &job.cwd)] {
            if uses(&format!("{{{slot}}}")) {
                invocation = invocation.slot(slot, value);
            }
        }
        if uses("{model}") {
            invocation = invocation.slot_if("model", job.model.as_deref());
        }
        // A command that takes the prompt nowhere else reads it.
        if !uses("{prompt}") && !uses("{prompt_file}") {
            let prompt = if conversation { one_line(&job.prompt) } else { job.prompt.clone() };
            invocation = invocation.stdin(prompt);
        }
        Ok(if conversation { invocation.keep_stdin() } else { invocation })
    }
}
