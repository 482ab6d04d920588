//! Refusals on their way to the audit log: the first of a kind, then every tenth,
//! hundredth, …, so that a plugin that floods fills no disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostler_broker::Denials;
use hostler_engine::time::Millis;
use hostler_journal::audit::Event;

use crate::refusal::Refusal;
use crate::rooms::Rooms;

/// How often refusals are looked for: a host that is killed loses no more than this.
const LOOK_EVERY: Millis = Millis(250);

/// Refusals of one kind.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    plugin: String,
    effect: &'static str,
    reason: String,
}

/// What was refused since the host started, and how much of it was told.
#[derive(Debug, Default)]
pub struct RefusedSoFar {
    /// By the host itself.
    counts: Mutex<BTreeMap<Kind, u64>>,
    told: Mutex<BTreeMap<Kind, u64>>,
}

impl RefusedSoFar {
    /// Counts what the host itself refuses a plugin.
    pub fn count(&self, plugin: &str, refusal: Refusal) {
        let kind = Kind { plugin: plugin.to_owned(), effect: refusal.effect(), reason: refusal.reason() };
        *locked(&self.counts).entry(kind).or_default() += 1;
    }

    /// How often by reason, with what the gate of this tracker refused.
    pub fn by_reason(&self, tracker: &str, denials: &Denials) -> BTreeMap<String, u64> {
        let mut by_reason = BTreeMap::new();
        for (Kind { reason, .. }, times) in self.all(tracker, denials) {
            *by_reason.entry(reason).or_default() += times;
        }
        by_reason
    }

    fn all(&self, tracker: &str, denials: &Denials) -> BTreeMap<Kind, u64> {
        let mut all = locked(&self.counts).clone();
        for (reason, refused) in &denials.by_reason {
            let (plugin, reason) = (tracker.to_owned(), (*reason).to_owned());
            all.insert(Kind { plugin, effect: effect(&reason), reason }, refused.times);
        }
        all
    }

    /// What the audit log is to be told now.
    fn due(&self, tracker: &str, denials: &Denials) -> Vec<Event> {
        let mut told = locked(&self.told);
        let mut due = Vec::new();
        for (kind, times) in self.all(tracker, denials) {
            let told = told.entry(kind.clone()).or_default();
            if times >= next(*told) {
                *told = times;
                let Kind { plugin, effect, reason } = kind;
                due.push(Event::Denied { plugin, effect: effect.to_owned(), reason, times });
            }
        }
        due
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The next count that is told after this one: the next power of ten.
const fn next(told: u64) -> u64 {
    let mut next = 1_u64;
    while next <= told {
        match next.checked_mul(10) {
            Some(more) => next = more,
            None => return u64::MAX,
        }
    }
    next
}

/// The kind of effect that a reason of the gate is about.
fn effect(reason: &str) -> &'static str {
    match reason.split('-').next().unwrap_or_default() {
        "socket" => "socket",
        "folder" | "file" => "files",
        "wake" => "wake",
        "other" => "other",
        _ => "http",
    }
}

/// Writes down what was refused, again and again.
pub async fn note_now_and_then(rooms: Arc<Rooms>) {
    loop {
        rooms.clock.sleep_awake(LOOK_EVERY).await;
        note(&rooms).await;
    }
}

/// Writes down what was refused so far.
pub async fn note(rooms: &Rooms) {
    for denied in rooms.refused_so_far.due(rooms.tracker.name(), &rooms.tracker.denials()) {
        rooms.audit.note(denied).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hostler_broker::Refused;

    use crate::refusal::Lack;

    fn denials(times: &[(&'static str, u64)]) -> Denials {
        let refused = |times| Refused { times, last: String::new() };
        Denials { by_reason: times.iter().map(|&(reason, times)| (reason, refused(times))).collect() }
    }

    /// Plugin, effect, reason and times of what is due.
    fn due(so_far: &RefusedSoFar, times: &[(&'static str, u64)]) -> Vec<(String, String, String, u64)> {
        let due = so_far.due("tale", &denials(times)).into_iter();
        due.map(|event| match event {
            Event::Denied { plugin, effect, reason, times } => (plugin, effect, reason, times),
            other => panic!("{other:?}"),
        })
        .collect()
    }

    fn row(plugin: &str, effect: &str, reason: &str, times: u64) -> (String, String, String, u64) {
        (plugin.to_owned(), effect.to_owned(), reason.to_owned(), times)
    }

    #[test]
    fn a_flood_is_told_of_at_the_powers_of_ten_only() {
        let so_far = RefusedSoFar::default();
        let told: Vec<u64> =
            (1..=1_000_u64).flat_map(|times| due(&so_far, &[("socket", times)])).map(|row| row.3).collect();
        assert_eq!(told, [1, 10, 100, 1_000]);
        assert_eq!(next(u64::MAX), u64::MAX);
    }

    #[test]
    fn each_reason_counts_for_itself_and_a_count_between_two_looks_is_the_one_that_is_told() {
        let so_far = RefusedSoFar::default();
        assert_eq!(due(&so_far, &[("http-path", 37)]), [row("tale", "http", "http-path", 37)]);
        let told = due(&so_far, &[("http-path", 99), ("folder", 1)]);
        assert_eq!(told, [row("tale", "files", "folder", 1)]);
        let told = due(&so_far, &[("http-path", 100), ("folder", 1)]);
        assert_eq!(told, [row("tale", "http", "http-path", 100)]);
        assert_eq!(due(&so_far, &[]), []);
    }

    #[test]
    fn what_the_host_itself_refuses_is_counted_and_told_beside_what_the_gate_does() {
        let so_far = RefusedSoFar::default();
        so_far.count("codex", Refusal::Launch(Lack::Ceiling));
        so_far.count("cursor", Refusal::Launch(Lack::Ceiling));
        let told = due(&so_far, &[("socket", 2)]);
        let launch = |plugin| row(plugin, "launch", "launch-ceiling", 1);
        assert_eq!(told, [launch("codex"), launch("cursor"), row("tale", "socket", "socket", 2)]);
        so_far.count("codex", Refusal::Launch(Lack::Ceiling));
        assert_eq!(due(&so_far, &[("socket", 2)]), [], "the second is none of those that are told");
        let counts = so_far.by_reason("tale", &denials(&[("socket", 2)]));
        assert_eq!(counts, BTreeMap::from([("launch-ceiling".to_owned(), 3), ("socket".to_owned(), 2)]));
    }

    #[test]
    fn every_reason_of_the_gate_is_about_a_kind_of_effect() {
        for (reason, kind) in [("http-origin", "http"), ("credential", "http"), ("socket", "socket")] {
            assert_eq!(effect(reason), kind);
        }
        for reason in ["folder", "folder-read-only", "file-path", "file-escape", "file-withdrawn"] {
            assert_eq!(effect(reason), "files");
        }
        assert_eq!([effect("wake-withdrawn"), effect("other-withdrawn")], ["wake", "other"]);
    }
}
