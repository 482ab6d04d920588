//! Kills the host at every stage of a run and at random moments. Its agent works on,
//! the next host takes it up again and finishes the task: one start, one report, no work
//! lost, nothing left alive.

use std::time::Duration;

use hostler_tests::scripted_agent::{Installed, Script, Step, transcript};
use hostler_tests::{HostProcess, PATIENCE, wait_until};

use crate::stage::{LONG, Stage, assert_no_overlap, overlap_alarm};

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
    let stage = Stage::with_claude(&Script::new()).0.in_sight();
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
    // One that was started a moment before its host died, and whose supervisor was not
    // told yet what to mask, is ended unheard; any other outlives its host.
    let unheard = starts.len().saturating_sub(1);
    let interrupted = run["attempts"].as_array().unwrap().len() - 1;
    assert!(!starts.is_empty() && unheard <= interrupted, "{told}: an agent outlives its host: {run}");
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
    // A host that dies before the agent is there leaves an attempt that never was one.
    assert!(earlier.len() <= EARLIER, "{told}: {run}");
    assert_heard_once(stage, told);
}

/// Attempts that may have come to nothing before the agent's: each death of a host can
/// hit the moment between the decision to start and the start.
const EARLIER: usize = 6;

/// Every event of the agent is in the log once, whoever heard it.
fn assert_heard_once(stage: &Stage, told: &str) {
    let events = events(stage, "hello");
    let count = |kind: &str| events.iter().filter(|event| event["event"]["kind"] == kind).count();
    assert_eq!((count("started"), count("finished")), STARTED_AND_FINISHED, "{told}: {events:?}");
}

/// How often the scene's agent says that it has started and finished: its transcript is
/// begun twice and ended once.
const STARTED_AND_FINISHED: (usize, usize) = (2, 1);

/// What the agents of a run said, as it is kept.
fn events(stage: &Stage, key: &str) -> Vec<serde_json::Value> {
    let id = stage.run(key)["id"].as_str().unwrap().to_owned();
    let path = stage.sandbox.state_folder().join("runs").join(id).join("events.jsonl");
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
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

/// Works, tells the test, and finishes when the test lets it.
fn works_until_let_go() -> Script {
    Script::always([
        Step::read_stdin(),
        Step::write("work.txt", "work\n"),
        Step::commit("Work"),
        Step::first_lines(3, transcript("claude-success")),
        Step::mark("working"),
        Step::wait_for("go"),
        Step::transcript(transcript("claude-success")),
        Step::mark("told"),
    ])
}

/// A task, an agent at work on it, and its host killed.
fn orphaned() -> (Stage, Installed) {
    let (stage, agent) = Stage::with_claude(&works_until_let_go());
    stage.task("hello", "Write work.txt\n");
    let mut host = stage.start_once(&["--json"]);
    agent.wait_for_mark("working");
    // The engine knows that it works.
    Moment::State("running").wait(&host, &stage, &agent);
    host.kill_9();
    assert!(!stage.sandbox.processes().is_empty(), "the agent works on");
    (stage, agent)
}

/// One attempt, done well, and told once.
fn assert_one_attempt(stage: &Stage, agent: &Installed) {
    stage.assert_reported_once("hello", "done");
    assert_eq!(agent.starts().unwrap().len(), 1);
    let run = stage.run("hello");
    let attempts = run["attempts"].as_array().unwrap();
    assert_eq!((attempts.len(), &attempts[0]["state"]), (1, &"succeeded".into()), "{run}");
    assert_heard_once(stage, "one attempt");
}

#[test]
fn an_agent_works_on_without_its_host_and_the_next_one_takes_it_up_in_the_same_attempt() {
    let (stage, agent) = orphaned();
    let mut host = stage.start_once(&["--json"]);
    host.wait_for_stdout("\"state\":\"running\"", PATIENCE);
    agent.let_go("go").unwrap();
    assert_eq!(host.wait(LONG).code(), Some(0), "{}", host.stderr());
    assert_one_attempt(&stage, &agent);
    assert_eq!(stage.on_branch("hello", "work.txt"), "work");
}

#[test]
fn an_agent_that_finished_while_no_host_was_there_is_not_started_again() {
    let (stage, agent) = orphaned();
    agent.let_go("go").unwrap();
    stage.wait_until_nothing_lives();
    assert_eq!(stage.run_once(&[]).code, Some(0));
    assert_one_attempt(&stage, &agent);
    let used = &stage.run("hello")["attempts"][0]["usage"];
    assert!(used["output_tokens"].as_u64().unwrap() > 0, "{used}");
}

#[test]
fn an_agent_that_failed_while_no_host_was_there_has_failed() {
    let (stage, agent) = Stage::with_claude(&Script::always([
        Step::mark("working"),
        Step::wait_for("go"),
        Step::complain("out of ideas"),
        Step::Exit { code: 3 },
    ]));
    stage.task("hello", "Fail\n");
    let mut host = stage.start_once(&["--json", "--attempts", "1"]);
    agent.wait_for_mark("working");
    Moment::State("running").wait(&host, &stage, &agent);
    host.kill_9();
    agent.let_go("go").unwrap();
    stage.wait_until_nothing_lives();
    assert_eq!(stage.run_once(&[]).code, Some(10));
    let run = stage.run("hello");
    assert_eq!(run["attempts"].as_array().unwrap().len(), 1, "{run}");
    assert_ne!(run["attempts"][0]["reason"], "interrupted", "{run}");
    stage.assert_reported_once("hello", "failed");
}

#[test]
fn an_agent_whose_hosts_are_killed_again_and_again_is_one_attempt_to_the_end() {
    let (stage, agent) = orphaned();
    for _ in 0..4 {
        let mut host = stage.start_once(&["--json"]);
        host.wait_for_stdout("\"state\":\"running\"", PATIENCE);
        host.kill_9();
    }
    agent.let_go("go").unwrap();
    assert_eq!(stage.run_once(&[]).code, Some(0));
    assert_one_attempt(&stage, &agent);
}

#[test]
fn a_task_cancelled_while_no_host_was_there_ends_its_agent() {
    let (stage, agent) = orphaned();
    let text = stage.task_file("hello").text.replace("status: doing", "status: cancelled");
    stage.repository.write("tasks/hello.md", &text);
    assert_eq!(stage.run_once(&[]).code, Some(10));
    stage.assert_reported_once("hello", "cancelled");
    assert_eq!(agent.starts().unwrap().len(), 1);
}

/// Ends everything at once, as a power cut does.
fn power_cut(stage: &Stage, host: &mut HostProcess) {
    host.kill_9();
    while !stage.sandbox.processes().is_empty() {
        for process in stage.sandbox.processes() {
            if let Some(pid) = rustix::process::Pid::from_raw(process.pid) {
                // One that has just ended needs no killing.
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}

#[test]
fn an_agent_that_died_with_its_host_is_told_as_interrupted_and_resumed() {
    let (stage, agent) = scene();
    let mut host = stage.start_once(&[]);
    agent.wait_for_mark("committed");
    power_cut(&stage, &mut host);
    assert_eq!(stage.run_once(&[]).code, Some(0));
    let shown = stage.sandbox.host(&["show", "hello"]).stdout;
    assert!(shown.contains("interrupted"), "{shown}");
    let starts = agent.starts().unwrap();
    assert_eq!(starts.len(), 2);
    assert!(starts[1].argv.iter().any(|word| word.starts_with("--resume=")), "{:?}", starts[1].argv);
}

#[test]
fn a_closed_terminal_takes_the_host_and_leaves_the_agent() {
    let (stage, agent) = Stage::with_claude(&works_until_let_go());
    stage.task("hello", "Write work.txt\n");
    let mut host = stage.start(&["--json"]);
    agent.wait_for_mark("working");
    Moment::State("running").wait(&host, &stage, &agent);
    host.signal(rustix::process::Signal::HUP);
    assert_eq!(host.wait(LONG).code(), Some(0), "{}", host.stderr());
    assert!(!stage.sandbox.processes().is_empty(), "the agent works on");
    agent.let_go("go").unwrap();
    assert_eq!(stage.run_once(&[]).code, Some(0));
    assert_one_attempt(&stage, &agent);
}

#[test]
fn a_detached_host_says_that_its_agent_works_on() {
    let (stage, agent) = Stage::with_claude(&works_until_let_go());
    stage.task("hello", "Write work.txt\n");
    let mut host = stage.start(&[]);
    agent.wait_for_mark("working");
    stage.wait_for_state("hello", "running");
    let detached = stage.sandbox.host(&["detach"]);
    assert_eq!(detached.code, Some(0), "{detached:?}");
    assert!(detached.stdout.contains("1 agent works on"), "{detached:?}");
    assert_eq!(host.wait(LONG).code(), Some(0), "{}", host.stderr());
    assert!(host.stdout().contains("1 agent works on; `host run` takes it up again."), "{}", host.stdout());
    agent.let_go("go").unwrap();
    assert_eq!(stage.run_once(&[]).code, Some(0));
    assert_one_attempt(&stage, &agent);
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
