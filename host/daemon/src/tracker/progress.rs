//! Progress on its way to the tracker: what the agents of a run said, a line each, at
//! least once and in order. The event log is what is told; a note beside it says how
//! far the tracker has it, so that the next host goes on from there.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostler_components::operation::{Operation, Progress};
use hostler_engine::event::Event;
use hostler_engine::problem::Problem;
use hostler_engine::run::Run;
use hostler_engine::task::{RunId, RunRef};
use hostler_engine::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::record::events::Recorded;
use crate::record::json_lines;
use crate::rooms::Rooms;
use crate::tracker::Tracker;

/// Lines that wait for a tracker at most: what a person would still read.
pub const MOST_WAITING: usize = 500;

/// Pause between two tellings: trackers count requests.
const TELL_EVERY: Millis = Millis::seconds(3);

/// First pause after a telling that did not work; doubles.
const FIRST_PAUSE: Millis = Millis::seconds(3);

/// Longest pause between tellings that do not work.
const LONGEST_PAUSE: Millis = Millis::minutes(1);

/// How long a report waits for the progress before it: progress is a courtesy, the
/// report is a duty.
const REPORT_WAITS: Millis = Millis::seconds(5);

/// Lines that the tracker has not confirmed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Backlog {
    waiting: VecDeque<Progress>,
    /// How many of the oldest were left out; the first line waiting says so.
    left_out: u32,
    /// Number of the last line, waiting or not.
    last: u32,
    /// Number of the last line that the tracker has.
    confirmed: u32,
}

impl Backlog {
    /// Adds what an event says to people, if it says anything.
    fn hand_in(&mut self, at: Timestamp, event: &Event) {
        let Some(text) = event.headline() else { return };
        self.last += 1;
        if self.last > self.confirmed {
            let kind = kind(event).to_owned();
            self.waiting.push_back(Progress { sequence: self.last, at, kind, text });
            self.bound();
        }
    }

    /// Leaves out the oldest lines beyond what is kept, and says how many.
    fn bound(&mut self) {
        while self.waiting.len() > MOST_WAITING {
            // The notice, or else the oldest line; and the line that goes besides.
            self.waiting.pop_front();
            let Some(oldest) = self.waiting.pop_front() else { return };
            self.left_out += if self.left_out == 0 { 2 } else { 1 };
            let text = format!("({} lines are left out here)", self.left_out);
            self.waiting.push_front(Progress { kind: "notice".to_owned(), text, ..oldest });
        }
    }

    fn batch(&self) -> Vec<Progress> {
        self.waiting.iter().cloned().collect()
    }

    /// The tracker has everything up to this line.
    fn confirm(&mut self, sequence: u32) {
        self.confirmed = self.confirmed.max(sequence);
        while self.waiting.front().is_some_and(|line| line.sequence <= sequence) {
            self.waiting.pop_front();
            self.left_out = 0;
        }
    }
}

const fn kind(event: &Event) -> &'static str {
    match event {
        Event::Started { .. } => "started",
        Event::Text { .. } => "text",
        Event::Tool { .. } => "tool",
        _ => "notice",
    }
}

/// How far the tracker has it, in the run's folder.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Told {
    confirmed: u32,
}

/// Brings the progress of one run to its tracker.
pub struct Courier {
    backlog: Mutex<Backlog>,
    news: Notify,
    /// Held while a request is under way: one at a time keeps the order.
    road: tokio::sync::Mutex<()>,
    tracker: Tracker,
    clock: Clock,
    run: RunRef,
    note: PathBuf,
}

impl Courier {
    /// Goes on where the host before stopped.
    fn open(rooms: &Rooms, run: &Run) -> Self {
        let note = rooms.home.progress(&run.id);
        let told = std::fs::read(&note).ok().and_then(|told| serde_json::from_slice(&told).ok());
        let Told { confirmed } = told.unwrap_or_default();
        let mut backlog = Backlog { confirmed, ..Backlog::default() };
        let read = json_lines::read(&rooms.home.events(&run.id), |recorded: Recorded| {
            backlog.hand_in(recorded.at, &recorded.event);
        });
        if let Err(error) = read {
            tracing::warn!("progress of an earlier host is left out: {error}");
        }
        // A log that lost lines must not lead to numbers that were used before.
        backlog.last = backlog.last.max(confirmed);
        let (tracker, clock, run) = (rooms.tracker.clone(), rooms.clock.clone(), run.reference());
        Self {
            backlog: Mutex::new(backlog),
            news: Notify::new(),
            road: tokio::sync::Mutex::default(),
            tracker,
            clock,
            run,
            note,
        }
    }

    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what an event says to people, to be told soon.
    pub fn hand_in(&self, at: Timestamp, event: &Event) {
        self.backlog().hand_in(at, event);
        self.news.notify_one();
    }

    /// Tells what waits. What the tracker does not confirm is told again.
    async fn tell(&self) -> Result<(), Problem> {
        let _road = self.road.lock().await;
        let batch = self.backlog().batch();
        let Some(last) = batch.last().map(|line| line.sequence) else { return Ok(()) };
        self.tracker.operate(Operation::Progress(self.run.clone(), batch)).await.result?;
        self.backlog().confirm(last);
        let told = serde_json::to_vec(&Told { confirmed: last }).unwrap_or_default();
        if let Err(error) = crate::files::note(&self.note, &told) {
            tracing::debug!("{} cannot be written: {error}", self.note.display());
        }
        Ok(())
    }
}

/// Tells progress as it comes.
async fn walk(courier: Arc<Courier>) {
    let mut failures: u32 = 0;
    loop {
        let waits = !courier.backlog().waiting.is_empty();
        if !waits {
            courier.news.notified().await;
            continue;
        }
        let pause = match courier.tell().await {
            Ok(()) => {
                failures = 0;
                TELL_EVERY
            }
            Err(problem) => {
                tracing::debug!("the tracker did not take progress: {problem}");
                failures += 1;
                pause_after(failures).max(problem.retry_after.unwrap_or_default())
            }
        };
        courier.clock.sleep(pause).await;
    }
}

fn pause_after(failures: u32) -> Millis {
    let doublings = failures.saturating_sub(1).min(16);
    Millis((FIRST_PAUSE.0 << doublings).min(LONGEST_PAUSE.0))
}

/// The couriers of all runs.
#[derive(Default)]
pub struct Couriers(Mutex<BTreeMap<RunId, (Arc<Courier>, AbortHandle)>>);

impl Couriers {
    fn all(&self) -> MutexGuard<'_, BTreeMap<RunId, (Arc<Courier>, AbortHandle)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The courier of a run, which sets out if there was none.
    pub async fn of(&self, rooms: &Arc<Rooms>, run: &Run) -> Arc<Courier> {
        if let Some((courier, _)) = self.all().get(&run.id) {
            return Arc::clone(courier);
        }
        let (opening, about) = (Arc::clone(rooms), run.clone());
        let opened = crate::blocking::run(move || Courier::open(&opening, &about)).await;
        let opened = Arc::new(opened.unwrap_or_else(|_| Courier::open(rooms, run)));
        let mut all = self.all();
        let (courier, _) = all.entry(run.id.clone()).or_insert_with(|| {
            let walking = tokio::spawn(walk(Arc::clone(&opened)));
            (opened, walking.abort_handle())
        });
        Arc::clone(courier)
    }

    /// Before a report: tells what still waits, unless the tracker takes too long.
    pub async fn hurry(&self, rooms: &Arc<Rooms>, run: &Run) {
        let courier = self.of(rooms, run).await;
        tokio::select! {
            told = courier.tell() => if let Err(problem) = told {
                tracing::debug!("the tracker did not take the last progress: {problem}");
            },
            () = courier.clock.sleep_awake(REPORT_WAITS) => {}
        }
    }

    /// The run is closed.
    pub fn forget(&self, run: &RunId) {
        if let Some((_, walking)) = self.all().remove(run) {
            walking.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: u32) -> Event {
        Event::Text { text: number.to_string() }
    }

    fn with(lines: u32) -> Backlog {
        let mut backlog = Backlog::default();
        (1..=lines).for_each(|number| backlog.hand_in(Timestamp(0), &text(number)));
        backlog
    }

    const MOST: u32 = 500;

    #[test]
    fn lines_keep_their_numbers_until_they_are_confirmed() {
        let mut backlog = with(3);
        backlog.confirm(2);
        let numbers: Vec<u32> = backlog.batch().iter().map(|line| line.sequence).collect();
        assert_eq!(numbers, [3]);
        backlog.hand_in(Timestamp(0), &text(4));
        assert_eq!(backlog.batch()[1].sequence, 4);
    }

    #[test]
    fn what_the_tracker_has_confirmed_is_not_told_by_the_next_host() {
        let mut backlog = Backlog { confirmed: 2, ..Backlog::default() };
        (1..=3).for_each(|number| backlog.hand_in(Timestamp(0), &text(number)));
        assert_eq!(backlog.batch().iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["3"]);
    }

    #[test]
    fn as_many_lines_wait_as_stated_and_one_more_leaves_out_the_oldest_and_says_so() {
        assert_eq!(with(MOST).batch().len(), MOST_WAITING);
        assert_eq!(with(MOST).batch()[0].text, "1");
        for (more, left_out) in [(1, 2), (2, 3), (100, 101)] {
            let batch = with(MOST + more).batch();
            assert_eq!(batch.len(), MOST_WAITING);
            assert_eq!(batch[0].text, format!("({left_out} lines are left out here)"));
            assert_eq!(batch[1].text, (left_out + 1).to_string());
        }
        let mut backlog = with(MOST + 1);
        backlog.confirm(2);
        assert_eq!(backlog.batch()[0].text, "3", "a notice that was told is not told again");
    }

    #[test]
    fn an_event_without_a_headline_takes_no_number() {
        let mut backlog = with(1);
        backlog.hand_in(Timestamp(0), &Event::Usage { usage: hostler_engine::outcome::Usage::default() });
        assert_eq!(backlog.last, 1);
    }

    #[test]
    fn pauses_double_up_to_a_minute() {
        let pauses: Vec<_> = (1..=6).map(|failures| pause_after(failures).0 / 1000).collect();
        assert_eq!(pauses, [3, 6, 12, 24, 48, 60]);
    }
}
