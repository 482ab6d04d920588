#![allow(clippy::unwrap_used)]

use hostler_sdk::Usage;
use hostler_sdk::tracker::RunRef;
use serde_json::json;

use super::*;
use crate::assignment;

fn held(run_id: &str, state: &str, attempt: u32) -> RunStatus {
    let task =
        assignment::read(&json!({ "id": format!("task-{run_id}"), "run_id": run_id }), None, None).unwrap();
    RunStatus {
        at: RunRef { run: format!("host-{run_id}"), task, fence: 1.0 },
        state: state.into(),
        attempt,
        elapsed: 0,
        usage: Usage::default(),
    }
}

#[test]
fn only_runs_with_an_agent_count_as_working_and_a_claim_counts_at_once() {
    let mut runs = Runs::default();
    runs.claimed("new", 0.0);
    runs.compare(&[held("a", "running", 1), held("b", "waiting", 1), held("c", "reporting", 1)], 0.0);
    assert_eq!((runs.working(), runs.ids()), (2, vec!["a", "b", "c", "new"]));
}

#[test]
fn a_run_the_host_dropped_is_forgotten_and_a_fresh_claim_is_not() {
    let mut runs = Runs::default();
    runs.claimed("new", 0.0);
    runs.compare(&[held("a", "running", 1)], 0.0);
    runs.compare(&[], 0.0);
    assert_eq!(runs.ids(), ["new"]);
}

#[test]
fn fences_grow_even_if_the_clock_does_not() {
    let mut runs = Runs::default();
    let fences: Vec<f64> = [10.7, 10.2, 3.0].map(|now| runs.claimed("a", now)).into();
    assert_eq!(fences, [10.0, 11.0, 12.0]);
}

#[test]
fn the_host_hears_once_a_day_that_a_run_is_ours_and_every_time_that_it_is_to_stop() {
    let mut runs = Runs::default();
    runs.compare(&[held("a", "running", 1)], 0.0);
    assert_eq!(runs.words("a", 0.0), [Control::Renewed(LEASE)]);
    assert_eq!(runs.words("a", 86_399_999.0), []);
    runs.entry("a").hear(&json!({ "stop": true, "stop_reason": "user" }));
    runs.entry("a").hear(&json!({ "stop": false }));
    let stop = || Control::Cancel(STOPPED.into());
    assert_eq!(runs.words("a", 86_399_999.0), [stop()]);
    assert_eq!(runs.words("a", 86_400_000.0), [Control::Renewed(LEASE), stop()]);
    runs.entry("a").lost("gone".into());
    assert_eq!(runs.words("a", 0.0), [Control::LeaseLost("gone".into())]);
}

#[test]
fn a_message_is_passed_on_once_whatever_its_form() {
    let mut runs = Runs::default();
    runs.compare(&[held("a", "running", 1)], 0.0);
    runs.words("a", 0.0);
    runs.entry("a").hear(&json!({ "messages": ["one", { "text": "two" }, { "body": "three" }, 4, " "] }));
    let expected = ["one", "two", "three"].map(|text| Control::Message(text.into()));
    assert_eq!(runs.words("a", 0.0), expected);
    assert_eq!(runs.words("a", 0.0), []);
}

#[test]
fn a_new_attempt_is_shown_in_the_task_and_the_first_is_not() {
    let mut runs = Runs::default();
    runs.compare(&[held("a", "running", 1)], 0.0);
    for state in ["ending", "waiting", "reporting"] {
        runs.compare(&[held("a", state, 2)], 0.0);
    }
    assert!(runs.entry("a").feed.is_empty(), "it may never begin");
    runs.compare(&[held("a", "running", 2)], 0.0);
    runs.compare(&[held("a", "running", 2)], 0.0);
    let batch = serde_json::to_value(runs.entry("a").feed.begin(0.0).unwrap()).unwrap();
    assert_eq!(batch["events"].as_array().unwrap().len(), 1);
    assert!(batch["events"][0]["text"].as_str().unwrap().starts_with("Attempt 2 begins"));
}

#[test]
fn numbers_and_summaries_outlive_a_connection_and_a_finished_run_does_not() {
    let mut runs = Runs::default();
    for id in ["a", "b"] {
        runs.entry(id).feed.push(Event::status("x", 0.0));
        runs.entry(id).feed.begin(0.0);
        runs.entry(id).feed.answered();
    }
    runs.over("b");
    runs.remember("t", "first");
    runs.remember("t", "second");
    let mut next = Runs::after(runs.save());
    assert_eq!(next.summary("t"), Some("second"));
    assert_eq!(next.save(), runs.save());
    assert_eq!(next.entry("a").feed.last_answered(), 1);
    assert_eq!(next.entry("b").feed.last_answered(), 0);
}

#[test]
fn what_is_saved_stays_below_sixty_four_kibibytes_at_worst() {
    let mut runs = Runs::default();
    for number in 0..=SAVED_RUNS {
        let id = format!("{number:0>SAVED_ID_CHARS$}");
        runs.entry(&id).feed = Feed::after(u32::MAX);
        runs.entry(&"x".repeat(SAVED_ID_CHARS + 1)).feed = Feed::after(1);
        runs.remember(&id, &"\u{1}".repeat(SAVED_SUMMARY_CHARS + 1));
    }
    let saved = runs.save();
    assert_eq!((saved.answered.len(), saved.summaries.len()), (SAVED_RUNS, SAVED_SUMMARIES));
    assert_eq!(saved.summaries[0].1.chars().count(), SAVED_SUMMARY_CHARS);
    assert!(serde_json::to_vec(&saved).unwrap().len() < 64 * 1024);
}
