//! The host is killed or stopped in the middle; the run ends once all the same.

use std::collections::BTreeSet;

use hostler_tests::scripted_agent::{Script, Step, transcript};
use hostler_tests::{HostProcess, PATIENCE};
use rustix::process::Signal;
use standin_tale::Endpoint;

use super::scene::{KEY, STEP, Scene};
use crate::stage::{LONG, assert_no_overlap, overlap_alarm};

/// Every start tells if it meets another one, adds a line, and finishes when it may.
fn works_and_tells_of_others() -> Scene {
    let scene = Scene::playing(&Script::new());
    let script = Script::always([
        overlap_alarm(&scene.stage),
        Step::first_lines(3, transcript("claude-success")),
        Step::Write { path: "hello.txt".into(), text: "hello\n".to_owned(), append: true },
        Step::commit("Write hello.txt"),
        Step::mark("working"),
        Step::wait_for("go"),
        Step::transcript(transcript("claude-success")),
    ]);
    scene.stage.sandbox.install_agent("claude", &script);
    scene
}

/// One claim, one report, the work on the branch, and no two agents at once.
fn assert_done_once(scene: &Scene, host: HostProcess) {
    let run = scene.wait_for(&scene.run, "completed", &host);
    scene.stage.wait_for_state(KEY, "closed");
    scene.drain(host);
    assert_no_overlap(&scene.agent);
    assert_eq!((run.attempts, scene.ends().len()), (1, 1), "one claim, one end");
    assert_eq!(scene.sent(Endpoint::Complete).len(), 1);
    let daemons: BTreeSet<_> =
        scene.server.requests().iter().map(|request| request.body["daemonId"].to_string()).collect();
    assert_eq!(daemons.len(), 1, "always under the same name: {daemons:?}");
    let folders: BTreeSet<_> = scene.agent.starts().unwrap().into_iter().map(|start| start.cwd).collect();
    assert_eq!(folders.len(), 1, "always in the same worktree: {folders:?}");
    let starts = scene.agent.starts().unwrap().len();
    let lines = scene.stage.on_branch(KEY, "hello.txt").lines().count();
    assert_eq!(lines, starts, "no work is lost");
    assert!(run.diff_stat.unwrap().contains("hello.txt"));
}

#[test]
fn a_host_that_was_killed_ends_its_run_once_and_its_agents_never_meet() {
    let scene = works_and_tells_of_others();
    let mut host = scene.start();
    scene.agent.wait_for_mark("working");
    scene.wait_for(&scene.run, "running", &host);
    host.kill_9();
    let host = scene.start();
    // The run is in hand again as soon as it is renewed.
    let renewed = scene.sent(Endpoint::Events).len();
    scene.wait_for_answers(Endpoint::Events, renewed + 1);
    scene.agent.let_go("go").unwrap();
    assert_done_once(&scene, host);
}

#[test]
fn a_host_that_was_killed_again_and_again_ends_its_run_once() {
    let scene = works_and_tells_of_others();
    for _ in 0..4 {
        let mut host = scene.start();
        scene.agent.wait_for_mark("working");
        let renewed = scene.sent(Endpoint::Events).len();
        scene.advance_host_when_it_listens(STEP);
        scene.wait_for_answers(Endpoint::Events, renewed + 1);
        host.kill_9();
    }
    let host = scene.start();
    scene.agent.let_go("go").unwrap();
    assert_done_once(&scene, host);
}

#[test]
fn control_c_lets_the_agent_finish_and_takes_nothing_new() {
    let scene = works_and_tells_of_others();
    let mut host = scene.start_with(&["--slots", "1"]);
    scene.agent.wait_for_mark("working");
    let waiting = scene.another("Second");
    host.signal(Signal::INT);
    host.wait_for_stdout("No new tasks are taken", PATIENCE);
    scene.pass(STEP * 2, Endpoint::Events);
    assert!(host.is_running(), "it waits");
    scene.agent.let_go("go").unwrap();
    assert_eq!(host.wait(LONG).code(), Some(0), "{}", host.stderr());
    scene.stage.wait_until_nothing_lives();
    assert_eq!(scene.server.run(&scene.run).unwrap().state.name(), "completed");
    assert_eq!(scene.server.run(&waiting).unwrap().state.name(), "queued", "the next one is untouched");
    assert_eq!(scene.agent.starts().unwrap().len(), 1);
}

#[test]
fn control_c_twice_ends_the_agent_now_and_the_run_goes_on_at_the_next_start() {
    let scene = works_and_tells_of_others();
    let mut host = scene.start();
    scene.agent.wait_for_mark("working");
    host.signal(Signal::INT);
    host.wait_for_stdout("No new tasks are taken", PATIENCE);
    host.signal(Signal::INT);
    host.wait(LONG);
    scene.stage.wait_until_nothing_lives();
    assert_eq!(scene.sent(Endpoint::Fail).len() + scene.sent(Endpoint::Complete).len(), 0);

    let host = scene.start();
    scene.agent.wait_for_start(2);
    scene.agent.let_go("go").unwrap();
    assert_done_once(&scene, host);
    assert_eq!(scene.agent.starts().unwrap().len(), 2);
}
