//! Runs that the server counts as ours and nobody works on.

use serde_json::json;

use crate::fake_tale::Answer;
use crate::stage::{DAEMON, Stage};

fn given_back() -> serde_json::Value {
    json!({ "daemonId": DAEMON, "error": "the daemon does not work on this run any more", "retryable": true })
}

#[test]
fn a_released_run_is_failed_so_that_it_can_be_tried_again() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    assert_eq!(stage.release(&claim).result, Some(Ok(())));
    assert_eq!(stage.bodies("runs/one/fail"), [given_back()]);
    stage.at_second(30.0);
    stage.heartbeat(&[]);
    assert_eq!(stage.bodies("/fail").len(), 1);
}

#[test]
fn a_release_of_a_run_that_is_over_already_is_done() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("/fail", Answer::error(409, "RUN_NOT_FOUND"));
    assert_eq!(stage.release(&claim).result, Some(Ok(())));
    stage.at_second(30.0);
    stage.heartbeat(&[]);
    assert_eq!(stage.bodies("/fail").len(), 1);
}

#[test]
fn a_release_without_an_answer_is_repeated_and_no_sign_of_life_renews_its_lease_before() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("/fail", Answer::Cut);
    stage.next("/fail", Answer::Cut);
    stage.release(&claim);
    stage.at_second(30.0);
    stage.heartbeat(&[]);
    assert!(stage.bodies("runtimes/heartbeat").is_empty());
    stage.at_second(60.0);
    stage.heartbeat(&[]);
    assert_eq!(stage.bodies("/fail").len(), 3);
    assert_eq!(stage.bodies("runtimes/heartbeat").len(), 1);
}

#[test]
fn a_release_that_is_refused_for_good_is_not_repeated_for_ever() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("/fail", Answer::error(400, "malformed"));
    stage.release(&claim);
    stage.at_second(30.0);
    stage.heartbeat(&[]);
    assert_eq!(stage.bodies("/fail").len(), 1);
    assert_eq!(stage.bodies("runtimes/heartbeat").len(), 1);
}

#[test]
fn a_run_that_the_host_dropped_without_a_report_is_given_back() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.heartbeat(&[(&claim, "running")]);
    stage.at_second(60.0);
    stage.heartbeat(&[]);
    assert_eq!(stage.bodies("runs/one/fail"), [given_back()]);
}

#[test]
fn a_run_whose_end_the_server_knows_is_not_given_back() {
    let mut stage = Stage::new();
    let (done, lost) = (stage.claimed("done"), stage.claimed("lost"));
    stage.heartbeat(&[(&done, "running"), (&lost, "running")]);
    stage.at_second(10.0);
    stage.succeed(&done);
    stage.next("runs/lost/events", Answer::ok(json!({ "ok": false, "cancelRequested": true })));
    stage.heartbeat(&[(&lost, "running")]);
    stage.at_second(20.0);
    stage.heartbeat(&[]);
    assert!(stage.bodies("/fail").is_empty());
}

#[test]
fn a_dropped_run_that_was_claimed_again_is_not_given_back() {
    let mut stage = Stage::new();
    let earlier = stage.claimed("one");
    stage.heartbeat(&[(&earlier, "running")]);
    stage.at_second(70.0);
    let newer = stage.claimed("one");
    stage.heartbeat(&[(&newer, "running")]);
    assert!(stage.bodies("/fail").is_empty());
}

#[test]
fn a_run_that_no_heartbeat_has_named_yet_is_not_taken_for_dropped() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("/complete", Answer::Cut);
    stage.succeed(&claim);
    stage.heartbeat(&[]);
    assert!(stage.bodies("/fail").is_empty());
}
