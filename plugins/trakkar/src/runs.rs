//! What a connection knows of the runs it works on: their progress, what the server
//! said of each, and what the next connection must know.

use std::collections::{BTreeMap, VecDeque};

use hostler_sdk::tracker::{Control, RunStatus};
use hostler_sdk::{Instant, Milliseconds};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::assignment::Assignment;
use crate::ending::STOPPED;
use crate::feed::{Event, Feed};
use crate::text::head;

/// Trakkar has no leases: a run stays ours until the server says otherwise. This is
/// the longest the contract can say, 49 days.
pub const LEASE: Milliseconds = Milliseconds::MAX;

/// The host is told so seldom that a run is still ours.
const RENEW_EVERY_MS: Instant = 24.0 * 3_600_000.0;

/// Batches are counted for so many runs over restarts: far more than ever run at once.
const SAVED_RUNS: usize = 100;

/// So many summaries are kept for replies.
const SAVED_SUMMARIES: usize = 16;

/// So much of each is kept; with [`SAVED_SUMMARIES`] it stays below the 64 KiB that a
/// plugin may save, whatever the characters.
const SAVED_SUMMARY_CHARS: usize = 500;

/// Longer ids are not saved.
const SAVED_ID_CHARS: usize = 100;

/// For the next connection.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Saved {
    /// Number of the last batch of progress that the server answered, by run.
    answered: Vec<(String, u32)>,
    /// What was reported last, by task; oldest first.
    summaries: VecDeque<(String, String)>,
}

/// One run.
#[derive(Debug, Default)]
pub struct Known {
    /// What it tells.
    pub feed: Feed,
    /// As the host named it in its last heartbeat; once it did, its absence means
    /// something.
    state: Option<String>,
    /// When the host was last told that it is ours.
    renewed: Option<Instant>,
    /// When the server was last asked for its word.
    asked: Instant,
    attempt: u32,
    stop: bool,
    gone: Option<String>,
    messages: Vec<String>,
    /// The server has the pull request.
    pub pull_request_told: bool,
    /// The last words are in the feed.
    pub last_words_told: bool,
}

/// The runs, by the server's id.
#[derive(Debug, Default)]
pub struct Runs {
    known: BTreeMap<String, Known>,
    saved: Saved,
    newest_fence: f64,
    /// Nothing is asked before.
    paused_until: Instant,
}

impl Runs {
    /// As an earlier connection left it.
    pub fn after(saved: Saved) -> Self {
        Self { saved, ..Self::default() }
    }

    /// For the next connection.
    pub fn save(&self) -> Saved {
        let mut saved = self.saved.clone();
        let answered = self.known.iter().map(|(id, known)| (id.clone(), known.feed.last_answered()));
        saved.answered.extend(answered.filter(|(id, seq)| *seq > 0 && id.chars().count() <= SAVED_ID_CHARS));
        let too_many = saved.answered.len().saturating_sub(SAVED_RUNS);
        saved.answered.drain(..too_many);
        saved
    }

    /// The run with this id; known from now on.
    pub fn entry(&mut self, run_id: &str) -> &mut Known {
        if !self.known.contains_key(run_id) {
            let earlier = self.saved.answered.iter().position(|(id, _)| id == run_id);
            let answered = earlier.map_or(0, |index| self.saved.answered.remove(index).1);
            self.known.insert(run_id.to_owned(), Known { feed: Feed::after(answered), ..Known::default() });
        }
        self.known.entry(run_id.to_owned()).or_default()
    }

    /// The run with this id, if it is known.
    pub fn get(&mut self, run_id: &str) -> Option<&mut Known> {
        self.known.get_mut(run_id)
    }

    /// A run was given to us. Returns its fence, greater than that of any claim before.
    pub fn claimed(&mut self, run_id: &str, now: Instant) -> f64 {
        self.newest_fence = now.floor().max(self.newest_fence + 1.0);
        self.entry(run_id);
        self.newest_fence
    }

    /// Nothing more comes of the run.
    pub fn over(&mut self, run_id: &str) {
        self.known.remove(run_id);
        self.saved.answered.retain(|(id, _)| id != run_id);
    }

    /// Compares with what the host holds now, and notes new attempts.
    pub fn compare(&mut self, held: &[RunStatus], now: Instant) {
        let mut named = Vec::new();
        for status in held {
            let Ok(assignment) = Assignment::of(&status.at.task) else { continue };
            let known = self.entry(&assignment.run_id);
            // Once an attempt has ended, the number is that of the next one, which may
            // never begin.
            if status.state == "running" && status.attempt > known.attempt {
                if known.attempt > 0 {
                    let text =
                        format!("Attempt {} begins: the one before ended without a result.", status.attempt);
                    known.feed.push(Event::status(&text, now));
                }
                known.attempt = status.attempt;
            }
            let before = known.state.replace(status.state.clone());
            if before.as_ref() != Some(&status.state)
                && let Some(event) = stage(&status.state, now)
            {
                known.feed.push(event);
            }
            named.push(assignment.run_id);
        }
        self.known.retain(|id, known| known.state.is_none() || named.contains(id));
    }

    /// How many slots are taken.
    pub fn working(&self) -> u32 {
        let working = self.known.values().filter(|known| known.takes_slot()).count();
        u32::try_from(working).unwrap_or(u32::MAX)
    }

    /// The server's ids of all runs here.
    pub fn ids(&self) -> Vec<&str> {
        self.known.keys().map(String::as_str).collect()
    }

    // ── the server's word ───────────────────────────────────────────────────

    /// The server wants to be left alone for a while.
    pub fn pause(&mut self, now: Instant, pause: Milliseconds) {
        self.paused_until = now + f64::from(pause);
    }

    /// Whether it wants to be left alone now.
    pub fn is_paused(&self, now: Instant) -> bool {
        now < self.paused_until
    }

    /// When the server was last asked about a run.
    pub fn asked_at(&self, run_id: &str) -> Instant {
        self.known.get(run_id).map_or(0.0, |known| known.asked)
    }

    /// What a heartbeat has to pass on to the host.
    pub fn words(&mut self, run_id: &str, now: Instant) -> Vec<Control> {
        let Some(known) = self.known.get_mut(run_id) else { return Vec::new() };
        if let Some(reason) = &known.gone {
            return vec![Control::LeaseLost(reason.clone())];
        }
        let mut words = Vec::new();
        if known.renewed.is_none_or(|renewed| now - renewed >= RENEW_EVERY_MS) {
            known.renewed = Some(now);
            words.push(Control::Renewed(LEASE));
        }
        if known.stop {
            words.push(Control::Cancel(STOPPED.to_owned()));
        }
        words.extend(known.messages.drain(..).map(Control::Message));
        words
    }

    /// What was reported of a task last.
    pub fn summary(&self, task_id: &str) -> Option<&str> {
        let summaries = self.saved.summaries.iter().rev();
        summaries.into_iter().find(|(id, _)| id == task_id).map(|(_, summary)| summary.as_str())
    }

    /// Keeps what was reported of a task, for a reply to it.
    pub fn remember(&mut self, task_id: &str, summary: &str) {
        if summary.is_empty() || task_id.chars().count() > SAVED_ID_CHARS {
            return;
        }
        let summaries = &mut self.saved.summaries;
        summaries.retain(|(id, _)| id != task_id);
        summaries.push_back((task_id.to_owned(), head(summary, SAVED_SUMMARY_CHARS)));
        if summaries.len() > SAVED_SUMMARIES {
            summaries.pop_front();
        }
    }
}

impl Known {
    /// Whether an agent works, or will soon, or its work is being judged.
    fn takes_slot(&self) -> bool {
        !matches!(self.state.as_deref(), Some("waiting" | "reporting"))
    }

    /// The server is being asked.
    pub fn asking(&mut self, now: Instant) {
        self.asked = now;
    }

    /// What the server says with an answer about the run.
    pub fn hear(&mut self, control: &Value) {
        // Nobody takes a Stop back; a later answer that does not mention it changes nothing.
        self.stop |= control.get("stop").and_then(Value::as_bool) == Some(true);
        let messages = control.get("messages").and_then(Value::as_array).into_iter().flatten();
        self.messages.extend(messages.filter_map(message_text));
    }

    /// The server has no such run of ours any more.
    pub fn lost(&mut self, reason: String) {
        self.gone.get_or_insert(reason);
    }
}

/// What the task shows when a run gets so far.
fn stage(state: &str, now: Instant) -> Option<Event> {
    match state {
        "verifying" => Some(Event::verify("The verify command runs.", now)),
        "landing" => Some(Event::status("The branch is pushed and a pull request opened.", now)),
        _ => None,
    }
}

/// A message is a text, or an object with one.
fn message_text(message: &Value) -> Option<String> {
    let text = ["text", "body", "message"].iter().find_map(|field| message.get(field));
    let text = message.as_str().or_else(|| text.and_then(Value::as_str))?;
    (!text.trim().is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
