//! What a provider's session was fed, in order, so that a later host can bring another
//! session to the same point. The lines themselves are in the attempt's logs.

use std::io;
use std::path::{Path, PathBuf};

use hostler_agents::{Stream, Transcript};
use hostler_components::job::{Line, StreamName};
use serde::{Deserialize, Serialize};

use crate::attempt::reading;
use crate::record::json_lines::{self, JsonLines};

/// File of an attempt's folder.
const FEED_FILE: &str = "feed.jsonl";

/// One thing that a session was fed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Entry {
    /// Lines of one of the logs.
    Lines {
        /// Which log.
        lines: StreamName,
        /// Where they end in it, in bytes; they begin where the entry before of the
        /// same log ended.
        end: u64,
        /// The stream has ended: what follows the last line end belongs to them.
        last: bool,
    },
    /// Text from a person.
    Message {
        /// The text.
        message: String,
        /// By what it is known if it is said again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
}

/// The feed of one attempt, for writing.
pub struct Feed {
    path: PathBuf,
    file: Option<JsonLines>,
    /// Whether a failure was told.
    told: bool,
}

impl Feed {
    /// Opens the feed in an attempt's folder, making it if need be.
    pub fn open(folder: &Path) -> Self {
        Self { path: folder.join(FEED_FILE), file: None, told: false }
    }

    /// Notes lines that the session is about to be fed. What cannot be noted is fed
    /// nevertheless: a later entry covers it.
    pub fn note_lines(&mut self, lines: StreamName, end: u64, last: bool) {
        if let Err(error) = self.note(Entry::Lines { lines, end, last })
            && !std::mem::replace(&mut self.told, true)
        {
            tracing::warn!("{} cannot be written: {error}", self.path.display());
        }
    }

    /// Notes what the session is about to be fed. A message that cannot be noted must not
    /// be fed: the next host would give its number to another one.
    pub fn note(&mut self, entry: Entry) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(JsonLines::open(&self.path)?),
        };
        file.append(&[entry]).inspect_err(|_| self.file = None)
    }
}

/// What the session of an attempt was fed by hosts before.
pub fn read(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    json_lines::read(&folder.join(FEED_FILE), |entry| entries.push(entry))?;
    Ok(entries)
}

/// The lines an entry stands for, the next ones of a transcript.
pub fn lines(transcript: &mut Transcript, source: StreamName, end: u64, last: bool) -> io::Result<Vec<Line>> {
    let mut lines = transcript.read_to(stream(source), end)?;
    if last {
        lines.extend(transcript.finish(stream(source)));
    }
    Ok(lines.into_iter().map(reading::line).collect())
}

/// A transcript that stands where these entries end.
pub fn transcript_after(folder: &Path, entries: &[Entry]) -> io::Result<Transcript> {
    let mut transcript = Transcript::open(folder);
    for entry in entries {
        if let Entry::Lines { lines: source, end, last } = entry {
            lines(&mut transcript, *source, *end, *last)?;
        }
    }
    Ok(transcript)
}

const fn stream(source: StreamName) -> Stream {
    match source {
        StreamName::Stdout => Stream::Stdout,
        StreamName::Stderr => Stream::Stderr,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_feed_is_read_as_it_was_noted_and_its_lines_are_the_same_batches() {
        let place = tempfile::tempdir().unwrap();
        let stdout = StreamName::Stdout;
        std::fs::write(place.path().join(hostler_agents::STDOUT_FILE), b"one\ntwo\nthree\nrest").unwrap();
        let entries = vec![
            Entry::Lines { lines: stdout, end: 6, last: false },
            Entry::Message { message: "hello".to_owned(), id: None },
            Entry::Lines { lines: stdout, end: 14, last: false },
            Entry::Lines { lines: stdout, end: 18, last: true },
        ];
        let mut feed = Feed::open(place.path());
        for entry in &entries {
            feed.note(entry.clone()).unwrap();
        }
        assert_eq!(read(place.path()).unwrap(), entries);
        let mut transcript = Transcript::open(place.path());
        let mut batch = |end, last| -> Vec<String> {
            let lines = lines(&mut transcript, stdout, end, last).unwrap();
            lines.into_iter().map(|line| line.text).collect()
        };
        assert_eq!(batch(6, false), ["one"]);
        assert_eq!(batch(14, false), ["two", "three"]);
        assert_eq!(batch(18, true), ["rest"]);
    }

    #[test]
    fn an_entry_is_written_in_the_words_of_the_record() {
        let lines = Entry::Lines { lines: StreamName::Stdout, end: 7, last: false };
        assert_eq!(serde_json::to_string(&lines).unwrap(), r#"{"lines":"stdout","end":7,"last":false}"#);
        let message =
            |id: Option<&str>| Entry::Message { message: "hi".to_owned(), id: id.map(str::to_owned) };
        assert_eq!(serde_json::to_string(&message(None)).unwrap(), r#"{"message":"hi"}"#);
        assert_eq!(serde_json::to_string(&message(Some("7"))).unwrap(), r#"{"message":"hi","id":"7"}"#);
    }

    #[test]
    fn a_feed_that_cannot_be_written_holds_up_messages_only() {
        let mut feed = Feed::open(Path::new("/nowhere/at/all"));
        feed.note_lines(StreamName::Stdout, 7, false);
        assert!(feed.told);
        assert!(feed.note(Entry::Message { message: "hi".to_owned(), id: None }).is_err());
    }
}
