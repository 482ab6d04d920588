//! Polling.

use hostler_sdk::tracker::Lease;
use serde_json::json;

use crate::fake_tale::{Answer, handed_out, run};
use crate::stage::{DAEMON, START, Stage, problem};

#[test]
fn a_claim_brings_a_task_with_a_lease_and_the_environment_of_its_agent() {
    let mut stage = Stage::new();
    let claim = stage.claimed("k57e0d2m9q4x8t1w6y3z5a7b");
    assert_eq!(claim.task.id, "task-of-k57e0d2m9q4x8t1w6y3z5a7b");
    assert_eq!((&*claim.task.key, &*claim.task.title), ("APP-1", "Fix it"));
    assert_eq!(claim.lease, Some(Lease { ttl: 60_000, renew_every: 15_000, fence: START }));
    assert_eq!(claim.environment, [("API_BASE".to_owned(), "hunter2".to_owned())]);
    let sections = &claim.task.sections;
    assert_eq!((&*sections[0].body, sections[0].trusted), ("[APP-1] Fix it", true));
    let asked = json!({ "daemonId": DAEMON, "adapterTypes": ["claude_code", "codex"] });
    assert_eq!(stage.bodies("runs/claim"), [asked]);
}

#[test]
fn the_environment_of_an_agent_stands_nowhere_but_in_the_claim() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    assert!(!format!("{:?}", claim.task).contains("hunter2"));
    assert!(!format!("{:?}", claim.task).contains("API_BASE"));
}

#[test]
fn runs_are_claimed_one_by_one_until_the_slots_are_full() {
    let mut stage = Stage::new();
    for id in ["one", "two", "three"] {
        stage.next("claim", handed_out(id));
    }
    let done = stage.poll(2);
    assert_eq!(done.claimed.len(), 2);
    assert_eq!(done.pace, Some(3_000));
    assert_eq!(stage.bodies("runs/claim").len(), 2);
}

#[test]
fn runs_are_claimed_until_there_is_none_and_then_soon_again() {
    let mut stage = Stage::new();
    stage.next("claim", handed_out("one"));
    let done = stage.poll(5);
    assert_eq!((done.claimed.len(), done.pace), (1, Some(3_000)));
    assert_eq!(stage.bodies("runs/claim").len(), 2);
    assert_eq!(stage.poll(5).pace, Some(15_000));
}

#[test]
fn an_idle_host_asks_once_a_minute_after_ten_minutes() {
    let mut stage = Stage::new();
    assert_eq!(stage.poll(1).pace, Some(15_000));
    stage.at_second(599.0);
    assert_eq!(stage.poll(1).pace, Some(15_000));
    stage.at_second(600.0);
    assert_eq!(stage.poll(1).pace, Some(60_000));
}

#[test]
fn a_host_with_a_run_is_not_idle_and_idleness_counts_from_its_end() {
    let mut stage = Stage::new();
    stage.poll(1);
    let claim = stage.claimed("one");
    stage.at_second(1_000.0);
    stage.heartbeat(&[(&claim, "running")]);
    assert_eq!(stage.poll(1).pace, Some(15_000));
    stage.at_second(1_100.0);
    stage.succeed(&claim);
    stage.at_second(1_699.0);
    assert_eq!(stage.poll(1).pace, Some(15_000));
    stage.at_second(1_700.0);
    assert_eq!(stage.poll(1).pace, Some(60_000));
}

#[test]
fn the_same_run_gets_a_greater_fence_each_time_even_at_the_same_moment() {
    let mut stage = Stage::new();
    let fences: Vec<f64> = (0..3).map(|_| stage.claimed("one").lease.unwrap().fence).collect();
    assert_eq!(fences, [START, START + 1.0, START + 2.0]);
}

#[test]
fn what_was_claimed_before_the_trouble_is_not_lost_with_it() {
    let mut stage = Stage::new();
    stage.next("claim", handed_out("one"));
    stage.next("claim", Answer::Limited(Some("7")));
    let done = stage.poll(3);
    assert_eq!(done.claimed.len(), 1);
    assert_eq!((&*problem(&done).kind, problem(&done).retry_after), ("rate-limited", Some(7_000)));
}

#[test]
fn a_run_without_a_prompt_is_claimed_so_that_it_can_be_refused() {
    let mut stage = Stage::new();
    let mut empty = run("one");
    empty["prompt"] = json!("");
    stage.next("claim", Answer::ok(json!({ "run": empty })));
    assert_eq!(stage.poll(1).claimed.len(), 1);
}
