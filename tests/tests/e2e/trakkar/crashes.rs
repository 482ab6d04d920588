//! The host is killed between doing and telling: there is one pull request, told once.

use std::time::Duration;

use hostler_tests::scripted_agent::Script;
use hostler_tests::{HostProcess, PATIENCE, wait_until};
use standin_forge::{Fault as ForgeFault, Harm, Part};
use standin_trakkar::{Answered, Endpoint, Fault};

use super::scene::{Scene, does_its_task, works_until_let_go};

/// A request that is held for so long is still under way when the host is killed.
const HELD: Duration = Duration::from_secs(20);

/// Kills the host once it has come so far, and lets the next one finish.
fn assert_finished_once(scene: &Scene, run: &str, mut host: HostProcess) {
    host.kill_9();
    scene.server.clear_faults();
    let host = scene.start(&[]);
    scene.wait_for(run, "pr_opened", &host);
    scene.wait_for_worktrees(0);
    scene.drain(host);
    assert_eq!((scene.pull_requests().len(), scene.starts().len()), (1, 1));
    let finished = scene.sent(Endpoint::Finish);
    let taken = finished.iter().filter(|told| matches!(told.answer, Answered::Reply { status: 200, .. }));
    assert_eq!(taken.count(), 1, "{finished:?}");
}

/// The killed host's git waits for an answer that never comes; a real line breaks.
fn give_up_the_line(scene: &Scene) {
    for process in scene.stage.sandbox.processes() {
        let is_git = process.argv.first().is_some_and(|program| program.contains("git"));
        if let Some(pid) = rustix::process::Pid::from_raw(process.pid).filter(|_| is_git) {
            // Fails only where it has ended already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

#[test]
fn a_host_killed_after_the_push_opens_one_pull_request() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    scene.forge.inject(ForgeFault { part: Part::Push, harm: Harm::HangAnswer(0), times: 1 });
    let (_, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    scene.forge.wait_until_hanging();
    assert_eq!((scene.branches_at_the_forge().len(), scene.pull_requests().len()), (2, 0));
    let mut host = host;
    host.kill_9();
    give_up_the_line(&scene);
    assert_finished_once(&scene, &run, host);
}

/// Waits until the server holds a request to an endpoint.
fn wait_until_held(scene: &Scene, endpoint: Endpoint) {
    wait_until(PATIENCE, &format!("a request to {endpoint:?} is held"), || {
        if scene.sent(endpoint).is_empty() { Err("none came") } else { Ok(()) }
    });
}

#[test]
fn a_host_killed_after_the_pull_request_and_before_it_was_told_opens_no_second_one() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    scene.server.fault(Fault::slow(HELD).on(Endpoint::Pr));
    let (_, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    wait_until_held(&scene, Endpoint::Pr);
    assert_eq!(scene.pull_requests().len(), 1);
    assert_finished_once(&scene, &run, host);
}

#[test]
fn a_host_killed_before_the_end_was_told_tells_it_once() {
    let scene = Scene::playing(&Script::always(does_its_task()));
    scene.server.fault(Fault::slow(HELD).on(Endpoint::Finish));
    let (_, run) = scene.delegate("Write hello.txt");
    let host = scene.start(&[]);
    wait_until_held(&scene, Endpoint::Finish);
    assert_finished_once(&scene, &run, host);
}

#[test]
fn a_host_killed_while_the_agent_works_takes_it_up_again() {
    let scene = Scene::playing(&Script::always(works_until_let_go()));
    let (task, run) = scene.delegate("Write hello.txt");
    let mut host = scene.start(&[]);
    scene.agent.wait_for_mark("working");
    scene.stage.wait_for_state(&task, "running");
    host.kill_9();
    let host = scene.start(&[]);
    scene.agent.let_go("go").unwrap();
    scene.wait_for(&run, "pr_opened", &host);
    scene.drain(host);
    assert_eq!((scene.pull_requests().len(), scene.starts().len()), (1, 1));
    let done = scene.server.run(&run).unwrap();
    let counted: Vec<u64> = (1..).take(done.seqs.len()).collect();
    assert_eq!(done.seqs, counted, "numbers go on after a restart");
}

#[test]
fn a_closed_host_ends_its_agents_and_the_next_one_goes_on() {
    let scene = Scene::playing(&Script::always(works_until_let_go()));
    let (task, run) = scene.delegate("Write hello.txt");
    let mut host = scene.start(&[]);
    scene.agent.wait_for_mark("working");
    scene.stage.wait_for_state(&task, "running");
    host.terminate();
    host.wait_for_stdout("No new tasks are taken", PATIENCE);
    host.terminate();
    host.wait(PATIENCE);
    scene.stage.wait_until_nothing_lives();
    assert_eq!(scene.worktrees().len(), 1, "the workspace stays");
    scene.agent.let_go("go").unwrap();
    let host = scene.start(&[]);
    scene.wait_for(&run, "pr_opened", &host);
    scene.drain(host);
    assert_eq!(scene.pull_requests().len(), 1);
}
