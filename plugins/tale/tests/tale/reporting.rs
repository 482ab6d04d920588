//! Reports, and reports that are repeated.

use hostler_sdk::tracker::{Control, Operation, Output};
use serde_json::json;

use crate::fake_tale::Answer;
use crate::stage::{DAEMON, START, Stage, at, problem, report};

#[test]
fn a_success_is_a_completion() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    assert_eq!(stage.succeed(&claim).result, Some(Ok(())));
    assert_eq!(stage.bodies("runs/one/complete"), [json!({ "daemonId": DAEMON, "summary": "Fixed it." })]);
}

#[test]
fn a_failure_says_why_and_whether_to_try_again() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.fail(&claim);
    let expected =
        json!({ "daemonId": DAEMON, "error": "CLI exited with code 1: broken", "retryable": true });
    assert_eq!(stage.bodies("runs/one/fail"), [expected]);
}

#[test]
fn a_cancelled_run_is_reported_as_the_servers_own_daemon_does() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.report(&claim, report("cancelled", "cancelled", "cancelled by server request"));
    let expected = json!({ "daemonId": DAEMON, "error": "cancelled by server request", "retryable": false });
    assert_eq!(stage.bodies("runs/one/fail"), [expected]);
}

#[test]
fn a_report_that_may_have_arrived_is_accepted_when_the_server_says_the_run_is_over() {
    for lost in [Answer::Cut, Answer::error(500, "oops"), Answer::error(503, "later")] {
        for word in ["RUN_NOT_LIVE", "RUN_NOT_FOUND"] {
            let mut stage = Stage::new();
            let claim = stage.claimed("one");
            stage.next("/complete", lost.clone());
            assert_eq!(problem(&stage.succeed(&claim)).kind, "transient");
            stage.next("/complete", Answer::error(409, word));
            assert_eq!(stage.succeed(&claim).result, Some(Ok(())), "{lost:?} {word}");
        }
    }
}

#[test]
fn a_report_that_never_left_is_gone_when_the_server_says_the_run_is_over() {
    for refused in [Answer::Limited(None), Answer::Denied] {
        let mut stage = Stage::new();
        let claim = stage.claimed("one");
        stage.next("/complete", refused);
        assert!(stage.succeed(&claim).result.unwrap().is_err());
        stage.next("/complete", Answer::error(409, "RUN_NOT_LIVE"));
        assert_eq!(problem(&stage.succeed(&claim)).kind, "gone");
    }
}

#[test]
fn a_first_report_of_a_run_that_is_over_is_gone() {
    for word in ["RUN_NOT_LIVE", "RUN_NOT_FOUND"] {
        let mut stage = Stage::new();
        let claim = stage.claimed("one");
        stage.next("/fail", Answer::error(409, word));
        let done = stage.fail(&claim);
        assert_eq!(problem(&done).kind, "gone");
        assert!(problem(&done).message.contains(word));
    }
}

#[test]
fn a_success_without_a_body_is_a_success() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("/complete", Answer::Text(204, ""));
    assert_eq!(stage.succeed(&claim).result, Some(Ok(())));
}

#[test]
fn a_login_page_in_the_place_of_an_answer_is_no_success_and_the_report_is_told_again() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("/complete", Answer::Text(200, "<html>Please log in</html>"));
    let done = stage.succeed(&claim);
    assert_eq!(problem(&done).kind, "transient");
    assert!(problem(&done).message.contains("login page"));
    // Had it been Tale after all, the second one would be refused: that is a success too.
    stage.next("/complete", Answer::error(409, "RUN_NOT_LIVE"));
    assert_eq!(stage.succeed(&claim).result, Some(Ok(())));
}

#[test]
fn a_run_stays_with_the_daemon_that_claimed_it() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    // The next host has another id, or has not registered at all.
    let mut later =
        Stage::unregistered(&json!({ "url": "https://tale.example.com", "daemon-id": "daemon_new" }));
    later.succeed(&claim);
    assert_eq!(later.bodies("/complete")[0]["daemonId"], DAEMON);
}

#[test]
fn an_earlier_run_changes_nothing_once_the_same_one_was_claimed_again() {
    let mut stage = Stage::new();
    let earlier = stage.claimed("one");
    stage.next("/fail", Answer::Cut);
    stage.fail(&earlier);
    stage.at_second(5.0);
    let newer = stage.claimed("one");
    let sent = stage.tale.borrow().seen.len();
    assert_eq!(stage.fail(&earlier).result, Some(Ok(())), "its first report was taken");
    let lost = stage.heartbeat(&[(&earlier, "running")]).controls;
    assert!(matches!(&lost[..], [(run, Control::LeaseLost(_))] if *run == at(&earlier).run), "{lost:?}");
    assert_eq!(stage.tale.borrow().seen.len(), sent, "nothing was said about it");
    assert_eq!(stage.succeed(&newer).result, Some(Ok(())));
}

#[test]
fn a_run_that_is_out_again_because_of_its_own_report_is_not_lost() {
    let mut stage = Stage::new();
    let earlier = stage.claimed("one");
    stage.next("/fail", Answer::Cut);
    stage.fail(&earlier);
    stage.at_second(5.0);
    let newer = stage.claimed("one");
    let words = stage.heartbeat(&[(&earlier, "reporting"), (&newer, "preparing")]).controls;
    assert!(matches!(&words[..], [(run, Control::Renewed(_))] if *run == at(&newer).run), "{words:?}");
    assert_eq!(stage.fail(&earlier).result, Some(Ok(())), "its first report was taken");
}

#[test]
fn a_run_that_was_claimed_again_before_its_first_report_is_gone() {
    let mut stage = Stage::new();
    let earlier = stage.claimed("one");
    stage.at_second(70.0);
    stage.claimed("one");
    assert_eq!(problem(&stage.fail(&earlier)).kind, "gone");
    assert!(stage.bodies("/fail").is_empty());
}

#[test]
fn a_failure_that_may_have_arrived_waits_while_a_claim_is_under_way() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("/fail", Answer::Cut);
    stage.fail(&claim);
    let outputs = stage.host.connection().begin(1_000, Operation::Poll(1), START);
    let [Output::Effect((call, effect))] = &outputs[..] else { panic!("{outputs:?}") };
    let again = stage.fail(&claim);
    assert_eq!((&*problem(&again).kind, problem(&again).retry_after), ("transient", Some(3_000)));
    let reply = stage.tale.borrow_mut().answer(effect);
    stage.host.connection().resume(*call, reply, START);
    assert_eq!(stage.fail(&claim).result, Some(Ok(())));
}

#[test]
fn no_run_is_claimed_while_a_failure_that_may_have_arrived_is_repeated() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("/fail", Answer::Cut);
    stage.fail(&claim);
    let again = Operation::Report((at(&claim), report("failed", "interrupted", "stopped")));
    let outputs = stage.host.connection().begin(1_000, again, START);
    let [Output::Effect((call, effect))] = &outputs[..] else { panic!("{outputs:?}") };
    let before = stage.bodies("runs/claim").len();
    assert_eq!(stage.poll(1).pace, Some(3_000));
    assert_eq!(stage.bodies("runs/claim").len(), before);
    let reply = stage.tale.borrow_mut().answer(effect);
    stage.host.connection().resume(*call, reply, START);
    stage.poll(1);
    assert_eq!(stage.bodies("runs/claim").len(), before + 1);
}
