//! Every seed keeps every invariant.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use hostler_simulation::campaign::{Campaign, explain, play};
use hostler_simulation::scenario::Scenario;

/// Played in every run of the tests, if there is time for them.
const SEEDS: u64 = 20_000;

/// After so long it is enough for a machine that is slow or busy.
const TIME: Duration = Duration::from_mins(2);

/// Two, so that the other tests find processors as well.
const JOBS: usize = 2;

/// Longer than other tests because of the many seeds: what it finds, nothing else does.
#[test]
fn every_invariant_holds_in_every_world() {
    let campaign = Campaign { seeds: 0..SEEDS, jobs: JOBS, time: Some(TIME), mutation: None };
    let tally = campaign.play(|_| {});
    if let Some(seed) = tally.failed {
        panic!("{}", explain(seed, None).unwrap());
    }
    println!("{} seeds, {} events, {} agents", tally.seeds, tally.events, tally.agents);
    assert!(tally.agents > tally.seeds / 2, "hardly any agent was started: {tally:?}");
}

#[test]
fn the_same_seed_tells_the_same_story_twice() {
    for seed in 0..20 {
        let story = || play(Scenario::of(seed), true).history.tell(usize::MAX);
        let first = story();
        assert!(first.lines().count() > 3, "{first}");
        assert_eq!(first, story(), "seed {seed}");
    }
}
