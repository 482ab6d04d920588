//! What the agents of a run said, kept as one JSON object a line.

use std::collections::VecDeque;
use std::path::Path;

use hostler_engine::event::Event;
use hostler_engine::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::record::json_lines::{self, JsonLines};

/// One line of `events.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// When the host heard it.
    pub at: Timestamp,
    /// Which attempt.
    pub attempt: u32,
    /// What was said.
    pub event: Event,
}

/// The file of one run, as one of its attempts fills it. Not part of the durable
/// record: what cannot be written is only missing from the log.
pub struct EventLog {
    file: Option<JsonLines>,
    attempt: u32,
    /// When each event was recorded that the log has of this attempt already, and
    /// that the attempt's output was not read up to yet.
    known: VecDeque<Timestamp>,
}

impl EventLog {
    /// Opens the file for an attempt, making it if need be. What it has of the attempt
    /// from a host before is not recorded again.
    pub fn open(path: &Path, attempt: u32) -> Self {
        let mut known = VecDeque::new();
        let opened = JsonLines::open(path).and_then(|file| {
            json_lines::read(path, |recorded: Recorded| {
                if recorded.attempt == attempt {
                    known.push_back(recorded.at);
                }
            })?;
            Ok(file)
        });
        if let Err(error) = &opened {
            tracing::warn!("events are not written to {}: {error}", path.display());
        }
        Self { file: opened.ok(), attempt, known }
    }

    /// Records events, the next ones that the attempt's output told. Gives those that
    /// are new. After the first failure nothing more is tried: a log without gaps tells
    /// the next host how much of the output it has.
    pub fn append(&mut self, now: Timestamp, events: Vec<Event>) -> Vec<Event> {
        let heard_before = events.len().min(self.known.len());
        self.known.drain(..heard_before);
        let news: Vec<Event> = events.into_iter().skip(heard_before).collect();
        let recorded: Vec<Recorded> = news
            .iter()
            .map(|event| Recorded { at: now, attempt: self.attempt, event: event.clone() })
            .collect();
        if let Some(file) = &mut self.file
            && let Err(error) = file.append(&recorded)
        {
            tracing::warn!("no more events are written to the log: {error}");
            self.file = None;
        }
        news
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn text(text: &str) -> Event {
        Event::Text { text: text.to_owned() }
    }

    #[test]
    fn events_that_a_host_before_recorded_are_not_recorded_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("events.jsonl");
        EventLog::open(&path, 1).append(Timestamp(1), vec![text("earlier attempt")]);
        EventLog::open(&path, 2).append(Timestamp(2), vec![text("a"), text("b")]);
        // The host is killed in the middle of the next line.
        let mut torn = std::fs::read(&path).unwrap();
        torn.extend(b"{\"at\":3,\"att");
        std::fs::write(&path, torn).unwrap();
        let mut again = EventLog::open(&path, 2);
        assert_eq!(again.append(Timestamp(4), vec![text("a")]), []);
        assert_eq!(again.append(Timestamp(4), vec![text("b"), text("c")]), [text("c")]);
        let mut all = Vec::new();
        json_lines::read(&path, |recorded: Recorded| all.push((recorded.at.0, recorded.event))).unwrap();
        let expected = [(1, text("earlier attempt")), (2, text("a")), (2, text("b")), (4, text("c"))];
        assert_eq!(all, expected);
    }
}
