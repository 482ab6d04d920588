//! Reads one attempt of Codex.
//!
//! The attempt succeeded if its turn completed and the process ended well. Its
//! summary is the agent's last message.

use hostler_sdk::json::parse;
use hostler_sdk::provider::{ExitStatus, Job, Line, Outputs, StreamName, Tail, one_line};
use hostler_sdk::{Outcome, Quota, Reason, Session, Usage};

use crate::events::{self, Failure, Item, TokenUsage};
use crate::failure;

/// Longest message about a failure.
const MESSAGE_CHARS: usize = 500;

/// What the CLI says on standard error whenever the prompt comes on standard
/// input.
const NOISE: &str = "Reading additional input from stdin...";

/// One attempt.
#[derive(Debug)]
pub struct CodexSession {
    model: Option<String>,
    session: Option<String>,
    usage: Usage,
    last_message: String,
    last_error: Option<String>,
    end: Option<End>,
    tail: Tail,
}

#[derive(Debug)]
enum End {
    Completed,
    Failed(String),
}

impl Session for CodexSession {
    fn new(job: &Job) -> Self {
        Self {
            model: job.model.clone(),
            session: None,
            usage: Usage::default(),
            last_message: String::new(),
            last_error: None,
            end: None,
            tail: Tail::default(),
        }
    }

    fn line(&mut self, source: StreamName, line: &Line, out: &mut Outputs) {
        if source == StreamName::Stderr {
            if line.text.trim() != NOISE {
                self.tail.push(&line.text);
            }
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
        match &*parsed.kind {
            "thread.started" => {
                self.session = parsed.thread_id.filled();
                out.started(self.session.clone(), self.model.clone());
            }
            "item.started" | "item.updated" => tool(&parsed, out),
            "item.completed" => self.completed_item(&parsed, out),
            "error" => self.error(&parsed.message, out),
            "turn.completed" => self.turn_completed(&parsed, out),
            "turn.failed" => self.turn_failed(&parsed, out),
            _ => {}
        }
    }

    fn finish(&mut self, exit: &ExitStatus) -> Outcome {
        self.judge(exit).with_session(self.session.take()).with_usage(self.usage)
    }
}

impl CodexSession {
    fn completed_item(&mut self, line: &events::Line, out: &mut Outputs) {
        let Some(item) = line.item.and_then(parse::<Item>) else {
            return;
        };
        match &*item.kind {
            "agent_message" => {
                out.text(&item.text);
                self.last_message = item.text.0.into_owned();
            }
            "error" => out.notice("warn", item.message.0),
            _ => tool(line, out),
        }
    }

    /// One per try to reconnect, and one before a turn fails.
    fn error(&mut self, message: &str, out: &mut Outputs) {
        self.last_error = Some(message.to_owned());
        if message.starts_with("Reconnecting") {
            out.retrying(one_line(message, MESSAGE_CHARS));
        }
    }

    fn turn_completed(&mut self, line: &events::Line, out: &mut Outputs) {
        if let Some(counts) = line.usage.and_then(parse::<TokenUsage>) {
            self.usage = counts.into();
            out.usage(self.usage);
        }
        out.finished(true, self.last_message.as_str());
        self.end = Some(End::Completed);
    }

    fn turn_failed(&mut self, line: &events::Line, out: &mut Outputs) {
        let failure = line.error.and_then(parse::<Failure>);
        let message = failure.map(|failure| failure.message.0.into_owned()).unwrap_or_default();
        if failure::classify(&message) == Some(Reason::Quota) {
            let message = one_line(&message, MESSAGE_CHARS);
            // The text has a time of day without a zone: not enough for an instant.
            out.quota(Quota { status: "exhausted".into(), resets_at: None, message });
        }
        out.finished(false, "");
        self.end = Some(End::Failed(message));
    }

    fn judge(&self, exit: &ExitStatus) -> Outcome {
        match &self.end {
            Some(End::Completed) if exit.is_clean() => Outcome::succeeded(self.last_message.as_str()),
            Some(End::Completed) => {
                let message = format!("Codex said it was finished, but ended with {}.", exit.describe());
                Outcome::failed(Reason::ExitCode, message).with_summary(self.last_message.as_str())
            }
            Some(End::Failed(message)) => {
                let reason = failure::classify(message).unwrap_or(Reason::ExitCode);
                Outcome::failed(reason, one_line(message, MESSAGE_CHARS))
            }
            None => self.judge_without_end(exit),
        }
    }

    fn judge_without_end(&self, exit: &ExitStatus) -> Outcome {
        if let Some(outcome) = Outcome::ended_by_host(exit) {
            return outcome;
        }
        let said = self.tail.text();
        if let Some(reason) = failure::classify(&said) {
            return Outcome::failed(reason, one_line(&said, MESSAGE_CHARS));
        }
        if let Some(error) = &self.last_error {
            let reason = failure::classify(error).unwrap_or(Reason::NoResult);
            return Outcome::failed(reason, one_line(error, MESSAGE_CHARS));
        }
        if exit.signal.is_some() {
            let message = format!("Codex was ended from outside ({}).", exit.describe());
            return Outcome::failed(Reason::Interrupted, message);
        }
        let reason =
            if exit.is_clean() || self.session.is_some() { Reason::NoResult } else { Reason::ExitCode };
        let message = format!("Codex ended without completing its turn ({}). {said}", exit.describe());
        Outcome::failed(reason, one_line(&message, MESSAGE_CHARS))
    }
}

fn tool(line: &events::Line, out: &mut Outputs) {
    let Some(item) = line.item.and_then(parse::<Item>) else {
        return;
    };
    if let Some((name, summary)) = item.tool_use() {
        let state = match (&*item.status, &*line.kind) {
            ("failed", _) => "failed",
            ("declined", _) => "denied",
            ("completed", _) | (_, "item.completed") => "finished",
            _ => "started",
        };
        out.tool(&item.id, &name, &summary, state);
    }
}
