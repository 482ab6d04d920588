//! What only time shows: how often is asked, what is renewed, and when it is enough.

use std::time::Duration;

use hostler_tests::scripted_agent::{Script, Step, imitations};
use hostler_tests::{HostProcess, host_clock};
use standin_tale::{Endpoint, RecordedRequest};

use super::scene::{STEP, Scene, works_until_let_go};
use crate::stage::Stage;

/// A host that has found the board empty.
fn idle() -> (Scene, HostProcess) {
    let scene = Scene::playing(&imitations::does_its_task());
    scene.server.cancel(&scene.run);
    let host = scene.start();
    scene.wait_for_answers(Endpoint::Claim, 1);
    (scene, host)
}

#[test]
fn a_clock_can_be_moved_only_where_the_host_was_started_so() {
    let stage = Stage::allowed();
    stage.sandbox.install_agent("claude", &Script::new());
    let host = stage.start(&[]);
    host.wait_for_stdout("tasks", hostler_tests::PATIENCE);
    let answer = hostler_tests::wait_until(hostler_tests::PATIENCE, "the host listens", || {
        host_clock::advance(&stage.sandbox, STEP).map_err(|error| error.to_string())
    });
    assert_eq!(answer, "HTTP/1.1 404 Not Found");
}

#[test]
fn an_idle_host_asks_every_fifteen_seconds_and_after_ten_minutes_every_minute() {
    let (scene, host) = idle();
    scene.advance_host(Duration::from_secs(8));
    assert_eq!(scene.sent(Endpoint::Claim).len(), 1, "seven seconds are left");
    scene.advance_host(Duration::from_secs(7));
    scene.wait_for_answers(Endpoint::Claim, 2);
    scene.pass(Duration::from_mins(9), Endpoint::Claim);

    let asked = scene.sent(Endpoint::Claim).len();
    scene.advance_host(Duration::from_mins(1));
    scene.wait_for_answers(Endpoint::Claim, asked + 1);
    let asked = scene.sent(Endpoint::Claim).len();
    scene.advance_host(Duration::from_secs(40));
    assert_eq!(scene.sent(Endpoint::Claim).len(), asked, "twenty seconds are left");
    scene.advance_host(Duration::from_secs(20));
    scene.wait_for_answers(Endpoint::Claim, asked + 1);
    scene.drain(host);
}

#[test]
fn after_a_run_was_handed_out_the_next_one_is_asked_for_in_three_seconds() {
    let scene = Scene::playing(&works_until_let_go());
    let host = scene.start_with(&["--slots", "3"]);
    scene.agent.wait_for_mark("working");
    // The poll that brought the run has found that there is no other.
    scene.wait_for_answers(Endpoint::Claim, 2);
    let asked = scene.sent(Endpoint::Claim).len();
    scene.advance_host(Duration::from_secs(3));
    scene.wait_for_answers(Endpoint::Claim, asked + 1);
    scene.agent.let_go("go").unwrap();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
}

#[test]
fn an_idle_host_is_seen_as_active_and_a_stopped_one_is_not() {
    let (scene, host) = idle();
    let status = || {
        let now = scene.server.now();
        scene.server.board(|board| board.runtimes()[0].status(now))
    };
    scene.pass(Duration::from_mins(2), Endpoint::Claim);
    assert_eq!(status(), standin_tale::board::RuntimeStatus::Active);
    scene.drain(host);
    scene.server.advance(Duration::from_mins(2));
    assert_eq!(status(), standin_tale::board::RuntimeStatus::Offline);
}

#[test]
fn a_working_agent_keeps_its_lease_for_as_long_as_it_works() {
    let scene = Scene::playing(&works_until_let_go());
    let host = scene.start();
    scene.agent.wait_for_mark("working");
    scene.pass(Duration::from_mins(10), Endpoint::Events);
    scene.agent.let_go("go").unwrap();
    let run = scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    assert_eq!((run.attempts, scene.agent.starts().unwrap().len()), (1, 1));
}

#[test]
fn each_of_three_runs_at_once_is_renewed_for_itself() {
    let scene = Scene::playing(&works_until_let_go().count_per_folder());
    let runs = [scene.run.clone(), scene.another("Second"), scene.another("Third")];
    let host = scene.start_with(&["--slots", "3"]);
    scene.agent.wait_for_start(3);
    for run in &runs {
        scene.wait_for(run, "running", &host);
    }
    let begun = scene.server.now();
    scene.pass(Duration::from_mins(3), Endpoint::Heartbeat);
    let steps = scene.server.now().since(begun).as_secs() / STEP.as_secs();
    for run in &runs {
        let path = format!("/{run}/events");
        let is_its = |one: &&RecordedRequest| one.at > begun && one.path.contains(&path);
        let renewals = scene.sent(Endpoint::Events).iter().filter(is_its).count() as u64;
        assert!(renewals + 1 >= steps && renewals <= steps + 1, "{renewals} of {run} in {steps} steps");
    }
    scene.agent.let_go("go").unwrap();
    for run in &runs {
        assert_eq!(scene.wait_for(run, "completed", &host).attempts, 1);
    }
    scene.drain(host);
}

#[test]
fn an_agent_that_takes_too_long_is_ended_a_minute_before_the_server_would_give_it_up() {
    let scene = Scene::playing(&Script::always([Step::mark("working"), Step::hang()]));
    let host = scene.start_with(&["--stall-limit", "60m"]);
    scene.agent.wait_for_mark("working");
    let begun = scene.server.now();
    scene.pass(Duration::from_secs(28 * 60 + 30), Endpoint::Events);
    assert_eq!(scene.sent(Endpoint::Fail).len(), 0);
    scene.sleep(Duration::from_secs(30));
    let run = scene.wait_for(&scene.run, "failed", &host);
    assert_eq!(run.attempts, 1, "it would take too long again");
    let failure = &scene.sent(Endpoint::Fail)[0];
    assert_eq!(failure.body["error"], "CLI run timed out locally");
    assert!(failure.at.since(begun) < Duration::from_mins(30), "{failure:?}");
    scene.drain(host);
}
