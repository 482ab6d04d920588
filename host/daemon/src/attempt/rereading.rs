//! Reading an attempt that is over once more, from its record alone.

use std::io;
use std::path::Path;
use std::sync::Arc;

use hostler_agents::{EXIT_FILE, Exit, Transcript};
use hostler_components::Plugin;
use hostler_components::job::SessionOutput;
use hostler_engine::event::Event;
use hostler_engine::outcome::Outcome;

use super::ending::{settle, status};
use super::feed::{self, Entry};
use super::records::Records;
use crate::attempt::reading::Reading;
use crate::plugins::store;

/// Feeds a new session everything that the sessions of an attempt were fed, in the same
/// pieces, and gives what it says. `memory` is what the attempt could use, in bytes.
/// `None` if the attempt's folder does not hold what it takes.
pub async fn read_again(
    folder: &Path,
    plugin: Arc<Plugin>,
    memory: Option<u64>,
) -> io::Result<Option<(Vec<Event>, Outcome)>> {
    let Some(records) = Records::read(folder) else { return Ok(None) };
    let entries = feed::read(folder)?;
    let mut reading = Reading::start(plugin, records.job).await;
    let (mut transcript, mut events) = (Transcript::open(folder), Vec::new());
    for entry in entries {
        let outputs = match entry {
            Entry::Lines { lines: source, end, last } => {
                match feed::lines(&mut transcript, source, end, last)? {
                    lines if lines.is_empty() => continue,
                    lines => reading.lines(source, lines).await,
                }
            }
            // One that was not taken then is not taken now.
            Entry::Message { message, .. } => reading.message(message).await.unwrap_or_default(),
        };
        events.extend(outputs.into_iter().filter_map(|output| match output {
            SessionOutput::Event(event) => Some(event),
            _ => None,
        }));
    }
    let exit: Option<Exit> = store::read_json(&folder.join(EXIT_FILE));
    let outcome = settle(reading.finish(status(exit.as_ref())).await, exit.as_ref(), memory);
    Ok(Some((events, outcome)))
}
