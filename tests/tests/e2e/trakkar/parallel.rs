//! Several tasks at once, and several runners.

use hostler_tests::scripted_agent::{Script, Step, transcript};
use hostler_tests::{PATIENCE, wait_until};
use standin_trakkar::Endpoint;
use standin_trakkar::board::Agent;

use super::scene::{Scene, does_its_task, works_until_let_go};

/// Waits in every task's folder until the test lets all go.
fn waits_for_all() -> Script {
    let waits = [Step::first_lines(3, transcript("claude-success")), Step::wait_for("go")];
    Script::always(waits.into_iter().chain(does_its_task())).count_per_folder()
}

/// Waits until so many agents work, and makes sure that no further one begins with the
/// next looks for tasks.
fn assert_at_once(scene: &Scene, count: usize) {
    wait_until(PATIENCE, "agents work", || match scene.starts().len() {
        started if started >= count => Ok(()),
        started => Err(started),
    });
    let shown = scene.sent(Endpoint::Heartbeat).len();
    scene.pass_until("the host shows that it lives", || match scene.sent(Endpoint::Heartbeat).len() {
        now if now >= shown + 2 => Ok(()),
        now => Err(now.to_string()),
    });
    assert_eq!(scene.starts().len(), count);
}

#[test]
fn the_concurrency_that_is_set_in_trakkar_holds_and_the_next_task_starts_when_one_is_done() {
    let agent = Agent { max_concurrency: Some(2), ..Agent::default() };
    let scene = Scene::with(agent, &waits_for_all());
    let runs: Vec<String> = (1..=3).map(|number| scene.delegate(&format!("Task {number}")).1).collect();
    let host = scene.start(&[]);
    assert_at_once(&scene, 2);
    assert_eq!(scene.sent(Endpoint::Claim)[0].body["slots"], 2);
    scene.agent.let_go("go").unwrap();
    for run in &runs {
        scene.wait_for(run, "pr_opened", &host);
    }
    scene.drain(host);
    assert_eq!((scene.starts().len(), scene.pull_requests().len()), (3, 3));
}

#[test]
fn the_operators_slots_win_over_what_is_set_in_trakkar() {
    let agent = Agent { max_concurrency: Some(4), ..Agent::default() };
    let scene = Scene::with(agent, &waits_for_all());
    let runs: Vec<String> = (1..=2).map(|number| scene.delegate(&format!("Task {number}")).1).collect();
    let host = scene.start(&["--slots", "1"]);
    assert_at_once(&scene, 1);
    scene.agent.let_go("go").unwrap();
    for run in &runs {
        scene.wait_for(run, "pr_opened", &host);
    }
    scene.drain(host);
}

#[test]
fn six_tasks_run_at_once_where_nobody_says_otherwise() {
    let scene = Scene::playing(&waits_for_all());
    let runs: Vec<String> = (1..=7).map(|number| scene.delegate(&format!("Task {number}")).1).collect();
    let host = scene.start(&[]);
    assert_at_once(&scene, 6);
    let mut folders: Vec<_> = scene.starts().into_iter().map(|start| start.cwd).collect();
    folders.sort();
    folders.dedup();
    assert_eq!(folders.len(), 6, "each has a folder of its own");
    scene.agent.let_go("go").unwrap();
    for run in &runs {
        scene.wait_for(run, "pr_opened", &host);
    }
    scene.drain(host);
    assert_eq!(scene.pull_requests().len(), 7);
}

#[test]
fn a_task_delegated_while_others_run_starts_at_once() {
    let scene = Scene::playing(&waits_for_all());
    let (_, first) = scene.delegate("Task 1");
    let host = scene.start(&[]);
    scene.agent.wait_for_start(1);
    let (_, second) = scene.delegate("Task 2");
    scene.agent.wait_for_start(2);
    assert!(scene.server.run(&first).unwrap().ending().is_none(), "the first one still runs");
    scene.agent.let_go("go").unwrap();
    scene.wait_for(&first, "pr_opened", &host);
    scene.wait_for(&second, "pr_opened", &host);
    scene.drain(host);
}

#[test]
fn a_second_runner_of_the_same_agent_gets_nothing_twice() {
    let scene = Scene::playing(&Script::always(works_until_let_go()).count_per_folder());
    let runs: Vec<String> = (1..=4).map(|number| scene.delegate(&format!("Task {number}")).1).collect();
    // The other runner has a state folder, and so a name, of its own.
    let other_state = scene.stage.sandbox.folder().join("other-state");
    let words =
        ["run", "--plugin", "trakkar", "--permission", "full-auto", "--set", "interval=1", "--slots", "2"];
    let mut other = scene.stage.sandbox.command(&words);
    let other = other.env("XDG_STATE_HOME", &other_state).stdout(std::process::Stdio::null());
    let mut other = other.stderr(std::process::Stdio::null()).spawn().unwrap();
    let host = scene.start(&["--slots", "2"]);
    wait_until(PATIENCE, "all four are claimed", || match scene.starts().len() {
        4 => Ok(()),
        started => Err(format!("{started}: {}", host.stdout())),
    });
    scene.agent.let_go("go").unwrap();
    for run in &runs {
        scene.wait_for(run, "pr_opened", &host);
    }
    let pid = rustix::process::Pid::from_child(&other);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    other.wait().unwrap();
    scene.drain(host);
    assert_eq!((scene.starts().len(), scene.pull_requests().len()), (4, 4));
    let runners = scene.server.board(|board| board.runners().len());
    assert_eq!((runners, scene.sent(Endpoint::Finish).len()), (2, 4));
}
