//! Agents that fail, each in its own way, and what becomes of their tasks.

use hostler_tests::processes::Process;
use hostler_tests::scripted_agent::{ChildKind, Replacement, Script, Step, imitations, transcript};
use hostler_tests::{PATIENCE, wait_until};

use crate::stage::{LONG, Stage};

/// The session of the recorded transcript.
const SESSION: &str = "bcec5d52-241e-4933-aa0b-d053c0b12faf";

fn success() -> Step {
    Step::transcript(transcript("claude-success"))
}

/// Prints the recorded transcript of a used-up allowance, renewed at this time.
fn out_of_quota(renewed_at: i64) -> [Step; 2] {
    let mut printed = Step::transcript(transcript("claude-oauth-quota"));
    if let Step::Transcript { replace, .. } = &mut printed {
        replace.push(Replacement { from: "1795164228".to_owned(), to: renewed_at.to_string() });
    }
    [printed, Step::exit(1)]
}

fn now_s() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

#[test]
fn a_failed_attempt_is_resumed_in_its_worktree_with_its_session() {
    let first = [
        Step::read_stdin(),
        Step::write("half.txt", "half\n"),
        Step::first_lines(3, transcript("claude-success")),
        Step::exit(1),
    ];
    let second = [Step::read_stdin(), Step::write("whole.txt", "whole\n"), success()];
    let (stage, agent) = Stage::with_claude(&Script::new().attempt(first).attempt(second));
    stage.task("hello", "Write files\n");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage.assert_reported_once("hello", "done");
    let starts = agent.starts().unwrap();
    assert_eq!(starts.len(), 2);
    assert_eq!(starts[0].cwd, starts[1].cwd);
    assert!(!starts[0].argv.iter().any(|word| word.starts_with("--resume")), "{:?}", starts[0].argv);
    assert!(starts[1].argv.contains(&format!("--resume={SESSION}")), "{:?}", starts[1].argv);
    let report = stage.task_file("hello").text;
    assert!(
        report.contains("2 attempts") && report.contains("half.txt") && report.contains("whole.txt"),
        "{report}"
    );
}

#[test]
fn a_run_out_of_quota_waits_and_says_until_when() {
    let renewed_at = now_s() + 7200;
    let (stage, agent) = Stage::with_claude(&Script::always(out_of_quota(renewed_at)));
    stage.task("hello", "Write hello.txt\n");
    let _host = stage.start(&[]);
    let run = stage.wait_for_state("hello", "waiting");
    assert_eq!(run["attempts"][0]["reason"], "quota");
    let shown = stage.sandbox.host(&["show", "hello"]).stdout;
    // The host waits five seconds more, so that no clock that differs a little is early.
    let until = jiff::Timestamp::from_second(renewed_at + 5).unwrap().strftime("%H:%M").to_string();
    assert!(shown.contains(&until), "not until {until}: {shown}");
    assert_eq!(agent.starts().unwrap().len(), 1);
    assert_eq!(stage.task_file("hello").reports(), 0);
}

#[test]
fn a_renewed_allowance_lets_the_run_go_on_in_its_session_without_costing_an_attempt() {
    let script = Script::new().attempt(out_of_quota(now_s())).attempt([success()]);
    let (stage, agent) = Stage::with_claude(&script);
    stage.task("hello", "Write hello.txt\n");
    let output = stage.run_once(&["--attempts", "1"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage.assert_reported_once("hello", "done");
    assert!(agent.starts().unwrap()[1].argv.iter().any(|word| word.starts_with("--resume=")));
}

#[test]
fn an_allowance_that_is_renewed_too_late_is_reported_at_once() {
    let (stage, agent) = Stage::with_claude(&Script::always(out_of_quota(now_s() + 7 * 24 * 3600)));
    stage.task("hello", "Write hello.txt\n");
    assert_eq!(stage.run_once(&[]).code, Some(10));
    stage.assert_reported_once("hello", "failed");
    assert!(stage.task_file("hello").text.contains("**Failed** (quota)"));
    assert_eq!(agent.starts().unwrap().len(), 1);
}

#[test]
fn a_refused_credential_is_reported_at_once_with_what_to_do() {
    let (stage, agent) = Stage::with_claude(&imitations::has_its_key_refused());
    stage.task("hello", "Write hello.txt\n");
    assert_eq!(stage.run_once(&[]).code, Some(10));
    stage.assert_reported_once("hello", "failed");
    let report = stage.task_file("hello").text;
    assert!(report.contains("**Failed** (auth)") && report.contains("API key"), "{report}");
    assert_eq!(agent.starts().unwrap().len(), 1, "a refused key is not tried again");
}

#[test]
fn an_agent_that_is_gone_before_its_start_is_reported_at_once() {
    let (stage, agent) = Stage::with_claude(&imitations::does_its_task());
    let host = stage.start(&[]);
    host.wait_for_stdout("Ctrl-C", PATIENCE);
    std::fs::remove_file(&agent.program).unwrap();
    stage.task("hello", "Write hello.txt\n");
    let run = stage.wait_for_state("hello", "closed");
    assert_eq!(run["report"]["reason"], "could-not-start");
    let message = run["report"]["message"].as_str().unwrap();
    assert!(message.contains(&agent.program.display().to_string()), "{message}");
    drop(host);
    stage.assert_reported_once("hello", "failed");
}

#[test]
fn an_agent_that_hangs_after_its_result_is_ended_and_has_succeeded() {
    let (stage, agent) = Stage::with_claude(&imitations::hangs_after_its_result());
    stage.task("hello", "Write hello.txt\n");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage.assert_reported_once("hello", "done");
    assert_eq!(agent.starts().unwrap().len(), 1);
}

#[test]
fn an_agent_that_falls_silent_is_ended_as_stalled() {
    let (stage, _) = Stage::with_claude(&imitations::hangs_in_the_middle());
    stage.task("hello", "Write hello.txt\n");
    let output = stage.run_once(&["--stall-limit", "2s", "--attempts", "1"]);
    assert_eq!(output.code, Some(10), "{output:?}");
    stage.assert_reported_once("hello", "failed");
    assert!(
        stage.task_file("hello").text.contains("**Failed** (stalled)"),
        "{}",
        stage.task_file("hello").text
    );
}

#[test]
fn an_agent_that_goes_on_talking_is_not_stalled() {
    let word = [Step::line("{}"), Step::Pause { ms: 250 }];
    let talks = Step::Repeat { times: 16, steps: word.to_vec() };
    let (stage, _) = Stage::with_claude(&Script::always([talks, success()]));
    stage.task("hello", "Write hello.txt\n");
    let output = stage.run_once(&["--stall-limit", "2s", "--attempts", "1"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage.assert_reported_once("hello", "done");
}

#[test]
fn an_agent_that_talks_for_ever_is_ended_at_its_time_limit() {
    let word = [Step::line("{}"), Step::Pause { ms: 100 }];
    let talks = Step::Repeat { times: 10_000, steps: word.to_vec() };
    let (stage, _) = Stage::with_claude(&Script::always([talks]));
    stage.task("hello", "Write hello.txt\n");
    let output = stage.run_once(&["--time-limit", "2s", "--attempts", "1"]);
    assert_eq!(output.code, Some(10), "{output:?}");
    stage.assert_reported_once("hello", "failed");
    assert!(
        stage.task_file("hello").text.contains("**Failed** (timed-out)"),
        "{}",
        stage.task_file("hello").text
    );
}

#[test]
fn everything_an_agent_left_behind_is_gone_when_its_run_is_over() {
    let script = Script::always([
        Step::ignore_term(),
        Step::spawn(ChildKind::Reforker),
        Step::Spawn { kind: ChildKind::Daemon, holds_stdout: true, ignores_term: true },
        Step::Spawn { kind: ChildKind::Session, holds_stdout: true, ignores_term: true },
        success(),
    ]);
    let (stage, agent) = Stage::with_claude(&script);
    stage.task("hello", "Leave everything behind\n");
    let mut host = stage.start(&[]);
    wait_until(LONG, "the report is there", || match stage.task_file("hello").reports() {
        1 => Ok(()),
        other => Err(other),
    });
    assert_eq!(agent.wait_for_start(1).children.len(), 3, "they did live");
    // The host looks at its repository with git, and tidies up.
    let own = |process: &Process| {
        let git = process.executable.file_name().is_some_and(|name| name == "git");
        process.pid == host.pid() || (process.parent == host.pid() && git)
    };
    let left: Vec<_> = stage.sandbox.processes().into_iter().filter(|process| !own(process)).collect();
    assert!(left.is_empty(), "{left:?}");
    host.terminate();
    assert_eq!(host.wait(LONG).code(), Some(0));
    stage.assert_reported_once("hello", "done");
}

/// How a failed run of this script is reported.
fn reason(script: &Script) -> String {
    let (stage, agent) = Stage::with_claude(script);
    stage.task("hello", "Write hello.txt\n");
    let output = stage.run_once(&["--attempts", "1"]);
    assert_eq!(output.code, Some(10), "{output:?}");
    stage.assert_reported_once("hello", "failed");
    assert_eq!(agent.starts().unwrap().len(), 1);
    stage.run("hello")["report"]["reason"].as_str().unwrap().to_owned()
}

#[test]
fn an_agent_that_ends_well_without_a_result_has_failed() {
    assert_eq!(reason(&imitations::ends_well_without_a_result()), "no-result");
}

#[test]
fn an_agent_that_crashes_in_the_middle_of_a_line_was_interrupted() {
    assert_eq!(reason(&imitations::crashes()), "interrupted");
}

#[test]
fn attempts_that_all_fail_are_counted_and_reported_once() {
    let (stage, agent) = Stage::with_claude(&imitations::ends_well_without_a_result());
    stage.task("hello", "Write hello.txt\n");
    assert_eq!(stage.run_once(&[]).code, Some(10));
    stage.assert_reported_once("hello", "failed");
    assert_eq!(agent.starts().unwrap().len(), 2);
    assert!(stage.task_file("hello").text.contains("2 attempts"));
}

#[test]
fn a_failed_task_is_tried_again_when_its_owner_says_todo() {
    let script = Script::new().attempt([Step::exit(1)]).attempt([Step::exit(1)]).attempt([success()]);
    let (stage, _) = Stage::with_claude(&script);
    stage.task("hello", "Write hello.txt\n");
    assert_eq!(stage.run_once(&[]).code, Some(10));
    let again = stage.task_file("hello").text.replace("status: failed", "status: todo");
    stage.repository.write("tasks/hello.md", &again);
    assert_eq!(stage.run_once(&[]).code, Some(0));
    let file = stage.task_file("hello");
    assert_eq!((file.status().as_deref(), file.reports()), (Some("done"), 2), "{}", file.text);
}
