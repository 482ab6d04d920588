//! Jobs, and what providers answer.

use hostler_engine::event::{Event, ToolState};

use super::{log_line, timestamp, usage};
use crate::bindings::{provider as wit, types};
use crate::call_error::Fault;
use crate::guest_text::{clean, clean_lines};
use crate::job::{Capabilities, ExitStatus, Invocation, Job, Line, SessionOutput, StreamName};
use crate::limits::{LINE_BYTES, LOG_LINE_BYTES, SESSION_OUTPUTS};
use crate::log_budget::LogBudget;

impl From<Job> for wit::Job {
    fn from(job: Job) -> Self {
        Self {
            prompt: job.prompt,
            prompt_file: job.prompt_file,
            cwd: job.cwd,
            session: job.session,
            permission: job.permission.name().to_owned(),
            model: job.model,
            attempt: job.attempt,
            config: job.config,
        }
    }
}

impl From<wit::Capabilities> for Capabilities {
    fn from(found: wit::Capabilities) -> Self {
        let names = found.names.iter().map(|name| clean(name, LOG_LINE_BYTES)).collect();
        Self { version: clean(found.version.trim(), LOG_LINE_BYTES), names }
    }
}

impl From<wit::Invocation> for Invocation {
    fn from(found: wit::Invocation) -> Self {
        Self { command: found.command, slots: found.slots, stdin: found.stdin, keep_stdin: found.keep_stdin }
    }
}

impl From<StreamName> for wit::StreamName {
    fn from(name: StreamName) -> Self {
        match name {
            StreamName::Stdout => Self::Stdout,
            StreamName::Stderr => Self::Stderr,
        }
    }
}

/// Cuts lines at the length that the contract promises.
impl From<Line> for wit::Line {
    fn from(mut line: Line) -> Self {
        let too_long = line.text.len() > LINE_BYTES;
        if too_long {
            line.text.truncate(line.text.floor_char_boundary(LINE_BYTES));
        }
        Self { text: line.text, cut: line.cut || too_long }
    }
}

impl From<ExitStatus> for wit::ExitStatus {
    fn from(exit: ExitStatus) -> Self {
        Self {
            code: exit.code,
            signal: exit.signal,
            ended_by_host: exit.ended_by_host.map(|reason| reason.name().to_owned()),
        }
    }
}

/// What a session answered to one call.
pub(crate) fn session_outputs(found: Vec<wit::Output>) -> Result<Vec<SessionOutput>, Fault> {
    let mut logs = LogBudget::default();
    let mut outputs = Vec::with_capacity(found.len().min(SESSION_OUTPUTS));
    let mut count = 0;
    for output in found {
        if let wit::Output::Log(line) = &output {
            if logs.admit() {
                outputs.push(SessionOutput::Log(log_line(line)));
            }
            continue;
        }
        count += 1;
        if count <= SESSION_OUTPUTS {
            outputs.push(session_output(output));
        }
    }
    if count > SESSION_OUTPUTS {
        return Err(Fault::TooManyOutputs(count));
    }
    outputs.extend(logs.closing_line().map(SessionOutput::Log));
    Ok(outputs)
}

fn session_output(output: wit::Output) -> SessionOutput {
    match output {
        wit::Output::Event(found) => SessionOutput::Event(event(found)),
        wit::Output::Stdin(bytes) => SessionOutput::Stdin(bytes),
        wit::Output::CloseStdin => SessionOutput::CloseStdin,
        wit::Output::Log(line) => SessionOutput::Log(log_line(&line)),
        wit::Output::Other((name, details)) => SessionOutput::Other(name, details),
    }
}

fn event(found: types::Event) -> Event {
    match found {
        types::Event::Started(info) => Event::Started { session: info.session, model: info.model },
        types::Event::Text(text) => Event::Text { text: clean_lines(text) },
        types::Event::Tool(tool) => Event::Tool {
            id: tool.id,
            name: clean(&tool.name, LOG_LINE_BYTES),
            summary: clean(&tool.summary, LOG_LINE_BYTES),
            state: tool_state(&tool.state),
        },
        types::Event::Usage(found) => Event::Usage { usage: usage(&found) },
        types::Event::Question(text) => Event::Question { text: clean_lines(text) },
        types::Event::Quota(quota) => Event::Quota {
            exhausted: quota.status == "exhausted",
            resets_at: quota.resets_at.and_then(timestamp),
            message: clean(&quota.message, LOG_LINE_BYTES),
        },
        types::Event::Retrying(message) => Event::Retrying { message: clean(&message, LOG_LINE_BYTES) },
        types::Event::Notice(line) => Event::Notice { line: log_line(&line) },
        types::Event::Finished(finished) => {
            Event::Finished { success: finished.success, summary: clean_lines(finished.summary) }
        }
        types::Event::Other((name, details)) => Event::Other { name, details },
    }
}

fn tool_state(name: &str) -> ToolState {
    match name {
        "finished" => ToolState::Finished,
        "failed" => ToolState::Failed,
        "denied" => ToolState::Denied,
        _ => ToolState::Started,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_may_have_one_mebibyte_and_is_cut_beyond() {
        let line = |length: usize| wit::Line::from(Line { text: "a".repeat(length), cut: false });
        let whole = line(LINE_BYTES);
        assert_eq!((whole.text.len(), whole.cut), (LINE_BYTES, false));
        let cut = line(LINE_BYTES + 1);
        assert_eq!((cut.text.len(), cut.cut), (LINE_BYTES, true));
    }

    #[test]
    fn a_thousand_and_twenty_four_outputs_pass_and_one_more_is_refused() {
        let outputs = |count: usize| session_outputs(vec![wit::Output::CloseStdin; count]);
        assert_eq!(outputs(SESSION_OUTPUTS).unwrap().len(), SESSION_OUTPUTS);
        assert_eq!(outputs(SESSION_OUTPUTS + 1).unwrap_err(), Fault::TooManyOutputs(1025));
    }

    #[test]
    fn log_lines_do_not_count_as_outputs_and_are_dropped_beyond_a_hundred() {
        let line = types::LogLine { level: "warn".to_owned(), message: "m".to_owned() };
        let mut flood = vec![wit::Output::Log(line); 5_000];
        flood.push(wit::Output::CloseStdin);
        let outputs = session_outputs(flood).unwrap();
        assert_eq!(outputs.len(), 102);
        assert_eq!(outputs[100], SessionOutput::CloseStdin);
        let SessionOutput::Log(last) = &outputs[101] else { panic!("no closing line") };
        assert_eq!(last.message, "4900 more log lines of this call were dropped");
    }
}
