//! What a provider plugin implements.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::marker::PhantomData;

use serde::de::DeserializeOwned;

use crate::bindings::provider::exports::hostler::plugin::provider as wit;
pub use crate::bindings::provider::exports::hostler::plugin::provider::{
    Capabilities, ExitStatus, Invocation, Job, Line, Output, StreamName,
};
use crate::{Config, Event, Finished, LogLine, Outcome, Problem, Quota, SessionInfo, ToolUse, Usage};

/// How to start one coding CLI, and how to read what it prints.
pub trait Provider: 'static {
    /// Reads one attempt.
    type Session: Session;

    /// Reads what `--version` printed.
    fn detect(version_output: &str) -> Capabilities;

    /// How to start this job.
    fn launch(job: &Job) -> Result<Invocation, Problem>;
}

/// Reads one attempt's output, from its first line to its exit.
pub trait Session: Sized + 'static {
    /// A session that has read nothing yet.
    fn new(job: &Job) -> Self;

    /// The next line of a stream.
    fn line(&mut self, source: StreamName, line: &Line, out: &mut Outputs);

    /// Text for the running agent. By default it takes none.
    fn message(&mut self, text: &str, out: &mut Outputs) -> Result<(), Problem> {
        let _ = (text, out);
        Err(Problem::unsupported(
            "This agent takes no messages while it runs; send it when the attempt has ended.",
        ))
    }

    /// The process has ended and all its lines were read.
    fn finish(&mut self, exit: &ExitStatus) -> Outcome;
}

/// Collects what a session answers.
#[derive(Debug, Default)]
pub struct Outputs(Vec<Output>);

impl Outputs {
    /// Adds any event.
    pub fn event(&mut self, event: Event) {
        self.0.push(Output::Event(event));
    }

    /// The CLI is up.
    pub fn started(&mut self, session: Option<String>, model: Option<String>) {
        self.event(Event::Started(SessionInfo { session, model }));
    }

    /// Text from the model; nothing if it is blank.
    pub fn text(&mut self, text: &str) {
        if !text.trim().is_empty() {
            self.event(Event::Text(text.to_owned()));
        }
    }

    /// A tool is `started`, `finished`, `failed` or `denied`.
    pub fn tool(&mut self, id: &str, name: &str, summary: &str, state: &str) {
        self.event(Event::Tool(ToolUse {
            id: id.to_owned(),
            name: name.to_owned(),
            summary: one_line(summary, SUMMARY_CHARS),
            state: state.to_owned(),
        }));
    }

    /// Running totals.
    pub fn usage(&mut self, usage: Usage) {
        self.event(Event::Usage(usage));
    }

    /// The state of the account's allowance.
    pub fn quota(&mut self, quota: Quota) {
        self.event(Event::Quota(quota));
    }

    /// The CLI is alive but failing.
    pub fn retrying(&mut self, message: impl Into<String>) {
        self.event(Event::Retrying(message.into()));
    }

    /// A line for the run's log: `debug`, `info`, `warn` or `error`.
    pub fn notice(&mut self, level: &str, message: impl Into<String>) {
        self.event(Event::Notice(LogLine { level: level.to_owned(), message: message.into() }));
    }

    /// The CLI said it is finished.
    pub fn finished(&mut self, success: bool, summary: impl Into<String>) {
        self.event(Event::Finished(Finished { success, summary: summary.into() }));
    }

    /// Bytes for the agent's standard input.
    pub fn stdin(&mut self, bytes: impl Into<Vec<u8>>) {
        self.0.push(Output::Stdin(bytes.into()));
    }

    /// Closes the agent's standard input.
    pub fn close_stdin(&mut self) {
        self.0.push(Output::CloseStdin);
    }

    /// What was collected. Of a flood of events that only tell what the agent does, the
    /// first [`MOST_TOLD`] and how many there were besides.
    pub fn into_vec(self) -> Vec<Output> {
        let mut told = 0;
        let mut kept: Vec<Output> = self.0;
        kept.retain(|output| {
            let only_tells = only_tells(output);
            told += usize::from(only_tells);
            !only_tells || told <= MOST_TOLD
        });
        if told > MOST_TOLD {
            let message = format!("{} more events at this place are not shown.", told - MOST_TOLD);
            kept.push(Output::Event(Event::Notice(LogLine { level: "warn".to_owned(), message })));
        }
        kept
    }
}

/// Most events of one call that only tell what the agent does. One line of a megabyte
/// can hold tens of thousands; the host takes 1,024 outputs of a call, and of a session
/// that gives more it takes nothing any more.
pub const MOST_TOLD: usize = 700;

/// Whether nothing but what people see is lost without it.
fn only_tells(output: &Output) -> bool {
    matches!(
        output,
        Output::Event(
            Event::Text(_) | Event::Tool(_) | Event::Question(_) | Event::Retrying(_) | Event::Notice(_)
        )
    )
}

/// Longest summary of a tool use: one line of a terminal, and some.
const SUMMARY_CHARS: usize = 160;

/// The text on one line, cut to so many characters.
pub fn one_line(text: &str, chars: usize) -> String {
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.chars().nth(chars).is_some() {
            line = line.chars().take(chars.saturating_sub(1)).collect();
            line.push('…');
            break;
        }
    }
    line
}

/// The text without the escape sequences that colour a terminal.
pub fn without_escapes(text: &str) -> Cow<'_, str> {
    if !text.contains('\u{1b}') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '\u{1b}' {
            plain.push(char);
        } else if chars.next_if_eq(&'[').is_some() {
            // Parameters, then one letter that says what they are for.
            let _ = chars.find(|char| ('@'..='~').contains(char));
        }
    }
    Cow::Owned(plain)
}

/// The last lines of plain text an agent printed, for a message about its end.
#[derive(Debug, Default)]
pub struct Tail {
    lines: VecDeque<String>,
}

impl Tail {
    /// Enough for the error and a hint, too few for a stack trace to bury them.
    pub const LINES: usize = 20;
    /// Longest kept line, in characters.
    pub const LINE_CHARS: usize = 500;

    /// Keeps a line, unless it is blank.
    pub fn push(&mut self, line: &str) {
        let line = without_escapes(line);
        let line = line.trim_end();
        if line.trim().is_empty() {
            return;
        }
        if self.lines.len() == Self::LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line.chars().take(Self::LINE_CHARS).collect());
    }

    /// The kept lines, oldest first.
    pub fn text(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        lines.join("\n")
    }

    /// The last line that was kept.
    pub fn last(&self) -> Option<&str> {
        self.lines.back().map(String::as_str)
    }
}

impl ExitStatus {
    /// Whether the process ended well: by itself with code 0, or by the host
    /// after it had said that it is finished.
    pub fn is_clean(&self) -> bool {
        self.code == Some(0) || self.ended_by_host.as_deref() == Some("finished")
    }

    /// `exit code 1`, `signal 15`.
    pub fn describe(&self) -> String {
        match (self.code, self.signal) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "an unknown end".into(),
        }
    }
}

impl Capabilities {
    /// What `--version` printed, and the names of what this CLI can do.
    pub fn new(version_output: &str, names: &[&str]) -> Self {
        Self {
            version: version_output.lines().next().unwrap_or_default().trim().to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }
}

impl Invocation {
    /// A command of the manifest, nothing filled in.
    pub fn new(command: &str) -> Self {
        Self { command: command.to_owned(), slots: Vec::new(), stdin: None, keep_stdin: false }
    }

    /// Fills a slot.
    pub fn slot(mut self, name: &str, value: impl Into<String>) -> Self {
        self.slots.push((name.to_owned(), value.into()));
        self
    }

    /// Fills a slot if there is something to fill it with.
    pub fn slot_if(self, name: &str, value: Option<&str>) -> Self {
        match value {
            Some(value) => self.slot(name, value),
            None => self,
        }
    }

    /// Writes this to the agent's standard input, then closes it.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Leaves standard input open, for [`Session::message`].
    pub fn keep_stdin(mut self) -> Self {
        self.keep_stdin = true;
        self
    }
}

impl Job {
    /// The provider's fields of the operator's configuration.
    pub fn config<T: DeserializeOwned>(&self) -> Result<T, Problem> {
        Config::from_json(&self.config)?.parse()
    }
}

/// A [`Session`] behind the contract's `session` resource.
pub struct Handle<S>(RefCell<S>);

impl<S: Session> wit::GuestSession for Handle<S> {
    fn new(job: Job) -> Self {
        Self(RefCell::new(S::new(&job)))
    }

    fn lines(&self, source: StreamName, lines: Vec<Line>) -> Vec<Output> {
        let mut out = Outputs::default();
        let mut session = self.0.borrow_mut();
        for line in &lines {
            session.line(source, line, &mut out);
        }
        out.into_vec()
    }

    fn message(&self, text: String) -> Result<Vec<Output>, Problem> {
        let mut out = Outputs::default();
        self.0.borrow_mut().message(&text, &mut out)?;
        Ok(out.into_vec())
    }

    fn finish(&self, exit: ExitStatus) -> Outcome {
        self.0.borrow_mut().finish(&exit)
    }
}

/// A provider as the contract's interface; named by
/// [`provider!`](crate::provider!).
pub struct Export<P>(PhantomData<P>);

impl<P: Provider> wit::Guest for Export<P> {
    type Session = Handle<P::Session>;

    fn detect(version_output: String) -> Capabilities {
        P::detect(&version_output)
    }

    fn launch(job: Job) -> Result<Invocation, Problem> {
        P::launch(&job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_what_only_tells_is_cut_and_counted_and_the_rest_stays() {
        let collected = |count: usize| {
            let mut out = Outputs::default();
            (0..count).for_each(|_| out.text("word"));
            out.usage(Usage::default());
            out.into_vec()
        };
        assert_eq!(collected(MOST_TOLD).len(), MOST_TOLD + 1);
        let cut = collected(MOST_TOLD + 2);
        assert_eq!(cut.len(), MOST_TOLD + 2);
        assert!(matches!(cut[MOST_TOLD], Output::Event(Event::Usage(_))));
        let Some(Output::Event(Event::Notice(notice))) = cut.last() else { panic!("nothing is said") };
        assert!(notice.message.starts_with("2 more events"), "{}", notice.message);
    }

    #[test]
    fn the_tail_keeps_its_last_lines_and_no_blank_ones() {
        let mut tail = Tail::default();
        for number in 0..=Tail::LINES {
            tail.push(&format!("line {number}"));
            tail.push("   ");
        }
        assert_eq!(tail.text().lines().count(), Tail::LINES);
        assert!(tail.text().starts_with("line 1\n"));
        assert_eq!(tail.last(), Some("line 20"));
    }

    #[test]
    fn the_tail_cuts_a_long_line() {
        let mut tail = Tail::default();
        tail.push(&"x".repeat(Tail::LINE_CHARS));
        assert_eq!(tail.text().chars().count(), Tail::LINE_CHARS);
        tail.push(&"y".repeat(Tail::LINE_CHARS + 1));
        assert_eq!(tail.last().map(str::len), Some(Tail::LINE_CHARS));
    }

    #[test]
    fn a_summary_is_one_line_and_cut_with_a_mark() {
        assert_eq!(one_line(" a\n\tb ", 10), "a b");
        assert_eq!(one_line("abcde", 5), "abcde");
        assert_eq!(one_line("abcdef", 5), "abcd…");
    }

    #[test]
    fn colours_are_taken_out_of_plain_text() {
        assert_eq!(without_escapes("\u{1b}[91m\u{1b}[1mError: \u{1b}[0mgone"), "Error: gone");
        assert_eq!(without_escapes("cut \u{1b}[9"), "cut ");
        assert_eq!(without_escapes("plain [1m"), "plain [1m");
    }
}
