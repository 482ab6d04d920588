//! The network and the server fail; the results arrive all the same, once.

use std::time::Duration;

use hostler_tests::PATIENCE;
use hostler_tests::scripted_agent::{Script, Step, imitations};
use standin_tale::{Answered, Endpoint, Fault, Harm};

use super::scene::{KEY, STEP, Scene, works_until_let_go};
use crate::stage::LONG;

/// After a claim without an answer the host gives no sign of life for so long.
const SILENCE: Duration = Duration::from_secs(135);

/// Nothing that renews every run of the host came in this time after the first claim.
fn assert_silent_after_the_first_claim(scene: &Scene) {
    let claim = scene.sent(Endpoint::Claim)[0].at;
    let signs = [scene.sent(Endpoint::Heartbeat), scene.sent(Endpoint::Register)].concat();
    let early: Vec<_> = signs
        .iter()
        .filter(|sign| sign.at > claim && sign.at.since(claim) < SILENCE.saturating_sub(STEP))
        .collect();
    assert!(early.is_empty(), "{early:?}");
}

#[test]
fn a_claim_that_did_not_arrive_is_made_again() {
    let scene = Scene::playing(&imitations::does_its_task());
    scene.server.fault(Fault::cut().on(Endpoint::Claim).once());
    let host = scene.start();
    scene.wait_for_answers(Endpoint::Claim, 1);
    scene.pass(STEP, Endpoint::Claim);
    let run = scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    assert_eq!((run.attempts, scene.agent.starts().unwrap().len()), (1, 1));
    assert_silent_after_the_first_claim(&scene);
}

#[test]
fn a_run_whose_claim_was_granted_without_an_answer_comes_back_after_the_silence_and_is_done_once() {
    let scene = Scene::playing(&imitations::does_its_task());
    scene.server.fault(Fault::lost_reply().on(Endpoint::Claim).once());
    let host = scene.start();
    scene.wait_for_answers(Endpoint::Claim, 1);
    scene.pass(SILENCE, Endpoint::Claim);
    let run = scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    assert_eq!((run.attempts, scene.agent.starts().unwrap().len()), (2, 1), "claimed twice, done once");
    assert_eq!((scene.ends().len(), scene.sent(Endpoint::Complete).len()), (1, 1));
    assert_silent_after_the_first_claim(&scene);
}

/// An agent that always fails, and a first report of it that is struck.
fn assert_fails_twice_and_is_over(fault: Fault) {
    let scene = Scene::playing(&Script::always([Step::line("It broke down."), Step::exit(3)]));
    scene.server.fault(fault.on(Endpoint::Fail).once());
    let host = scene.start();
    scene.wait_for_answers(Endpoint::Fail, 1);
    scene.pass(STEP, Endpoint::Claim);
    let run = scene.wait_for(&scene.run, "failed", &host);
    scene.stage.wait_for_state(KEY, "closed");
    scene.drain(host);
    assert_eq!((run.attempts, scene.agent.starts().unwrap().len()), (2, 2), "one retry");
    assert_eq!(scene.ends().len(), 1);
}

#[test]
fn a_failure_that_did_not_arrive_is_told_again_and_there_is_one_retry() {
    assert_fails_twice_and_is_over(Fault::cut());
}

#[test]
fn a_failure_whose_acknowledgement_was_lost_counts_once_and_there_is_one_retry() {
    assert_fails_twice_and_is_over(Fault::lost_reply());
}

#[test]
fn a_server_that_restarted_is_told_who_is_there_and_gets_the_result() {
    let scene = Scene::playing(&works_until_let_go());
    let host = scene.start();
    scene.agent.wait_for_mark("working");
    scene.server.go_down();
    scene.server.forget_runtimes();
    scene.server.come_up();
    scene.pass(STEP * 2, Endpoint::Heartbeat);
    scene.wait_for_answers(Endpoint::Register, 2);
    scene.agent.let_go("go").unwrap();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    assert_eq!((scene.ends().len(), scene.agent.starts().unwrap().len()), (1, 1));
}

#[test]
fn a_report_is_kept_over_five_minutes_of_errors_and_a_killed_host_until_it_is_accepted() {
    let scene = Scene::playing(&works_until_let_go());
    let mut host = scene.start();
    scene.agent.wait_for_mark("working");
    scene.server.fault(Fault::server_error().on(Endpoint::Complete));
    scene.agent.let_go("go").unwrap();
    scene.wait_for_answers(Endpoint::Complete, 1);
    let half = Duration::from_secs(150);
    scene.pass(half, Endpoint::Events);
    host.kill_9();
    let told = scene.sent(Endpoint::Complete).len();
    let host = scene.start();
    scene.wait_for_answers(Endpoint::Complete, told + 1);
    scene.pass(half, Endpoint::Events);
    scene.stage.wait_for_state(KEY, "reporting");
    scene.server.clear_faults();
    // The longest pause between two tries has begun by now.
    scene.advance_host(Duration::from_mins(5));
    let run = scene.wait_for(&scene.run, "completed", &host);
    scene.stage.wait_for_state(KEY, "closed");
    scene.drain(host);
    assert_eq!((run.attempts, scene.ends().len(), scene.agent.starts().unwrap().len()), (1, 1, 1));
    let told = scene.sent(Endpoint::Complete);
    assert!(told.iter().all(|one| one.body == told[0].body), "always the same report: {told:?}");
    assert_eq!(scene.stage.run(KEY)["result"], "succeeded");
}

#[test]
fn a_key_refused_in_the_middle_of_a_run_costs_neither_the_work_nor_the_report() {
    let scene = Scene::playing(&works_until_let_go());
    let mut host = scene.start();
    scene.agent.wait_for_mark("working");
    scene.server.change(|board, _| board.revoke_key("tale-standin-key"));
    scene.pass(STEP, Endpoint::Claim);
    host.wait_for_stdout("status 401", PATIENCE);
    scene.agent.let_go("go").unwrap();
    let code = host.wait(LONG).code();
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
    assert!(host.stderr().contains("generate a new key"), "{}", host.stderr());
    scene.stage.wait_until_nothing_lives();

    let key = scene.server.key().to_owned();
    scene.server.add_key(&key, &[standin_tale::ORGANIZATION]);
    let host = scene.start();
    let run = scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    assert_eq!((run.attempts, scene.ends().len(), scene.agent.starts().unwrap().len()), (1, 1, 1));
}

#[test]
fn a_server_that_asks_for_two_minutes_of_peace_gets_them() {
    let scene = Scene::playing(&imitations::does_its_task());
    scene.server.fault(Fault::too_many_requests(Some(120)).on(Endpoint::Claim).once());
    let host = scene.start();
    host.wait_for_stdout("status 429", PATIENCE);
    scene.advance_host(Duration::from_secs(90));
    assert_eq!(scene.sent(Endpoint::Claim).len(), 1, "half a minute is left");
    scene.pass_for_the_host_until(Endpoint::Claim, 2);
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
}

#[test]
fn whatever_happens_to_one_request_of_a_kind_every_task_ends_once() {
    let endpoints = [Endpoint::Register, Endpoint::Heartbeat, Endpoint::Events, Endpoint::Complete];
    let scene = Scene::playing(&imitations::does_its_task());
    for endpoint in endpoints {
        for harm in [Harm::ServerError, Harm::NotJson, Harm::Cut, Harm::Duplicate] {
            scene.server.fault(Fault::new(harm).on(endpoint).once());
        }
    }
    let host = scene.start();
    scene.wait_for_answers(Endpoint::Complete, 1);
    // The first three are struck, the fourth one is carried out twice.
    scene.pass_for_the_host_until(Endpoint::Complete, 4);
    let run = scene.wait_for(&scene.run, "completed", &host);
    scene.stage.wait_for_state(KEY, "closed");
    scene.drain(host);
    assert_eq!((run.attempts, scene.ends().len(), scene.agent.starts().unwrap().len()), (1, 1, 1));
    assert!(scene.sent(Endpoint::Complete).iter().any(|told| told.answer == Answered::Cut));
}
