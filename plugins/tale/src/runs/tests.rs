#![allow(clippy::unwrap_used)]

use hostler_sdk::Usage;
use hostler_sdk::tracker::Task;
use serde_json::json;

use super::*;

fn reference(run: &str, external: &str, fence: f64) -> RunRef {
    let data = json!({
        "externalRunId": external, "daemonId": "d", "adapterType": "codex", "permissionMode": "safe",
        "kind": "initial"
    });
    let task = Task {
        id: external.into(),
        key: external.into(),
        title: String::new(),
        sections: Vec::new(),
        priority: 0,
        data: data.to_string(),
    };
    RunRef { run: run.into(), task, fence }
}

fn held(run: &str) -> RunStatus {
    RunStatus {
        at: reference(run, run, 1.0),
        state: "running".into(),
        attempt: 1,
        elapsed: 0,
        usage: Usage::default(),
    }
}

#[test]
fn the_newest_claims_are_remembered_and_the_oldest_is_forgotten_beyond_the_limit() {
    let mut runs = Runs::default();
    for number in 0..REMEMBERED_CLAIMS {
        runs.claimed(&format!("r{number}"), 0.0);
    }
    assert!(runs.was_claimed("r0"));
    runs.claimed("one more", 0.0);
    assert!(!runs.was_claimed("r0") && runs.was_claimed("r1"));
}

#[test]
fn fences_grow_even_if_the_clock_does_not() {
    let mut runs = Runs::default();
    let fences = [("a", 10.7), ("a", 10.2), ("b", 3.0)].map(|(id, now)| runs.claimed(id, now));
    let [first, again, other] = fences;
    assert!(first > 0.0 && again > first && other > again, "{fences:?}");
}

#[test]
fn a_run_is_dropped_only_if_the_host_held_it_and_the_server_does_not_know_its_end() {
    let mut runs = Runs::default();
    runs.compare(&[held("a"), held("b")]);
    runs.over(&reference("a", "a", 1.0));
    runs.compare(&[]);
    let given_back: Vec<String> =
        runs.take_leftovers().into_iter().map(|hold| hold.external_run_id).collect();
    assert_eq!(given_back, ["b"]);
    assert!(!runs.has_leftovers() && runs.known.is_empty());
}

#[test]
fn a_late_line_does_not_bring_a_run_back() {
    let mut runs = Runs::default();
    runs.compare(&[held("a")]);
    runs.over(&reference("a", "a", 1.0));
    runs.compare(&[]);
    let (at, hold) = (reference("a", "a", 1.0), Hold::of(&reference("a", "a", 1.0)).unwrap());
    assert!(!runs.may_progress(&at, &hold, 0.0));
    assert!(runs.known.is_empty());
}

#[test]
fn the_pause_between_renewals_grows_with_the_number_of_runs() {
    let mut runs = Runs::default();
    runs.compare(&[held("a"), held("b")]);
    runs.renewing("a", 0.0);
    assert!(!runs.is_renewal_due("a", 2_999.0));
    assert!(runs.is_renewal_due("a", 3_000.0));
    assert!(runs.is_renewal_due("b", 0.0));
}
