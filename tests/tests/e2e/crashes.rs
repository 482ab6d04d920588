//! Kills the host as a power cut would, at every stage of a run and at random
//! moments. The next host finishes the task: one report, no work lost, never two
//! agents at once, nothing left alive.

use std::time::Duration;

use hostler_tests::scripted_agent::{Installed, Script, Step, transcript};
use hostler_tests::{HostProcess, PATIENCE, wait_until};

use crate::stage::{Stage, assert_no_overlap, overlap_alarm};

/// Adds a line to a file and commits it, and then notes the commit for the test.
fn commits_a_line(stage: &Stage) -> Step {
    let script = format!(
        "echo line >> work.txt && git add work.txt \
         && git -c user.name=A -c user.email=a@example.invalid commit --quiet -m Work \
         && git rev-parse HEAD >> '{}'",
        stage.sandbox.bin_folder().join("commits").display()
    );
    Step::Run { argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), script] }
}

/// Works for a moment, so that there is a middle to be killed in.
fn works(stage: &Stage) -> Vec<Step> {
    vec![
        overlap_alarm(stage),
        Step::read_stdin(),
        Step::first_lines(3, transcript("claude-success")),
        commits_a_line(stage),
        Step::mark("committed"),
        Step::Pause { ms: 200 },
        Step::transcript(transcript("claude-success")),
        Step::mark("told"),
    ]
}

/// A machine with one task and an agent that works for a moment.
fn scene() -> (Stage, Installed) {
    let (stage, _) = Stage::with_claude(&Script::new());
    let agent = stage.sandbox.install_agent("claude", &Script::always(works(&stage)));
    stage.task("hello", "Write work.txt\n");
    (stage, agent)
}

/// How far a run is when its host is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// The task file says that the task is taken.
    Taken,
    /// The host shows this state, or a later one.
    State(&'static str),
    /// The agent has left this mark.
    Mark(&'static str),
}

/// The states of a run that goes well, in order. The first ones may be over before
/// the screen is there.
const STATES: [&str; 6] = ["preparing", "starting", "running", "collecting", "reporting", "closed"];

impl Moment {
    fn wait(self, host: &HostProcess, stage: &Stage, agent: &Installed) {
        match self {
            Self::Taken => wait_until(PATIENCE, "the task is taken", || taken(stage)),
            Self::State(reached) => wait_until(PATIENCE, reached, || shown(host, reached)),
            Self::Mark(mark) => agent.wait_for_mark(mark),
        }
    }
}

fn taken(stage: &Stage) -> Result<(), &'static str> {
    stage.task_file("hello").status().map(drop).ok_or("it has no status yet")
}

fn shown(host: &HostProcess, reached: &str) -> Result<(), String> {
    let printed = host.stdout();
    let mut later = STATES.iter().skip_while(|earlier| **earlier != reached);
    if later.any(|name| printed.contains(&format!("\"state\":\"{name}\""))) {
        return Ok(());
    }
    Err(host.stderr() + &printed)
}

/// The next host finishes what the killed one began.
fn assert_finished_by_the_next_host(stage: &Stage, agent: &Installed, told: &str) {
    let output = stage.run_once(&["--attempts", "1"]);
    assert!(output.code == Some(0), "{told}: {output:?}\n{}", stage.sandbox.host(&["show", "hello"]).stdout);
    let file = stage.task_file("hello");
    assert_eq!((file.status().as_deref(), file.reports()), (Some("done"), 1), "{told}: {}", file.text);
    stage.wait_until_nothing_lives();
    assert_no_overlap(agent);
    let run = stage.run("hello");
    let starts = agent.starts().unwrap();
    assert!(starts.iter().all(|start| start.cwd == starts[0].cwd), "{told}: one worktree: {starts:?}");
    let noted = std::fs::read_to_string(agent.shared("commits")).unwrap();
    assert!(!noted.is_empty(), "{told}: no work");
    let branch = run["branch"].as_str().unwrap();
    for commit in noted.lines() {
        // Fails where the branch has lost it.
        stage.repository.git(&["merge-base", "--is-ancestor", commit, branch]);
    }
    let lines = stage.on_branch("hello", "work.txt").lines().count();
    assert!(lines >= noted.lines().count(), "{told}: {lines} lines of {noted}");
    let ended = run["attempts"].as_array().unwrap();
    let (last, earlier) = ended.split_last().unwrap();
    assert_eq!(last["state"], "succeeded", "{told}: {run}");
    assert!(earlier.iter().all(|attempt| attempt["reason"] == "interrupted"), "{told}: {run}");
    assert!(ended.len() >= starts.len(), "{told}: every start is told: {run} {starts:?}");
}

fn killed_at(moment: Moment) {
    let (stage, agent) = scene();
    let mut host = stage.start_once(&["--json"]);
    moment.wait(&host, &stage, &agent);
    host.kill_9();
    assert_finished_by_the_next_host(&stage, &agent, &format!("{moment:?}"));
}

#[test]
fn a_host_killed_when_it_has_just_taken_the_task_loses_nothing() {
    killed_at(Moment::Taken);
}

#[test]
fn a_host_killed_while_it_prepares_the_worktree_loses_nothing() {
    killed_at(Moment::State("preparing"));
}

#[test]
fn a_host_killed_while_it_starts_the_agent_loses_nothing() {
    killed_at(Moment::State("starting"));
}

#[test]
fn a_host_killed_while_the_agent_runs_loses_nothing() {
    killed_at(Moment::State("running"));
}

#[test]
fn a_host_killed_after_the_agent_committed_loses_nothing() {
    killed_at(Moment::Mark("committed"));
}

#[test]
fn a_host_killed_after_the_agent_told_its_result_loses_nothing() {
    killed_at(Moment::Mark("told"));
}

#[test]
fn a_host_killed_while_it_looks_at_the_changes_loses_nothing() {
    killed_at(Moment::State("collecting"));
}

#[test]
fn a_host_killed_while_it_reports_reports_once() {
    killed_at(Moment::State("reporting"));
}

#[test]
fn a_host_killed_after_the_report_does_not_report_again() {
    let (stage, agent) = scene();
    let mut host = stage.start_once(&["--json"]);
    Moment::State("closed").wait(&host, &stage, &agent);
    host.kill_9();
    assert_eq!(stage.run_once(&[]).code, Some(0));
    stage.assert_reported_once("hello", "done");
    assert_eq!(agent.starts().unwrap().len(), 1);
}

#[test]
fn a_run_that_was_complete_when_its_host_was_killed_is_not_done_again() {
    let script = Script::always([
        Step::write("work.txt", "work\n"),
        Step::commit("Work"),
        Step::transcript(transcript("claude-success")),
        Step::hang(),
    ]);
    let (stage, agent) = Stage::with_claude(&script);
    stage.task("hello", "Write work.txt\n");
    let mut host = stage.start_once(&["--json"]);
    host.wait_for_stdout("the agent is finished", PATIENCE);
    host.kill_9();
    assert_eq!(stage.run_once(&[]).code, Some(0));
    stage.assert_reported_once("hello", "done");
    assert_eq!(agent.starts().unwrap().len(), 1, "a result that was told is a result");
}

#[test]
fn agents_do_not_outlive_a_killed_host() {
    let (stage, agent) =
        Stage::with_claude(&Script::always([Step::ignore_term(), Step::mark("working"), Step::hang()]));
    stage.task("hello", "Hang\n");
    let mut host = stage.start_once(&[]);
    agent.wait_for_mark("working");
    host.kill_9();
    stage.wait_until_nothing_lives();
}

#[test]
fn show_tells_that_a_run_was_interrupted_and_resumed() {
    let (stage, agent) = scene();
    let mut host = stage.start_once(&[]);
    agent.wait_for_mark("committed");
    host.kill_9();
    stage.wait_until_nothing_lives();
    assert_eq!(stage.run_once(&[]).code, Some(0));
    let shown = stage.sandbox.host(&["show", "hello"]).stdout;
    assert!(shown.contains("interrupted") && shown.contains("stopped or killed"), "{shown}");
    let starts = agent.starts().unwrap();
    assert!(starts[1].argv.iter().any(|word| word.starts_with("--resume=")), "{:?}", starts[1].argv);
}

/// How many times a host is killed at a random moment.
const ROUNDS: u64 = 15;

/// The latest of these moments: a whole run takes about this long.
const LATEST_MS: u64 = 900;

/// A different moment in every round, and the same ones in every run of the test.
fn moment_of(round: u64) -> Duration {
    let mut mixed = (round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Duration::from_millis((mixed ^ (mixed >> 31)) % LATEST_MS)
}

fn killed_at_random(rounds: impl Iterator<Item = u64>) {
    for round in rounds {
        let (stage, agent) = scene();
        let mut host = stage.start_once(&[]);
        // The moment is the subject here: nothing is waited for.
        std::thread::sleep(moment_of(round));
        host.kill_9();
        assert_finished_by_the_next_host(
            &stage,
            &agent,
            &format!("round {round}, after {:?}", moment_of(round)),
        );
    }
}

#[test]
fn hosts_killed_at_random_moments_lose_nothing() {
    killed_at_random((0..ROUNDS).step_by(2));
}

#[test]
fn hosts_killed_at_other_random_moments_lose_nothing() {
    killed_at_random((1..ROUNDS).step_by(2));
}

#[test]
fn a_host_that_is_killed_again_and_again_still_finishes() {
    let (stage, agent) = scene();
    for round in 0..6 {
        let mut host = stage.start_once(&[]);
        std::thread::sleep(moment_of(round));
        host.kill_9();
    }
    assert_finished_by_the_next_host(&stage, &agent, "killed six times");
}
