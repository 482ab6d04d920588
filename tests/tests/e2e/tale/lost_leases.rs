//! A lease that is over: the agent ends before anything else, then there is one retry
//! in a clean worktree, and never are there two agents.

use std::time::Duration;

use hostler_tests::HostProcess;
use hostler_tests::scripted_agent::{Script, SignalName, Step, transcript};
use standin_tale::{Endpoint, Fault};

use super::scene::{KEY, STEP, Scene};
use crate::stage::{assert_no_overlap, overlap_alarm};

/// Longer than the server waits before it gives a run out again, and shorter than it
/// waits until it gives the run up.
const BETWEEN: Duration = Duration::from_mins(3);

/// The first agent hangs and takes its time to end, the second one does the task.
/// Both tell if they meet.
fn hangs_and_then_works() -> Scene {
    let scene = Scene::playing(&Script::new());
    let alarm = overlap_alarm(&scene.stage);
    let first = [
        alarm.clone(),
        Step::on_signal(SignalName::Term, [Step::Pause { ms: 700 }, Step::exit(1)]),
        Step::write("left.txt", "left\n"),
        Step::mark("working"),
        Step::hang(),
    ];
    let second = [
        alarm,
        Step::write("hello.txt", "hello\n"),
        Step::commit("Write hello.txt"),
        Step::transcript(transcript("claude-success")),
    ];
    scene.stage.sandbox.install_agent("claude", &Script::new().attempt(first).attempt(second));
    scene
}

/// A host whose agent works, and whose board knows it.
fn start(scene: &Scene) -> HostProcess {
    let host = scene.start();
    scene.agent.wait_for_mark("working");
    scene.wait_for(&scene.run, "running", &host);
    host
}

/// The second agent began in a worktree of its own and did the task, once.
fn assert_one_retry_in_a_clean_worktree(scene: &Scene, host: HostProcess) {
    let run = scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    assert_no_overlap(&scene.agent);
    let starts = scene.agent.starts().unwrap();
    let [first, second] = &starts[..] else { panic!("not two starts: {starts:?}") };
    assert_ne!(first.cwd, second.cwd);
    assert_eq!((run.attempts, scene.ends().len()), (2, 1));
    let changed = run.diff_stat.unwrap();
    assert!(changed.contains("hello.txt") && !changed.contains("left.txt"), "{changed}");
    assert!(first.cwd.join("left.txt").exists(), "what the first one left is kept");
}

#[test]
fn minutes_of_errors_end_the_agent_while_its_lease_still_holds_and_the_retry_is_clean() {
    let scene = hangs_and_then_works();
    let host = start(&scene);
    scene.server.fault(Fault::server_error());
    scene.pass(STEP * 3, Endpoint::Events);
    // 48 s after the last renewal, twelve before the lease is over.
    scene.sleep(Duration::from_secs(5));
    scene.wait_until_ended(1);
    let run = scene.server.run(&scene.run).unwrap();
    let hold = run.state.hold().expect("the server still counts on us");
    assert!(scene.server.now() < hold.lease_until, "{hold:?}");
    scene.server.advance(BETWEEN.saturating_sub(STEP * 4));
    scene.server.clear_faults();
    scene.pass_for_the_host_until(Endpoint::Claim, scene.sent(Endpoint::Claim).len() + 1);
    assert_one_retry_in_a_clean_worktree(&scene, host);
}

#[test]
fn five_minutes_of_errors_cost_the_run_and_the_next_one_is_done() {
    let scene = hangs_and_then_works();
    let host = start(&scene);
    scene.server.fault(Fault::server_error());
    scene.pass(STEP * 3, Endpoint::Events);
    scene.sleep(Duration::from_secs(5));
    scene.wait_until_ended(1);
    scene.stage.wait_for_state(KEY, "closed");
    let asked = scene.sent(Endpoint::Claim).len();
    scene.sleep(Duration::from_mins(5));
    scene.pass_for_the_host_until(Endpoint::Claim, asked + 1);
    let failed = scene.wait_for(&scene.run, "failed", &host);
    assert_eq!(failed.attempts, 1, "nobody could claim it again");
    scene.server.clear_faults();
    let again = scene.server.assign(&scene.task, "coder").unwrap();
    scene.pass_for_the_host_until(Endpoint::Claim, scene.sent(Endpoint::Claim).len() + 1);
    scene.wait_for(&again, "completed", &host);
    scene.drain(host);
    assert_no_overlap(&scene.agent);
    assert_eq!((scene.ends().len(), scene.agent.starts().unwrap().len()), (2, 2), "one end for each run");
}

#[test]
fn a_machine_that_slept_for_minutes_ends_its_agent_and_retries_once() {
    let scene = hangs_and_then_works();
    let host = start(&scene);
    // Nothing is sent from a machine that sleeps: a claim of before, answered while the
    // world goes on, would be on a lease that is slept over.
    scene.server.go_down();
    scene.sleep(BETWEEN);
    scene.server.come_up();
    scene.wait_until_ended(1);
    scene.pass_for_the_host_until(Endpoint::Claim, scene.sent(Endpoint::Claim).len() + 1);
    assert_one_retry_in_a_clean_worktree(&scene, host);
}

#[test]
fn a_machine_that_slept_for_hours_ends_its_agent_and_does_the_next_run() {
    let scene = hangs_and_then_works();
    let host = start(&scene);
    scene.sleep(Duration::from_hours(5));
    scene.wait_until_ended(1);
    scene.wait_for(&scene.run, "failed", &host);
    scene.stage.wait_for_state(KEY, "closed");
    assert_eq!(scene.sent(Endpoint::Complete).len(), 0);
    let again = scene.server.assign(&scene.task, "coder").unwrap();
    scene.pass_for_the_host_until(Endpoint::Claim, scene.sent(Endpoint::Claim).len() + 1);
    scene.wait_for(&again, "completed", &host);
    scene.drain(host);
    assert_no_overlap(&scene.agent);
    assert_eq!((scene.ends().len(), scene.agent.starts().unwrap().len()), (2, 2), "one end for each run");
}

#[test]
fn a_host_whose_clock_alone_jumped_gives_the_run_back_and_retries_once() {
    let scene = hangs_and_then_works();
    let host = start(&scene);
    scene.advance_host(Duration::from_hours(5));
    scene.wait_until_ended(1);
    scene.stage.wait_for_state(KEY, "closed");
    scene.pass_for_the_host_until(Endpoint::Fail, 1);
    scene.pass_for_the_host_until(Endpoint::Claim, scene.sent(Endpoint::Claim).len() + 1);
    assert_one_retry_in_a_clean_worktree(&scene, host);
    let given_back = &scene.sent(Endpoint::Fail)[0].body;
    assert_eq!(given_back["retryable"], true, "{given_back}");
}

#[test]
fn a_server_that_took_the_run_away_has_the_agent_ended_and_then_worked_again() {
    let scene = hangs_and_then_works();
    let host = start(&scene);
    scene.server.advance(BETWEEN);
    assert_eq!(scene.server.run(&scene.run).unwrap().state.name(), "queued");
    scene.advance_host(STEP);
    scene.wait_until_ended(1);
    scene.pass_for_the_host_until(Endpoint::Claim, scene.sent(Endpoint::Claim).len() + 1);
    assert_one_retry_in_a_clean_worktree(&scene, host);
    assert_eq!(scene.sent(Endpoint::Fail).len(), 0, "nobody fails what is not his any more");
}

#[test]
fn a_task_taken_back_while_no_host_was_there_ends_the_agent_left_behind_before_the_retry_begins() {
    let scene = hangs_and_then_works();
    let mut host = start(&scene);
    let asked = scene.sent(Endpoint::Claim).len();
    host.kill_9();
    scene.server.advance(BETWEEN);
    let host = scene.start();
    scene.advance_host_when_it_listens(STEP);
    scene.wait_until_ended(1);
    scene.pass_for_the_host_until(Endpoint::Claim, asked + 1);
    assert_one_retry_in_a_clean_worktree(&scene, host);
}
