//! What the agents of a run said, kept as one JSON object a line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use hostler_engine::event::Event;
use hostler_engine::time::Timestamp;
use serde::{Deserialize, Serialize};

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

/// The file of one run, for appending. Not part of the durable record: what cannot
/// be written is only missing from the log.
pub struct EventLog {
    file: Option<File>,
}

impl EventLog {
    /// Opens the file, making it if need be.
    pub fn open(path: &Path) -> Self {
        let file = OpenOptions::new().create(true).append(true).open(path);
        if let Err(error) = &file {
            tracing::warn!("events are not written to {}: {error}", path.display());
        }
        Self { file: file.ok() }
    }

    /// Appends lines. After the first failure nothing more is tried.
    pub fn append(&mut self, events: &[Recorded]) {
        let Some(file) = &mut self.file else { return };
        if let Err(error) = write_lines(file, events) {
            tracing::warn!("no more events are written to the log: {error}");
            self.file = None;
        }
    }
}

fn write_lines(file: &mut File, events: &[Recorded]) -> io::Result<()> {
    let mut text = Vec::new();
    for event in events {
        serde_json::to_writer(&mut text, event)?;
        text.push(b'\n');
    }
    file.write_all(&text)
}
