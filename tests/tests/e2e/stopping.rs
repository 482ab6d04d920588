//! Ending a run, and ending the host.

use hostler_tests::scripted_agent::{ChildKind, Installed, Script, Step, imitations, transcript};
use hostler_tests::{HostProcess, PATIENCE, wait_until};

use crate::stage::{LONG, Stage, assert_no_overlap, overlap_alarm};

fn success() -> Step {
    Step::transcript(transcript("claude-success"))
}

/// Works, tells the test, and finishes when the test lets it.
fn works_until_let_go() -> Script {
    Script::always([
        Step::write("work.txt", "work\n"),
        Step::commit("Work"),
        Step::mark("working"),
        Step::wait_for("go"),
        success(),
    ])
}

#[test]
fn stop_ends_the_agent_with_all_it_started_and_reports_the_run_as_cancelled() {
    let (stage, agent) = Stage::with_claude(&Script::always([
        Step::ignore_term(),
        Step::write("work.txt", "work\n"),
        Step::commit("Work"),
        Step::spawn(ChildKind::Reforker),
        Step::mark("working"),
        Step::hang(),
    ]));
    stage.task("hello", "Hang\n");
    let mut host = stage.start_once(&[]);
    agent.wait_for_mark("working");
    let stopped = stage.sandbox.host(&["stop", "hello"]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    assert_eq!(host.wait(LONG).code(), Some(10), "the task did not succeed");
    stage.assert_reported_once("hello", "cancelled");
    let report = stage.task_file("hello").text;
    assert!(report.contains("**Cancelled**") && report.contains("work.txt"), "{report}");
    assert_eq!(stage.on_branch("hello", "work.txt"), "work", "its work stays");
}

#[test]
fn a_run_is_cancelled_by_the_status_in_its_task_file() {
    let (stage, agent) = Stage::with_claude(&works_until_let_go());
    stage.task("hello", "Hang\n");
    let mut host = stage.start_once(&[]);
    agent.wait_for_mark("working");
    let text = stage.task_file("hello").text.replace("status: doing", "status: cancelled");
    stage.repository.write("tasks/hello.md", &text);
    assert_eq!(host.wait(LONG).code(), Some(10));
    stage.assert_reported_once("hello", "cancelled");
    assert_eq!(stage.on_branch("hello", "work.txt"), "work");
}

#[test]
fn a_run_whose_task_file_was_deleted_is_ended_and_makes_no_new_file() {
    let (stage, agent) = Stage::with_claude(&works_until_let_go());
    stage.task("hello", "Hang\n");
    let mut host = stage.start_once(&[]);
    agent.wait_for_mark("working");
    std::fs::remove_file(stage.repository.path().join("tasks/hello.md")).unwrap();
    assert_eq!(host.wait(LONG).code(), Some(10));
    stage.wait_until_nothing_lives();
    assert!(stage.repository.read("tasks/hello.md").is_none());
    assert_eq!(stage.on_branch("hello", "work.txt"), "work");
}

#[test]
fn the_first_signal_takes_no_new_tasks_and_waits_for_the_agents() {
    let (stage, agent) = Stage::with_claude(&works_until_let_go());
    stage.task("a-first", "Work\n");
    stage.task("b-second", "Work, too\n");
    let mut host = stage.start(&["--slots", "1"]);
    agent.wait_for_mark("working");
    host.terminate();
    host.wait_for_stdout("No new tasks are taken", PATIENCE);
    assert!(host.is_running(), "it waits");
    agent.let_go("go").unwrap();
    assert_eq!(host.wait(LONG).code(), Some(0));
    stage.assert_reported_once("a-first", "done");
    assert_eq!(stage.task_file("b-second").text, "Work, too\n", "the second one is untouched");
    assert_eq!(agent.starts().unwrap().len(), 1);
}

/// Stops a host with two signals in the middle of a run.
fn stop_now(host: &mut HostProcess, signal: rustix::process::Signal, agent: &Installed) {
    agent.wait_for_mark("working");
    host.signal(signal);
    host.wait_for_stdout("No new tasks are taken", PATIENCE);
    host.signal(signal);
    host.wait(LONG);
}

#[test]
fn the_second_signal_stops_now_and_the_run_goes_on_in_its_session_at_the_next_start() {
    let stage = Stage::with_claude(&Script::new()).0.in_sight();
    let first = [
        overlap_alarm(&stage),
        Step::write("first.txt", "first\n"),
        Step::commit("First"),
        Step::first_lines(3, transcript("claude-success")),
        Step::mark("working"),
        Step::hang(),
    ];
    let second =
        [overlap_alarm(&stage), Step::write("second.txt", "second\n"), Step::commit("Second"), success()];
    let agent = stage.sandbox.install_agent("claude", &Script::new().attempt(first).attempt(second));
    stage.task("hello", "Work\n");
    let mut host = stage.start(&[]);
    stop_now(&mut host, rustix::process::Signal::TERM, &agent);
    stage.wait_until_nothing_lives();
    let between = stage.run("hello");
    assert_eq!(
        (between["closed"].as_bool(), &between["attempts"][0]["reason"]),
        (Some(false), &"interrupted".into())
    );
    assert_eq!(stage.task_file("hello").status().as_deref(), Some("doing"));

    let output = stage.run_once(&["--attempts", "1"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage.assert_reported_once("hello", "done");
    assert_no_overlap(&agent);
    let starts = agent.starts().unwrap();
    assert_eq!((starts.len(), &starts[0].cwd), (2, &starts[1].cwd));
    let session = between["attempts"][0]["session"].as_str().unwrap();
    assert!(starts[1].argv.contains(&format!("--resume={session}")), "{:?}", starts[1].argv);
    assert_eq!(
        stage.on_branch("hello", "first.txt") + &stage.on_branch("hello", "second.txt"),
        "firstsecond"
    );
}

#[test]
fn interrupt_stops_like_terminate() {
    let (stage, agent) = Stage::with_claude(&works_until_let_go());
    stage.task("hello", "Work\n");
    let mut host = stage.start(&[]);
    stop_now(&mut host, rustix::process::Signal::INT, &agent);
    stage.wait_until_nothing_lives();
    assert_eq!(stage.run("hello")["attempts"][0]["reason"], "interrupted");
}

#[test]
fn a_stopped_run_can_be_cancelled_while_no_host_runs() {
    let (stage, agent) = Stage::with_claude(&works_until_let_go());
    stage.task("hello", "Work\n");
    let mut host = stage.start(&[]);
    stop_now(&mut host, rustix::process::Signal::TERM, &agent);
    let text = stage.task_file("hello").text.replace("status: doing", "status: cancelled");
    stage.repository.write("tasks/hello.md", &text);
    let mut host = stage.start_once(&[]);
    assert_eq!(host.wait(LONG).code(), Some(10));
    stage.assert_reported_once("hello", "cancelled");
}

#[test]
fn status_tells_about_the_running_host() {
    let (stage, agent) = Stage::with_claude(&imitations::hangs_in_the_middle());
    stage.task("hello", "Hang\n");
    let host = stage.start(&["--slots", "3"]);
    agent.wait_for_start(1);
    let status = wait_until(PATIENCE, "the run is running", || {
        let output = stage.sandbox.host(&["status", "--json"]);
        match serde_json::from_str::<serde_json::Value>(&output.stdout) {
            Ok(status) if status["runs"][0]["state"] == "running" => Ok(status),
            _ => Err(format!("{output:?}")),
        }
    });
    assert_eq!((status["pid"].as_i64(), status["slots"].as_i64()), (Some(host.pid().into()), Some(3)));
    assert_eq!((&status["tracker"], status["free_slots"].as_i64()), (&"folder".into(), Some(2)));
}
