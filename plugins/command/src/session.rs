//! Reads one attempt of a command.

use hostler_sdk::provider::{ExitStatus, Job, Line, Outputs, StreamName, Tail, one_line, without_escapes};
use hostler_sdk::{Outcome, Problem, Reason, Session};

use crate::{Config, one_line as line_of};

/// Longest message about a failure.
const MESSAGE_CHARS: usize = 500;

/// One attempt: the ends of both streams.
#[derive(Debug)]
pub struct CommandSession {
    /// Whether the command reads messages.
    conversation: bool,
    stdout: Tail,
    stderr: Tail,
}

impl Session for CommandSession {
    fn new(job: &Job) -> Self {
        let Config { conversation, .. } = job.config().unwrap_or_default();
        Self { conversation, stdout: Tail::default(), stderr: Tail::default() }
    }

    fn line(&mut self, source: StreamName, line: &Line, out: &mut Outputs) {
        match source {
            StreamName::Stdout => {
                self.stdout.push(&line.text);
                out.text(&without_escapes(&line.text));
            }
            StreamName::Stderr => self.stderr.push(&line.text),
        }
    }

    fn message(&mut self, text: &str, out: &mut Outputs) -> Result<(), Problem> {
        if !self.conversation {
            let message =
                "This command takes no messages; set `conversation = true` for one that reads them.";
            return Err(Problem::unsupported(message));
        }
        out.stdin(line_of(text));
        Ok(())
    }

    fn finish(&mut self, exit: &ExitStatus) -> Outcome {
        let summary = self.stdout.text();
        if let Some(outcome) = Outcome::ended_by_host(exit) {
            return outcome.with_summary(summary);
        }
        if exit.is_clean() {
            return Outcome::succeeded(summary);
        }
        let said = self.stderr.last().or(self.stdout.last()).unwrap_or("It said nothing.");
        let message = one_line(&format!("The command ended with {}: {said}", exit.describe()), MESSAGE_CHARS);
        let reason = if exit.signal.is_some() { Reason::Interrupted } else { Reason::ExitCode };
        Outcome::failed(reason, message).with_summary(summary)
    }
}
