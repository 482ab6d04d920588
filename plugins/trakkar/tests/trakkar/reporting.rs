//! The end of runs.

use hostler_sdk::tracker::{Effect, Operation, Output, Report, Verification};
use serde_json::{Value, json};

use crate::fake_trakkar::Answer;
use crate::stage::{START, Stage, at, opened, problem, report};

fn outcome(stage: &Stage) -> Value {
    stage.bodies("finish").last().unwrap()["outcome"].clone()
}

#[test]
fn a_pull_request_is_told_before_the_end_and_both_once() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    assert_eq!(stage.report(&claim, opened()).result, Some(Ok(())));
    let calls = stage.calls();
    assert_eq!(calls[calls.len() - 2..], ["POST runs/run_one/pr", "POST runs/run_one/finish"]);
    let expected = json!({
        "url": "https://github.com/acme/api/pull/7", "number": 7, "branch": "trakkar/t_one-add-csv-export",
        "title": "Add CSV export"
    });
    assert_eq!(stage.bodies("/pr"), [expected]);
    let expected = json!({
        "outcome": "pr_opened", "summary": "Added it.\n\nBranch `trakkar/t_one-add-csv-export`.",
        "session_ref": "s1", "workspace_kept": false, "error": null, "usage": null
    });
    assert_eq!(stage.bodies("finish"), [expected]);
}

#[test]
fn a_report_without_an_answer_is_repeated_but_the_pull_request_is_not() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("finish", Answer::Cut);
    assert_eq!(problem(&stage.report(&claim, opened())).kind, "transient");
    stage.next("finish", Answer::error(409, "already_finished"));
    assert_eq!(stage.report(&claim, opened()).result, Some(Ok(())), "the first one was taken");
    assert_eq!((stage.bodies("/pr").len(), stage.bodies("finish").len()), (1, 2));
}

#[test]
fn the_end_waits_until_the_pull_request_is_told_if_that_can_be() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("/pr", Answer::Text(503, "busy"));
    assert_eq!(problem(&stage.report(&claim, opened())).kind, "transient");
    assert!(stage.bodies("finish").is_empty());
    stage.next("/pr", Answer::error(400, "bad_url"));
    let done = stage.report(&claim, opened());
    assert_eq!(done.result, Some(Ok(())));
    assert!(done.logs.iter().any(|line| line.message.contains("pull/7 is open, but its task")), "{done:?}");
    assert_eq!(outcome(&stage), "pr_opened");
}

#[test]
fn everything_that_waits_is_told_before_the_end_with_the_verification_last_and_once() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("progress", Answer::Cut);
    stage.progress(&claim, &["one"]);
    let verified =
        Verification { passed: false, summary: "Failed with code 1.".into(), tail: "2 failed".into() };
    let failed =
        Report { verified: Some(verified), ..report("failed", "verify-failed", "Failed with code 1.") };
    stage.next("finish", Answer::Cut);
    stage.report(&claim, failed.clone());
    stage.report(&claim, failed);
    let batches = stage.bodies("progress");
    assert_eq!(batches.len(), 3, "one is repeated, the verification is told once");
    assert_eq!(batches[2]["events"][0]["type"], "verify");
    assert_eq!(batches[2]["events"][0]["text"], "Failed with code 1.\n2 failed");
    assert_eq!(outcome(&stage), "verify_failed");
}

#[test]
fn progress_that_does_not_arrive_does_not_hold_the_report_back() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("progress", Answer::Cut);
    stage.next("progress", Answer::Cut);
    stage.progress(&claim, &["one"]);
    assert_eq!(stage.report(&claim, opened()).result, Some(Ok(())));
}

#[test]
fn a_stopped_run_says_so_and_a_failed_one_says_why() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.report(&claim, report("cancelled", "cancelled", "stopped in Trakkar"));
    assert_eq!(outcome(&stage), "stopped");
    let claim = stage.claimed("two");
    stage.report(&claim, report("failed", "exit-code", "Claude Code ended with exit code 1."));
    let body = stage.bodies("finish").pop().unwrap();
    assert_eq!((&body["outcome"], &body["workspace_kept"]), (&json!("failed"), &json!(true)));
    assert_eq!(body["error"], "exit-code: Claude Code ended with exit code 1.");
}

#[test]
fn used_up_credit_is_a_clear_failure() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.report(&claim, report("failed", "quota", "The monthly allowance is used up."));
    let body = stage.bodies("finish").pop().unwrap();
    assert_eq!(body["outcome"], "failed");
    assert!(body["error"].as_str().unwrap().starts_with("quota_exhausted: "), "{body}");
}

#[test]
fn a_run_that_is_not_ours_any_more_needs_no_report() {
    for (status, code) in [(404, "not_found"), (409, "not_owner"), (410, "task_gone")] {
        let mut stage = Stage::new();
        let claim = stage.claimed("one");
        stage.next("finish", Answer::error(status, code));
        assert_eq!(problem(&stage.report(&claim, opened())).kind, "gone");
    }
}

#[test]
fn an_untouched_task_is_given_back_and_one_that_is_gone_need_not_be() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    assert_eq!(stage.release(&claim).result, Some(Ok(())));
    assert_eq!(stage.bodies("runs/run_one/release"), [json!({ "reason": "shutdown" })]);
    let claim = stage.claimed("two");
    stage.next("release", Answer::error(410, "task_gone"));
    assert_eq!(stage.release(&claim).result, Some(Ok(())));
    let claim = stage.claimed("three");
    stage.next("release", Answer::Cut);
    assert_eq!(problem(&stage.release(&claim)).kind, "transient");
}

/// The one effect that is asked for.
fn effect(outputs: &[Output]) -> (u32, Effect) {
    match outputs {
        [Output::Effect((call, effect))] => (*call, effect.clone()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_last_words_of_a_run_wait_for_a_batch_on_its_way_and_come_before_the_end() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    let line = stage.line("one");
    let under_way = Operation::Progress((at(&claim), vec![line]));
    let (batch, _) = effect(&stage.host.connection().begin(1_000, under_way, START));
    let found = Verification { passed: true, summary: "It passed.".into(), tail: String::new() };
    let report = Operation::Report((at(&claim), Report { verified: Some(found), ..opened() }));
    let (look, waits) = effect(&stage.host.connection().begin(1_001, report, START));
    assert!(matches!(waits, Effect::Wake(_)), "{waits:?}");
    let cut = Err(hostler_sdk::Problem::transient("the connection broke"));
    stage.host.connection().resume(batch, cut, START);
    let mut outputs = stage.host.connection().resume(look, Ok(hostler_sdk::tracker::Reply::Done), START);
    while let [Output::Effect((call, effect))] = &outputs[..] {
        let reply = stage.trakkar.borrow_mut().answer(effect);
        outputs = stage.host.connection().resume(*call, reply, START);
    }
    let shown: Vec<String> = stage.bodies("progress").iter().map(Value::to_string).collect();
    assert!(shown.iter().any(|batch| batch.contains("It passed.")), "{shown:?}");
    assert_eq!(stage.calls().last().unwrap(), "POST runs/run_one/finish");
}

#[test]
fn a_batch_that_never_arrives_does_not_keep_the_end_back() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    let line = stage.line("one");
    stage.host.connection().begin(1_000, Operation::Progress((at(&claim), vec![line])), START);
    let done = stage.report(&claim, opened());
    assert_eq!(done.result, Some(Ok(())));
    let looks = done.effects.iter().filter(|effect| matches!(effect, Effect::Wake(_))).count();
    assert_eq!(looks, 50);
}
