//! Several tasks at once.

use std::collections::BTreeSet;

use hostler_tests::scripted_agent::{Script, Start, Step, transcript};

use crate::stage::{LONG, Stage};

fn works_as(name: &str) -> Vec<Step> {
    vec![
        Step::mark(name),
        Step::wait_for("go"),
        Step::write("work.txt", name),
        Step::commit("Work"),
        Step::transcript(transcript("claude-success")),
    ]
}

#[test]
fn three_tasks_run_side_by_side_each_in_its_own_worktree() {
    let script = Script::new()
        .attempt_when("a-one", works_as("one"))
        .attempt_when("b-two", works_as("two"))
        .attempt_when("c-three", works_as("three"))
        .count_per_folder();
    let (stage, agent) = Stage::with_claude(&script);
    for key in ["a-one", "b-two", "c-three"] {
        stage.task(key, "Work\n");
    }
    let mut host = stage.start_once(&["--slots", "3"]);
    for mark in ["one", "two", "three"] {
        // All of them are there before any may go on.
        agent.wait_for_mark(mark);
    }
    agent.let_go("go").unwrap();
    assert_eq!(host.wait(LONG).code(), Some(0));
    for (key, work) in [("a-one", "one"), ("b-two", "two"), ("c-three", "three")] {
        stage.assert_reported_once(key, "done");
        assert_eq!(stage.on_branch(key, "work.txt"), work);
    }
    let folders: BTreeSet<_> = agent.starts().unwrap().into_iter().map(|start| start.cwd).collect();
    assert_eq!(folders.len(), 3);
}

/// The most of these that ran at one time.
fn most_at_once(starts: &[Start]) -> usize {
    let running_at = |at: u64| {
        let runs =
            |start: &&Start| start.started_ms <= at && start.ended.as_ref().is_none_or(|end| at < end.at_ms);
        starts.iter().filter(runs).count()
    };
    starts.iter().map(|start| running_at(start.started_ms)).max().unwrap_or(0)
}

#[test]
fn more_tasks_than_slots_wait_for_their_turn_and_are_all_done() {
    let script = Script::always([
        Step::write("work.txt", "work\n"),
        Step::Pause { ms: 150 },
        Step::transcript(transcript("claude-success")),
    ]);
    let (stage, agent) = Stage::with_claude(&script);
    let keys: Vec<String> = (1..=5).map(|number| format!("task-{number}")).collect();
    for key in &keys {
        stage.task(key, "Work\n");
    }
    let output = stage.run_once(&["--slots", "2"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    for key in &keys {
        stage.assert_reported_once(key, "done");
    }
    let starts = agent.starts().unwrap();
    assert_eq!((starts.len(), most_at_once(&starts)), (5, 2));
}

#[test]
fn tasks_of_higher_priority_come_first() {
    let (stage, agent) =
        Stage::with_claude(&Script::always([Step::transcript(transcript("claude-success"))]));
    stage.task("a", "Normal\n");
    stage.task("b", "---\npriority: -1\n---\nLow\n");
    stage.task("c", "---\npriority: 7\n---\nHigh\n");
    assert_eq!(stage.run_once(&["--slots", "1"]).code, Some(0));
    let order: Vec<char> = agent
        .starts()
        .unwrap()
        .iter()
        .map(|start| start.cwd.file_name().unwrap().to_str().unwrap().chars().next().unwrap())
        .collect();
    assert_eq!(order, ['c', 'a', 'b']);
}

#[test]
fn a_failing_task_does_not_disturb_the_one_beside_it() {
    // Words that no number of a run, which is part of its folder's name, can spell.
    let script = Script::new()
        .attempt_when("wrong", [Step::exit(1)])
        .attempt_when("right", [Step::Pause { ms: 300 }, Step::transcript(transcript("claude-success"))])
        .count_per_folder();
    let (stage, _) = Stage::with_claude(&script);
    stage.task("wrong", "Fail\n");
    stage.task("right", "Work\n");
    assert_eq!(stage.run_once(&["--attempts", "1"]).code, Some(10), "one did not succeed");
    stage.assert_reported_once("wrong", "failed");
    stage.assert_reported_once("right", "done");
}
