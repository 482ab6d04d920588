//! The simulation finds bugs: each deliberate fault of the engine within its number of
//! seeds. A fault that is not found any more means that a check has gone blind.

#![allow(clippy::unwrap_used)]

use hostler_engine::mutation::Mutation;
use hostler_simulation::campaign::{Campaign, Tally, explain};

/// Every deliberate fault, what it breaks, and within how many seeds it must be found:
/// about four times as many as it took when it was written.
const TABLE: [(Mutation, &str, u64); Mutation::ALL.len()] = [
    (Mutation::StaleStep, "I5", 1000),
    (Mutation::AnyFence, "I5", 100),
    (Mutation::ForgottenAttempts, "I3", 50),
    (Mutation::UnprovenEnd, "I6", 50),
    (Mutation::UnrepeatedReport, "I2", 50),
    (Mutation::RemadeReport, "I2", 500),
    (Mutation::NoLeaseMargin, "I1", 100),
    (Mutation::LeaseFromReply, "I1", 600),
    (Mutation::UnblockedEarly, "I1", 1000),
    (Mutation::ForgottenStop, "stop", 800),
    (Mutation::ForgottenPause, "I3", 100),
    (Mutation::NotAdopted, "I6", 100),
    (Mutation::MiscountedSlots, "slots", 50),
    (Mutation::ClosedAlive, "I6", 50),
    (Mutation::UsageReplaced, "I3", 400),
    (Mutation::OldClaim, "I3", 4000),
    (Mutation::EndlessAttempts, "I3", 50),
    (Mutation::UnconfirmedStart, "I1", 200),
    (Mutation::WorkspaceReused, "I4", 50),
];

fn hunt(mutation: Option<Mutation>, seeds: u64) -> Tally {
    Campaign { seeds: 0..seeds, jobs: 2, time: None, mutation }.play(|_| {})
}

#[test]
fn every_deliberate_fault_is_found_within_its_number_of_seeds() {
    let mut missed = Vec::new();
    for (mutation, breaks, within) in TABLE {
        let tally = hunt(Some(mutation), within);
        match tally.failed {
            Some(seed) => println!("{} ({breaks}): found by seed {seed}", mutation.name()),
            None => missed.push(format!("{} ({breaks}) within {within} seeds", mutation.name())),
        }
    }
    assert!(missed.is_empty(), "not found: {}", missed.join(", "));
}

#[test]
fn the_engine_without_a_deliberate_fault_passes_the_same_seeds() {
    let most = TABLE.iter().map(|(_, _, within)| *within).max().unwrap();
    let tally = hunt(None, most);
    assert_eq!((tally.failed, tally.seeds), (None, most));
}

#[test]
fn the_story_of_a_find_is_short_and_says_how_to_play_it_again() {
    let mutation = Mutation::ClosedAlive;
    let seed = hunt(Some(mutation), 50).failed.unwrap();
    let story = explain(seed, Some(mutation)).unwrap();
    assert!(
        story.contains(&format!("cargo xtask simulate --seed {seed} --mutation closed-alive")),
        "{story}"
    );
    assert!(story.contains("VIOLATED I6"), "{story}");
    assert!(story.lines().count() < 60, "{story}");
    assert_eq!(explain(seed, None), None, "the same seed without the fault");
}
