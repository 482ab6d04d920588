//! Reads one attempt of OpenCode.
//!
//! The attempt succeeded if its last step stopped by itself, no error came after
//! it, and the process ended well.

use hostler_sdk::json::parse;
use hostler_sdk::provider::{ExitStatus, Job, Line, Outputs, StreamName, Tail, one_line};
use hostler_sdk::{Outcome, Quota, Reason, Session, Usage};

use crate::events::{self, Failure, FailureData, Part, ToolInput, ToolState};
use crate::failure;

/// Longest message about a failure.
const MESSAGE_CHARS: usize = 500;

/// So many steps in a row that finished for an unknown reason are a runaway: the
/// CLI answers a cut stream by asking again at once, for ever.
const RUNAWAY_STEPS: u32 = 10;

/// One attempt.
#[derive(Debug)]
pub struct OpenCodeSession {
    model: Option<String>,
    session: Option<String>,
    usage: Usage,
    last_text: String,
    last_step: LastStep,
    unknown_steps: u32,
    failure: Option<(Reason, String)>,
    tail: Tail,
}

/// How the last step finished.
#[derive(Debug, PartialEq)]
enum LastStep {
    None,
    Stopped,
    /// Anything but a stop: the turn is not over.
    Open,
    /// A tool was denied and the run ended there.
    Denied,
}

impl Session for OpenCodeSession {
    fn new(job: &Job) -> Self {
        Self {
            model: job.model.clone(),
            session: None,
            usage: Usage::default(),
            last_text: String::new(),
            last_step: LastStep::None,
            unknown_steps: 0,
            failure: None,
            tail: Tail::default(),
        }
    }

    fn line(&mut self, source: StreamName, line: &Line, out: &mut Outputs) {
        if source == StreamName::Stderr {
            self.tail.push(&line.text);
            return;
        }
        let Ok(parsed) = serde_json::from_str::<events::Line>(&line.text) else {
            if line.cut {
                out.notice("warn", "A line of output was too long and has been skipped.");
            } else {
                self.tail.push(&line.text);
            }
            return;
        };
        if self.session.is_none()
            && let Some(session) = parsed.session.filled()
        {
            self.session = Some(session);
            out.started(self.session.clone(), self.model.clone());
        }
        if &*parsed.kind == "error" {
            self.error(&parsed, out);
        } else if let Some(part) = parsed.part.and_then(parse::<Part>) {
            match &*parsed.kind {
                "text" => {
                    out.text(&part.text);
                    self.last_text = part.text.0.into_owned();
                }
                "tool_use" => self.tool(&part, out),
                "step_finish" => self.step(&part, out),
                _ => {}
            }
        }
    }

    fn finish(&mut self, exit: &ExitStatus) -> Outcome {
        self.judge(exit).with_session(self.session.take()).with_usage(self.usage)
    }
}

impl OpenCodeSession {
    fn tool(&mut self, part: &Part, out: &mut Outputs) {
        let Some(state) = part.state.and_then(parse::<ToolState>) else {
            return;
        };
        let input: ToolInput = state.input.and_then(parse).unwrap_or_default();
        let denied = state.error.contains("rejected permission");
        self.last_step = if denied { LastStep::Denied } else { LastStep::Open };
        let name = match (&*state.status, denied) {
            (_, true) => "denied",
            ("error", _) => "failed",
            _ => "finished",
        };
        let summary = if input.summary().is_empty() { &state.title } else { input.summary() };
        out.tool(&part.call, &part.tool, summary, name);
    }

    fn step(&mut self, part: &Part, out: &mut Outputs) {
        self.usage.add(&part.usage());
        out.usage(self.usage);
        self.unknown_steps = if &*part.reason == "unknown" { self.unknown_steps + 1 } else { 0 };
        match &*part.reason {
            "stop" => {
                self.last_step = LastStep::Stopped;
                self.failure = None;
            }
            // The denial that ended the run is the step's last word.
            _ if self.last_step == LastStep::Denied => {}
            _ => self.last_step = LastStep::Open,
        }
        if self.unknown_steps == RUNAWAY_STEPS {
            let message =
                "The model's answers are cut off again and again, and OpenCode does not stop asking.";
            self.failure = Some((Reason::Server, message.into()));
            out.finished(false, "");
        }
    }

    fn error(&mut self, line: &events::Line, out: &mut Outputs) {
        let Some(error) = line.error.and_then(parse::<Failure>) else {
            return;
        };
        let data: FailureData = error.data.and_then(parse).unwrap_or_default();
        let reason = failure::classify(&error.name, &data);
        let said = if data.message.is_empty() { &error.name } else { &data.message };
        let message = one_line(said, MESSAGE_CHARS);
        if reason == Reason::Quota {
            out.quota(Quota { status: "exhausted".into(), resets_at: None, message: message.clone() });
        } else {
            out.notice("error", message.as_str());
        }
        self.failure = Some((reason, message));
    }

    fn judge(&self, exit: &ExitStatus) -> Outcome {
        if let Some((reason, message)) = &self.failure {
            return Outcome::failed(*reason, message.as_str());
        }
        if let Some(outcome) = Outcome::ended_by_host(exit) {
            return outcome;
        }
        if self.last_step == LastStep::Denied {
            let message = "OpenCode ended at a tool it was denied; allow it in its configuration or run it with full-auto.";
            return Outcome::failed(Reason::PermissionDenied, message).with_summary(self.last_text.as_str());
        }
        let said = self.tail.text();
        if self.last_step == LastStep::Stopped && exit.is_clean() {
            return Outcome::succeeded(self.last_text.as_str());
        }
        if let Some(reason) = failure::from_text(&said) {
            return Outcome::failed(reason, one_line(&said, MESSAGE_CHARS));
        }
        if exit.signal.is_some() {
            return Outcome::failed(
                Reason::Interrupted,
                format!("OpenCode was ended from outside ({}).", exit.describe()),
            );
        }
        let reason = if exit.is_clean() { Reason::NoResult } else { Reason::ExitCode };
        let message = format!("OpenCode ended before it was finished ({}). {said}", exit.describe());
        Outcome::failed(reason, one_line(&message, MESSAGE_CHARS))
    }
}

#[cfg(test)]
mod tests {
    use hostler_sdk::Event;
    use hostler_sdk::testing::{Transcript, job};

    use super::*;

    fn cut_steps(steps: u32) -> (bool, Outcome) {
        let step = r#"{"type":"step_finish","sessionID":"s","part":{"reason":"unknown"}}"#;
        let stdout = format!("{step}\n").repeat(steps as usize);
        let read = Transcript::new(&stdout, "", 0)
            .ended_by_host("finished")
            .read::<OpenCodeSession>(&job("task"), 3);
        let ended = read.events().any(|event| matches!(event, Event::Finished(_)));
        (ended, read.outcome)
    }

    #[test]
    fn the_tenth_cut_off_answer_in_a_row_ends_the_attempt_and_the_ninth_does_not() {
        assert!(!cut_steps(RUNAWAY_STEPS - 1).0);
        let (ended, outcome) = cut_steps(RUNAWAY_STEPS);
        assert!(ended);
        assert_eq!((&*outcome.reason, &*outcome.class), ("server", "retryable"));
    }
}
