//! Tasks that go on because of what came back from their pull request.

use serde_json::json;

use crate::fake_trakkar::Answer;
use crate::stage::{Stage, at, opened, problem};

const WORD: &str = "2 checks failed on #7: build, test.";

#[test]
fn a_task_goes_on_from_the_run_that_was_reported() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.report(&claim, opened());
    assert_eq!(stage.follow_up(&claim, 1, WORD).result, Some(Ok(())));
    assert_eq!(stage.calls().last().unwrap(), "POST tasks/t_one/continue");
    let key = format!("{}-1", at(&claim).run);
    let wanted = json!({ "previous_run_id": "run_one", "message": WORD, "idempotency_key": key });
    assert_eq!(stage.bodies("continue"), [wanted]);
}

#[test]
fn a_word_that_is_repeated_has_the_same_key_and_the_next_word_another() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("continue", Answer::Cut);
    assert_eq!(problem(&stage.follow_up(&claim, 1, WORD)).kind, "transient");
    stage.follow_up(&claim, 1, WORD);
    stage.follow_up(&claim, 2, WORD);
    let keys: Vec<_> = stage.bodies("continue").iter().map(|body| body["idempotency_key"].clone()).collect();
    assert_eq!(keys[0], keys[1]);
    assert_ne!(keys[1], keys[2]);
}

#[test]
fn a_server_without_the_call_does_not_support_it_and_a_run_that_is_open_is_enough() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    for status in [404, 405] {
        stage.next("continue", Answer::error(status, "not_found"));
        assert_eq!(problem(&stage.follow_up(&claim, 1, WORD)).kind, "unsupported", "{status}");
    }
    stage.next("continue", Answer::error(409, "run_open"));
    assert_eq!(stage.follow_up(&claim, 1, WORD).result, Some(Ok(())));
    for (status, kind) in [(410, "gone"), (401, "auth"), (429, "rate-limited"), (500, "transient")] {
        stage.next("continue", Answer::error(status, "x"));
        assert_eq!(problem(&stage.follow_up(&claim, 1, WORD)).kind, kind, "{status}");
    }
}
