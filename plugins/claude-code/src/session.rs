//! Reads one attempt of Claude Code.
//!
//! The attempt succeeded if a `result` came that is no error, the process ended
//! well, and not everything the agent tried was denied.

use std::collections::BTreeMap;

use hostler_sdk::json::{Text, parse};
use hostler_sdk::provider::{ExitStatus, Job, Line, Outputs, StreamName, Tail, one_line};
use hostler_sdk::{Instant, Outcome, Quota, Reason, Session, Usage};
use serde_json::value::RawValue;

use crate::events::{self, Block, Message, Question, RateLimit, ResultLine, ToolInput};
use crate::failure;

/// Longest message about a failure.
const MESSAGE_CHARS: usize = 500;

/// One attempt.
#[derive(Debug)]
pub struct ClaudeSession {
    resumed: bool,
    session: Option<String>,
    usage: Usage,
    resets_at: Option<Instant>,
    quota_exhausted: bool,
    /// Tools under way: id and name.
    running: BTreeMap<String, String>,
    tools_succeeded: bool,
    denials: usize,
    last_retry: Option<Reason>,
    end: Option<End>,
    tail: Tail,
}

/// What the last `result` said.
#[derive(Debug)]
struct End {
    failure: Option<Reason>,
    text: String,
}

impl Session for ClaudeSession {
    fn new(job: &Job) -> Self {
        Self {
            resumed: job.session.is_some(),
            session: None,
            usage: Usage::default(),
            resets_at: None,
            quota_exhausted: false,
            running: BTreeMap::new(),
            tools_succeeded: false,
            denials: 0,
            last_retry: None,
            end: None,
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
        if let Some(session) = parsed.session_id.filled() {
            self.session = Some(session);
        }
        match &*parsed.kind {
            "system" => self.system(&parsed, out),
            "assistant" => self.assistant(&parsed, out),
            "user" => self.user(&parsed, out),
            "rate_limit_event" => self.rate_limit(&parsed, out),
            "result" => self.result(&line.text, out),
            _ => {}
        }
    }

    fn finish(&mut self, exit: &ExitStatus) -> Outcome {
        self.judge(exit).with_session(self.session.take()).with_usage(self.usage)
    }
}

impl ClaudeSession {
    fn system(&mut self, line: &events::Line, out: &mut Outputs) {
        match &*line.subtype {
            "init" => out.started(line.session_id.filled(), line.model.filled()),
            "api_retry" => {
                let status = u16::try_from(line.error_status.count()).unwrap_or_default();
                self.last_retry = Reason::from_status(status).or(Some(Reason::Network));
                let (attempt, most) = (line.attempt.count(), line.max_retries.count());
                out.retrying(format!(
                    "The model did not answer ({}), try {attempt} of {most}.",
                    &*line.error
                ));
            }
            "permission_denied" => {
                self.denials += 1;
                self.running.remove(&*line.tool_use_id);
                let message = line.message.map_or_else(String::new, raw_text);
                out.tool(&line.tool_use_id, &line.tool_name, &message, "denied");
            }
            _ => {}
        }
    }

    fn assistant(&mut self, line: &events::Line, out: &mut Outputs) {
        for block in blocks(line.message) {
            match &*block.kind {
                "text" => out.text(&block.text),
                "tool_use" => {
                    let input: ToolInput = block.input.and_then(parse).unwrap_or_default();
                    out.tool(&block.id, &block.name, input.summary(), "started");
                    self.running.insert(block.id.0.into_owned(), block.name.0.into_owned());
                    for question in input.questions.and_then(parse::<Vec<Question>>).unwrap_or_default() {
                        out.event(hostler_sdk::Event::Question(question.question.0.into_owned()));
                    }
                }
                _ => {}
            }
        }
    }

    fn user(&mut self, line: &events::Line, out: &mut Outputs) {
        for block in blocks(line.message) {
            if &*block.kind != "tool_result" {
                continue;
            }
            let failed = block.is_error == Some(true);
            self.tools_succeeded |= !failed;
            // The end of a denied one has been told already.
            if let Some(name) = self.running.remove(&*block.tool_use_id) {
                out.tool(&block.tool_use_id, &name, "", if failed { "failed" } else { "finished" });
            }
        }
    }

    fn rate_limit(&mut self, line: &events::Line, out: &mut Outputs) {
        let Some(limit) = line.rate_limit_info.and_then(parse::<RateLimit>) else {
            return;
        };
        let status = match &*limit.status {
            "rejected" => "exhausted",
            "allowed_warning" => "warning",
            _ => return,
        };
        let resets_at = limit.resets_at.0.map(|seconds| seconds * 1000.0);
        if status == "exhausted" {
            self.quota_exhausted = true;
            self.resets_at = resets_at;
        }
        let window = limit.window.replace('_', "-");
        let message = match limit.utilization.0 {
            Some(part) if status == "warning" => {
                format!("{:.0} % of the {window} allowance are used.", part * 100.0)
            }
            _ => format!("The {window} allowance is used up."),
        };
        out.quota(Quota { status: status.into(), resets_at, message });
    }

    fn result(&mut self, line: &str, out: &mut Outputs) {
        let Ok(result) = serde_json::from_str::<ResultLine>(line) else {
            out.notice("warn", "The result line could not be read; the CLI may be newer than this plugin.");
            return;
        };
        self.usage.add(&result.turn_usage(self.resumed));
        self.denials = self.denials.max(result.permission_denials.len());
        let text = match result.errors.first() {
            Some(error) if result.result.is_empty() => error.0.clone().into_owned(),
            _ => result.result.0.clone().into_owned(),
        };
        let is_error = result.is_error || &*result.subtype != "success";
        let failure = is_error.then(|| failure::classify(&result, &text, self.quota_exhausted));
        out.usage(self.usage);
        out.finished(failure.is_none(), if is_error { "" } else { &text });
        self.end = Some(End { failure, text });
    }

    fn judge(&self, exit: &ExitStatus) -> Outcome {
        match &self.end {
            Some(End { failure: Some(reason), text }) => {
                let reset = self.resets_at.filter(|_| *reason == Reason::Quota);
                Outcome::failed(*reason, one_line(text, MESSAGE_CHARS)).with_reset(reset)
            }
            Some(End { failure: None, text }) if exit.is_clean() => {
                if self.denials > 0 && !self.tools_succeeded {
                    let message = "Claude Code was denied everything it tried; allow it more or run it with a wider permission.";
                    return Outcome::failed(Reason::PermissionDenied, message).with_summary(text.as_str());
                }
                Outcome::succeeded(text.as_str())
            }
            Some(End { failure: None, text }) => {
                let message =
                    format!("Claude Code said it was finished, but ended with {}.", exit.describe());
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
        let reason = if self.quota_exhausted { Some(Reason::Quota) } else { failure::from_text(&said) };
        if let Some(reason) = reason {
            let reset = self.resets_at.filter(|_| reason == Reason::Quota);
            return Outcome::failed(reason, one_line(&said, MESSAGE_CHARS)).with_reset(reset);
        }
        if matches!(exit.code, Some(130 | 143)) || exit.signal.is_some() {
            let message = format!("Claude Code was ended from outside ({}).", exit.describe());
            return Outcome::failed(Reason::Interrupted, message);
        }
        if let Some(reason) = self.last_retry {
            let message = format!("Claude Code gave up on the model ({}).", exit.describe());
            return Outcome::failed(reason, message);
        }
        let reason =
            if exit.is_clean() || self.session.is_some() { Reason::NoResult } else { Reason::ExitCode };
        let message = format!("Claude Code ended without a result ({}). {said}", exit.describe());
        Outcome::failed(reason, one_line(&message, MESSAGE_CHARS))
    }
}

fn blocks(message: Option<&RawValue>) -> Vec<Block<'_>> {
    let message: Option<Message> = message.and_then(parse);
    message.and_then(|message| message.content).and_then(parse).unwrap_or_default()
}

fn raw_text(raw: &RawValue) -> String {
    parse::<Text>(raw).map(|text| text.0.into_owned()).unwrap_or_default()
}
