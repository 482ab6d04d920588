//! Plays many seeds on several threads, until one fails or all are played.

use std::fmt::Write as _;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hostler_engine::mutation::Mutation;

use crate::history::{History, Violation};
use crate::scenario::Scenario;
use crate::shrink::shrink;
use crate::world::{Ended, World};

/// Lines of a story that are shown.
const SHOWN: usize = 120;

/// What is played.
#[derive(Clone, Debug)]
pub struct Campaign {
    /// Which seeds.
    pub seeds: Range<u64>,
    /// On how many threads.
    pub jobs: usize,
    /// No new seed is begun after so long.
    pub time: Option<Duration>,
    /// A deliberate fault in the engine; needs the feature `mutations`.
    pub mutation: Option<Mutation>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Seeds played.
    pub seeds: u64,
    /// Events in all of them.
    pub events: u64,
    /// Agents started in all of them.
    pub agents: u64,
    /// The smallest seed that failed, of those played.
    pub failed: Option<u64>,
}

impl Tally {
    fn count(&mut self, seed: u64, ended: &Ended) {
        self.seeds += 1;
        self.events += u64::from(ended.events);
        self.agents += ended.agents as u64;
        if ended.violation.is_some() {
            self.failed = Some(self.failed.map_or(seed, |before| before.min(seed)));
        }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            seeds: self.seeds + other.seeds,
            events: self.events + other.events,
            agents: self.agents + other.agents,
            failed: self.failed.into_iter().chain(other.failed).min(),
        }
    }
}

impl Campaign {
    /// Plays until a seed fails. `watch` is called now and then with how many were
    /// begun.
    pub fn play(&self, watch: impl Fn(u64) + Sync) -> Tally {
        let next = AtomicU64::new(self.seeds.start);
        let start = Instant::now();
        let worker = || {
            crate::mutated::choose(self.mutation);
            let mut tally = Tally::default();
            while self.time.is_none_or(|time| start.elapsed() < time) {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= self.seeds.end {
                    break;
                }
                watch(seed - self.seeds.start);
                tally.count(seed, &play(Scenario::of(seed), false));
                if tally.failed.is_some() {
                    // The others finish what they began; nobody begins another.
                    next.store(self.seeds.end, Ordering::Relaxed);
                }
            }
            tally
        };
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..self.jobs.max(1)).map(|_| scope.spawn(worker)).collect();
            let tallies = workers.into_iter().map(|worker| worker.join().unwrap_or_default());
            tallies.fold(Tally::default(), Tally::plus)
        })
    }
}

/// Plays one scenario; a panic of the engine is a violation like any other.
pub fn play(scenario: Scenario, recording: bool) -> Ended {
    let played = catch_unwind(AssertUnwindSafe(|| World::play(scenario, recording)));
    played.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
        let message = format!("the engine panicked: {said}");
        let violation = Some(Violation { invariant: "panic", message });
        Ended { violation, history: History::default(), events: 0, agents: 0 }
    })
}

/// Plays one seed, and tells its story if it fails: made as small as possible, with
/// the command that plays it again.
pub fn explain(seed: u64, mutation: Option<Mutation>) -> Option<String> {
    crate::mutated::choose(mutation);
    let violation = play(Scenario::of(seed), false).violation?;
    let smallest = shrink(Scenario::of(seed), &violation);
    let Scenario { hosts, tasks, faults, style, lease, slots, limits, .. } = &smallest.scenario;
    let mut story = String::new();
    let last = smallest.ended.violation.as_ref().unwrap_or(&violation);
    let _ = writeln!(story, "seed {seed} violates {}: {}\n", last.invariant, last.message);
    let lease = lease.map_or_else(|| "no lease".to_owned(), |ttl| format!("leases of {ttl}"));
    let _ = writeln!(
        story,
        "{hosts} host(s) of {slots} slot(s), {} task(s), the tracker {style:?} them with {lease}, {} attempt(s) each",
        tasks.len(),
        limits.attempts
    );
    for fault in faults {
        let _ = writeln!(story, "fault: {fault:?}");
    }
    let _ = writeln!(story, "\nseconds, and what happened:");
    story.push_str(&smallest.ended.history.tell(SHOWN));
    let mutation = mutation.map(|mutation| format!(" --mutation {}", mutation.name())).unwrap_or_default();
    let _ = writeln!(story, "\nplay it again: cargo xtask simulate --seed {seed}{mutation}");
    Some(story)
}
