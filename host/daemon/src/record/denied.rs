//! Refused effects on their way to the audit log: the first of a kind, then every tenth,
//! hundredth, …, so that a plugin that floods fills no disk.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hostler_broker::Denials;
use hostler_engine::time::Millis;
use hostler_journal::audit::Event;

use crate::rooms::Rooms;

/// How often refusals are looked for: a host that is killed loses no more than this.
const LOOK_EVERY: Millis = Millis(250);

/// What was told of refusals so far.
#[derive(Debug, Default)]
pub struct DeniedSoFar(Mutex<BTreeMap<&'static str, u64>>);

impl DeniedSoFar {
    /// The counts that are due, by reason.
    fn due(&self, denials: &Denials) -> Vec<(&'static str, u64)> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut due = Vec::new();
        for (reason, refused) in &denials.by_reason {
            let told = told.entry(reason).or_default();
            if refused.times >= next(*told) {
                *told = refused.times;
                due.push((*reason, refused.times));
            }
        }
        due
    }
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

/// The kind of effect that a reason is about.
fn effect(reason: &str) -> &'static str {
    match reason {
        "socket" => "socket",
        reason if reason.starts_with("folder") || reason.starts_with("file") => "files",
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
    for (reason, times) in rooms.denied_so_far.due(&rooms.tracker.denials()) {
        let plugin = rooms.tracker.name().to_owned();
        let (effect, reason) = (effect(reason).to_owned(), reason.to_owned());
        rooms.audit.note(Event::Denied { plugin, effect, reason, times }).await;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hostler_broker::Refused;

    fn denials(times: &[(&'static str, u64)]) -> Denials {
        let refused = |times| Refused { times, last: String::new() };
        Denials { by_reason: times.iter().map(|&(reason, times)| (reason, refused(times))).collect() }
    }

    #[test]
    fn a_flood_is_told_of_at_the_powers_of_ten_only() {
        let so_far = DeniedSoFar::default();
        let counts = 1..=1_000_u64;
        let told: Vec<u64> = counts
            .flat_map(|times| so_far.due(&denials(&[("socket", times)])))
            .map(|(_, times)| times)
            .collect();
        assert_eq!(told, [1, 10, 100, 1_000]);
        assert_eq!(next(u64::MAX), u64::MAX);
    }

    #[test]
    fn each_reason_counts_for_itself_and_a_count_between_two_looks_is_the_one_that_is_told() {
        let so_far = DeniedSoFar::default();
        assert_eq!(so_far.due(&denials(&[("http-path", 37)])), [("http-path", 37)]);
        assert_eq!(so_far.due(&denials(&[("http-path", 99), ("folder", 1)])), [("folder", 1)]);
        assert_eq!(so_far.due(&denials(&[("http-path", 100), ("folder", 1)])), [("http-path", 100)]);
        assert_eq!(so_far.due(&Denials::default()), []);
    }

    #[test]
    fn every_reason_is_about_a_kind_of_effect() {
        for (reason, kind) in [("http-origin", "http"), ("credential", "http"), ("socket", "socket")] {
            assert_eq!(effect(reason), kind);
        }
        for reason in ["folder", "folder-read-only", "file-path", "file-escape"] {
            assert_eq!(effect(reason), "files");
        }
    }
}
