//! Dry runs.

use hostler_sdk::tracker::Operation;
use serde_json::json;

use crate::fake_trakkar::{Answer, handed_out};
use crate::stage::{Stage, runner};

#[test]
fn a_dry_run_claims_reads_tells_and_gives_back() {
    let mut stage = Stage::with(&json!({ "dry-run": true }));
    stage.next("claim", handed_out(&["one"]));
    let done = stage.poll(2);
    assert!(done.claimed.is_empty(), "nobody works on it");
    let calls = stage.calls();
    assert_eq!(calls[2..], ["POST tasks/claim", "GET tasks/t_one", "POST runs/run_one/release"]);
    assert_eq!(stage.bodies("release"), [json!({ "reason": "dry_run" })]);
    let told = done.notices.iter().filter(|told| told.contains("Dry run: t_one “Add CSV export”")).count();
    assert_eq!(told, 1, "{:?}", done.notices);
    stage.next("claim", handed_out(&["one"]));
    let again = stage.poll(2);
    assert!(again.notices.is_empty(), "once is enough: {:?}", again.notices);
    assert_eq!(stage.bodies("release").len(), 2);
}

#[test]
fn a_dry_run_needs_no_cli() {
    let mut stage = Stage::unregistered(&json!({ "dry-run": true }));
    assert_eq!(stage.host.run(Operation::Register(runner(&[], 1))).result, Some(Ok(())));
}

#[test]
fn a_task_that_cannot_be_read_or_given_back_is_told_of() {
    let mut stage = Stage::with(&json!({ "dry-run": true }));
    stage.next("claim", handed_out(&["one"]));
    stage.next("tasks/t_one", Answer::error(404, "not_found"));
    stage.next("release", Answer::Cut);
    let done = stage.poll(1);
    let (notices, logs) = (done.notices, done.logs);
    assert!(notices.iter().any(|told| told.contains("could not be read again")), "{notices:?}");
    assert!(logs.iter().any(|line| line.message.contains("could not be given back")), "{logs:?}");
}
