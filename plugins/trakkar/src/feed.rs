//! The progress of one run: numbered batches, each repeated under its number until
//! the server has it.

use std::collections::VecDeque;

use hostler_sdk::Instant;
use hostler_sdk::time::iso8601;
use hostler_sdk::tracker::Progress;
use serde::Serialize;

use crate::redact::{speakable, without_here_document};
use crate::text::head;

/// The server takes so many events in one call.
const EVENTS_PER_BATCH: usize = 50;

/// The server takes so many characters of one event.
const EVENT_CHARS: usize = 4_000;

/// While the server cannot be reached, so many events wait; the oldest give way.
const WAITING_EVENTS: usize = 500;

/// One line of progress.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    #[serde(rename = "type")]
    kind: &'static str,
    text: String,
    at: String,
}

impl Event {
    /// Something about the run itself.
    pub fn status(text: &str, at: Instant) -> Self {
        Self::new("status", text, at)
    }

    /// What the verify command found.
    pub fn verify(text: &str, at: Instant) -> Self {
        Self::new("verify", text, at)
    }

    /// A line of the host; `None` if nothing is left of it.
    fn of(line: &Progress) -> Option<Self> {
        let (kind, text) = match line.kind.as_str() {
            "text" => ("message", line.text.as_str()),
            "tool" => ("tool", without_here_document(&line.text)),
            _ => ("status", line.text.as_str()),
        };
        let event = Self::new(kind, text, line.at);
        (!event.text.trim().is_empty()).then_some(event)
    }

    fn new(kind: &'static str, text: &str, at: Instant) -> Self {
        Self { kind, text: head(&speakable(text), EVENT_CHARS), at: iso8601(at) }
    }
}

/// What is sent in one call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Batch {
    seq: u32,
    events: Vec<Event>,
}

/// What waits and what is on its way.
#[derive(Debug, Default)]
pub struct Feed {
    /// Number of the last batch that the server answered.
    answered: u32,
    /// Not answered yet: it keeps its number.
    batch: Option<Batch>,
    sending: bool,
    waiting: VecDeque<Event>,
    left_out: u32,
    /// The host's number of the last line that was added.
    last_line: u32,
}

impl Feed {
    /// After an earlier connection, whose last answered batch had this number.
    pub fn after(answered: u32) -> Self {
        Self { answered, ..Self::default() }
    }

    /// Number of the last batch that the server answered, for the next connection.
    pub fn last_answered(&self) -> u32 {
        self.answered
    }

    /// Adds lines of the host. It tells those again that it does not know to have
    /// arrived; they are added once.
    pub fn tell(&mut self, lines: &[Progress]) {
        for line in lines {
            if line.sequence <= self.last_line {
                continue;
            }
            self.last_line = line.sequence;
            if let Some(event) = Event::of(line) {
                self.push(event);
            }
        }
    }

    /// Adds an event; may cost the oldest one that waits.
    pub fn push(&mut self, event: Event) {
        self.waiting.push_back(event);
        if self.waiting.len() > WAITING_EVENTS {
            self.waiting.pop_front();
            self.left_out = self.left_out.saturating_add(1);
        }
    }

    /// Whether there is something to send.
    pub fn is_empty(&self) -> bool {
        self.batch.is_none() && self.waiting.is_empty()
    }

    /// Whether a batch is on its way.
    pub fn is_sending(&self) -> bool {
        self.sending
    }

    /// The next batch to send; `None` if there is nothing, or one is on its way.
    pub fn begin(&mut self, now: Instant) -> Option<Batch> {
        if self.sending || self.is_empty() {
            return None;
        }
        if self.batch.is_none() {
            self.batch = Some(self.next_batch(now));
        }
        self.sending = true;
        self.batch.clone()
    }

    fn next_batch(&mut self, now: Instant) -> Batch {
        let mut events = Vec::new();
        if self.left_out > 0 {
            let text = format!("{} earlier lines are left out: Trakkar could not be reached.", self.left_out);
            events.push(Event::status(&text, now));
            self.left_out = 0;
        }
        let room = EVENTS_PER_BATCH - events.len();
        events.extend(self.waiting.drain(..room.min(self.waiting.len())));
        Batch { seq: self.answered + 1, events }
    }

    /// The server has the batch, or will never take it.
    pub fn answered(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.answered = batch.seq;
        }
        self.sending = false;
    }

    /// Nobody knows whether the server has the batch: it is sent again.
    pub fn unanswered(&mut self) {
        self.sending = false;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn line(kind: &str, text: &str) -> Progress {
        Progress { sequence: 1, at: 1_767_225_600_000.0, kind: kind.into(), text: text.into() }
    }

    fn status(text: &str) -> Event {
        Event::status(text, 0.0)
    }

    fn filled(count: usize) -> Feed {
        let mut feed = Feed::default();
        (0..count).for_each(|number| feed.push(status(&number.to_string())));
        feed
    }

    #[test]
    fn lines_of_the_host_become_events_with_type_text_and_time() {
        for (kind, expected) in
            [("text", "message"), ("tool", "tool"), ("started", "status"), ("new", "status")]
        {
            let event = Event::of(&line(kind, "Editing src/export.ts")).unwrap();
            let json = serde_json::to_value(&event).unwrap();
            let expected = serde_json::json!({ "type": expected, "text": "Editing src/export.ts", "at": "2026-01-01T00:00:00Z" });
            assert_eq!(json, expected);
        }
        assert_eq!(Event::of(&line("text", "  ")), None);
        assert_eq!(Event::of(&line("tool", "Bash cat > x <<EOF secret code")).unwrap().text, "Bash cat > x");
    }

    #[test]
    fn a_line_that_is_told_again_is_added_once() {
        let mut feed = Feed::default();
        let lines: Vec<Progress> =
            (1..=3).map(|sequence| Progress { sequence, ..line("text", &sequence.to_string()) }).collect();
        feed.tell(&lines[..2]);
        feed.tell(&lines);
        let texts: Vec<String> =
            feed.begin(0.0).unwrap().events.into_iter().map(|event| event.text).collect();
        assert_eq!(texts, ["1", "2", "3"]);
    }

    #[test]
    fn an_event_at_the_limit_is_whole_and_a_longer_one_is_cut() {
        assert_eq!(status(&"x".repeat(EVENT_CHARS)).text, "x".repeat(EVENT_CHARS));
        assert_eq!(status(&"x".repeat(EVENT_CHARS + 1)).text.chars().count(), EVENT_CHARS);
    }

    #[test]
    fn numbers_grow_by_one_and_a_batch_keeps_its_own_until_it_is_answered() {
        let mut feed = filled(1);
        let first = feed.begin(0.0).unwrap();
        assert_eq!((first.seq, first.events.len()), (1, 1));
        feed.push(status("later"));
        assert_eq!(feed.begin(0.0), None, "one at a time");
        feed.unanswered();
        assert_eq!(feed.begin(0.0).unwrap(), first, "the same again, without what came later");
        feed.answered();
        assert_eq!(feed.begin(0.0).unwrap().seq, 2);
        feed.answered();
        assert!(feed.is_empty());
        assert_eq!(feed.begin(0.0), None);
    }

    #[test]
    fn a_new_connection_goes_on_with_the_next_number() {
        let mut feed = Feed::after(7);
        feed.push(status("x"));
        assert_eq!(feed.begin(0.0).unwrap().seq, 8);
        assert_eq!(feed.last_answered(), 7);
    }

    #[test]
    fn fifty_events_go_in_one_batch_and_the_fifty_first_in_the_next() {
        let mut feed = filled(EVENTS_PER_BATCH);
        assert_eq!(feed.begin(0.0).unwrap().events.len(), EVENTS_PER_BATCH);
        feed.answered();
        assert!(feed.is_empty());
        let mut feed = filled(EVENTS_PER_BATCH + 1);
        assert_eq!(feed.begin(0.0).unwrap().events.len(), EVENTS_PER_BATCH);
        feed.answered();
        assert_eq!(feed.begin(0.0).unwrap().events.len(), 1);
    }

    #[test]
    fn five_hundred_events_wait_and_of_more_the_oldest_are_left_out_and_counted() {
        let mut feed = filled(WAITING_EVENTS);
        assert_eq!(feed.begin(0.0).unwrap().events[0].text, "0");
        let mut feed = filled(WAITING_EVENTS + 2);
        let events = feed.begin(0.0).unwrap().events;
        assert!(events[0].text.starts_with("2 earlier lines are left out"), "{}", events[0].text);
        assert_eq!((&*events[1].text, events.len()), ("2", EVENTS_PER_BATCH));
    }
}
