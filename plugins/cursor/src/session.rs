//! Reads one attempt of Cursor.
//!
//! The attempt succeeded if a `result` came that is no error, the process ended well,
//! and not everything the agent tried was denied.

use hostler_sdk::json::parse;
use hostler_sdk::provider::{ExitStatus, Job, Line, Outputs, StreamName, Tail, one_line};
use hostler_sdk::{Outcome, Quota, Reason, Session, Usage};

use crate::events::{self, Block, Counts, Message, Tool};
use crate::failure;

/// Longest message about a failure.
const MESSAGE_CHARS: usize = 500;

/// One attempt.
#[derive(Debug)]
pub struct CursorSession {
    resumed: bool,
    session: Option<String>,
    started: bool,
    usage: Usage,
    last_text: String,
    tools_succeeded: bool,
    denials: usize,
    end: Option<End>,
    tail: Tail,
}

/// What the `result` said.
#[derive(Debug)]
struct End {
    is_error: bool,
    text: String,
}

impl Session for CursorSession {
    fn new(job: &Job) -> Self {
        Self {
            resumed: job.session.is_some(),
            session: None,
            started: false,
            usage: Usage::default(),
            last_text: String::new(),
            tools_succeeded: false,
            denials: 0,
            end: None,
            tail: Tail::default(),
        }
    }

    fn line(&mut self, source: StreamName, line: &Line, out: &mut Outputs) {
        let parsed = serde_json::from_str::<events::Line>(&line.text);
        if source == StreamName::Stderr {
            // Some versions print every event there a second time.
            if parsed.is_err() {
                self.plain_text(&line.text, out);
            }
            return;
        }
        let Ok(parsed) = parsed else {
            if line.cut {
                out.notice("warn", "A line of output was too long and has been skipped.");
            } else {
                self.plain_text(&line.text, out);
            }
            return;
        };
        if let Some(session) = parsed.session_id.filled() {
            self.session = Some(session);
        }
        match &*parsed.kind {
            "system" if &*parsed.subtype == "init" => {
                self.started = true;
                out.started(self.session.clone(), parsed.model.filled());
            }
            "assistant" => self.assistant(&parsed, out),
            "tool_call" => self.tool(&parsed, out),
            "result" => self.result(&parsed, out),
            _ => {}
        }
    }

    fn finish(&mut self, exit: &ExitStatus) -> Outcome {
        self.judge(exit).with_session(self.session.take()).with_usage(self.usage)
    }
}

impl CursorSession {
    /// Failures come as plain text, on either stream.
    fn plain_text(&mut self, text: &str, out: &mut Outputs) {
        self.tail.push(text);
        if failure::from_text(text) == Some(Reason::Quota) {
            let message = one_line(text, MESSAGE_CHARS);
            out.quota(Quota { status: "exhausted".into(), resets_at: None, message });
        }
    }

    fn assistant(&mut self, line: &events::Line, out: &mut Outputs) {
        let message: Option<Message> = line.message.and_then(parse);
        let blocks: Vec<Block> =
            message.and_then(|message| message.content).and_then(parse).unwrap_or_default();
        let text: String = blocks.iter().map(|block| &*block.text).collect();
        out.text(&text);
        if !text.trim().is_empty() {
            self.last_text = text;
        }
    }

    fn tool(&mut self, line: &events::Line, out: &mut Outputs) {
        let Some(tool) = line.tool_call.and_then(Tool::read) else { return };
        match tool.state {
            "denied" => self.denials += 1,
            "finished" => self.tools_succeeded = true,
            _ => {}
        }
        out.tool(&line.call_id, &tool.name, &tool.summary, tool.state);
    }

    fn result(&mut self, line: &events::Line, out: &mut Outputs) {
        if let Some(counts) = line.usage.and_then(parse::<Counts>) {
            self.usage = counts.usage();
            out.usage(self.usage);
        }
        let is_error = line.is_error == Some(true) || &*line.subtype != "success";
        // The result strings together all the model said; its last word is the summary.
        let text = if is_error || self.last_text.is_empty() { &*line.result } else { &self.last_text };
        let text = text.to_owned();
        out.finished(!is_error, if is_error { "" } else { &text });
        self.end = Some(End { is_error, text });
    }

    fn judge(&self, exit: &ExitStatus) -> Outcome {
        match &self.end {
            Some(End { is_error: true, text }) => {
                let reason = failure::from_text(text).unwrap_or(Reason::ExitCode);
                Outcome::failed(reason, one_line(text, MESSAGE_CHARS))
            }
            Some(End { text, .. }) if exit.is_clean() => {
                if self.denials > 0 && !self.tools_succeeded {
                    let message = "Cursor was denied everything it tried; allow it in its configuration or run it with full-auto.";
                    return Outcome::failed(Reason::PermissionDenied, message).with_summary(text.as_str());
                }
                Outcome::succeeded(text.as_str())
            }
            Some(End { text, .. }) => {
                let message = format!("Cursor said it was finished, but ended with {}.", exit.describe());
                Outcome::failed(Reason::ExitCode, message).with_summary(text.as_str())
            }
            None => self.judge_without_result(exit),
        }
    }

    fn judge_without_result(&self, exit: &ExitStatus) -> Outcome {
        if let Some(outcome) = Outcome::ended_by_host(exit) {
            return outcome;
        }
        let said = self.tail.text();
        if let Some(reason) = failure::from_text(&said) {
            return Outcome::failed(reason, one_line(&said, MESSAGE_CHARS));
        }
        if matches!(exit.code, Some(130 | 143)) || exit.signal.is_some() {
            let message = format!("Cursor was ended from outside ({}).", exit.describe());
            return Outcome::failed(Reason::Interrupted, message);
        }
        let reason = match (exit.is_clean(), self.started) {
            // How it words a session that is gone is not documented; the next attempt
            // does without it.
            (false, false) if self.resumed => Reason::SessionRefused,
            (false, false) => Reason::ExitCode,
            _ => Reason::NoResult,
        };
        let message = format!("Cursor ended without a result ({}). {said}", exit.describe());
        Outcome::failed(reason, one_line(&message, MESSAGE_CHARS))
    }
}
