//! What the plugin makes of recorded runs of OpenCode 1.18.33.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use hostler_plugin_opencode::OpenCode;
use hostler_plugin_opencode::session::OpenCodeSession;
use hostler_sdk::testing::{Read, Transcript, job};
use hostler_sdk::{Event, Provider};

/// One recorded run and what must come of it.
struct Case {
    name: &'static str,
    /// Exit code, or a signal as a negative number.
    exit: i32,
    reason: &'static str,
    class: &'static str,
    message: &'static str,
    summary: &'static str,
    tokens: [u32; 3],
    cost: Option<f64>,
}

const fn success(name: &'static str) -> Case {
    Case {
        name,
        exit: 0,
        reason: "",
        class: "",
        message: "",
        summary: "All done: wrote hello.txt.",
        tokens: [2400, 80, 1000],
        cost: Some(0.00156),
    }
}

const fn failure(
    name: &'static str,
    reason: &'static str,
    class: &'static str,
    message: &'static str,
) -> Case {
    Case { name, exit: 1, reason, class, message, summary: "", tokens: [0, 0, 0], cost: None }
}

fn cases() -> Vec<Case> {
    let killed = |name, exit, message| Case { exit, ..failure(name, "interrupted", "retryable", message) };
    vec![
        success("success"),
        success("stdin-prompt"),
        success("bash-bypass"),
        Case {
            reason: "permission-denied",
            class: "permanent",
            message: "denied",
            summary: "I will write the file.",
            tokens: [1200, 40, 500],
            cost: Some(0.00078),
            ..success("denied")
        },
        failure("400", "invalid-request", "permanent", "fake invalid request"),
        failure("401", "auth", "auth", "Incorrect API key"),
        failure("404", "model-not-found", "permanent", "does not exist"),
        failure("429", "rate-limited", "retryable", "Rate limit reached"),
        failure("quota", "quota", "quota", "exceeded your current quota"),
        failure("500", "server", "retryable", "server had an error"),
        failure("toolong", "context-too-long", "permanent", "exceeds the context window"),
        failure("badmodel", "exit-code", "retryable", "Unexpected server error"),
        failure("midstream", "server", "retryable", "midstream failure"),
        failure("resume-bad", "session-refused", "retryable", "Session not found"),
        killed("sigterm", -15, "signal 15"),
        killed("sigint", -2, "signal 2"),
        killed("toolkill-TERM", -15, "signal 15"),
    ]
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

fn transcript(name: &str, exit: i32) -> Transcript {
    let transcript = Transcript::load(&directory(), name, exit).unwrap();
    if exit < 0 { transcript.signalled(-exit) } else { transcript }
}

fn read(transcript: &Transcript) -> Read {
    transcript.read::<OpenCodeSession>(&job("task"), 3)
}

#[test]
fn every_recorded_run_has_the_outcome_a_person_would_give_it() {
    for case in cases() {
        let name = case.name;
        let outcome = read(&transcript(name, case.exit)).outcome;
        assert_eq!(
            outcome.state,
            if case.reason.is_empty() { "succeeded" } else { "failed" },
            "{name}: {outcome:?}"
        );
        assert_eq!(outcome.reason, case.reason, "{name}: {outcome:?}");
        assert_eq!(outcome.class, case.class, "{name}");
        assert!(outcome.message.contains(case.message), "{name}: {}", outcome.message);
        assert_eq!(outcome.summary, case.summary, "{name}");
        let usage = outcome.usage;
        assert_eq!([usage.input_tokens, usage.output_tokens, usage.cached_tokens], case.tokens, "{name}");
        match (usage.cost_usd, case.cost) {
            (Some(cost), Some(wanted)) => assert!((cost - wanted).abs() < 1e-9, "{name}: {cost}"),
            (cost, wanted) => assert_eq!(cost, wanted, "{name}"),
        }
        assert_eq!(outcome.session.is_some(), name != "resume-bad", "{name}");
    }
}

#[test]
fn every_fixture_is_in_the_table() {
    for file in directory().read_dir().unwrap() {
        let name = file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(cases().iter().any(|case| case.name == name), "{name} is not in the table");
    }
}

#[test]
fn the_way_lines_are_bundled_changes_nothing() {
    for case in cases() {
        let transcript = transcript(case.name, case.exit);
        let whole = transcript.read::<OpenCodeSession>(&job("task"), 1_000_000);
        for lines in [1, 2, 5] {
            assert_eq!(transcript.read::<OpenCodeSession>(&job("task"), lines), whole, "{}", case.name);
        }
    }
}

#[test]
fn a_denied_tool_is_shown_as_denied() {
    let read = read(&transcript("denied", 0));
    let denied =
        |event: &Event| matches!(event, Event::Tool(tool) if tool.state == "denied" && tool.name == "write");
    assert!(read.events().any(denied));
}

#[test]
fn an_exit_without_a_stop_is_no_success() {
    let outcome = read(&Transcript::new(r#"{"type":"step_start","sessionID":"s","part":{}}"#, "", 0)).outcome;
    assert_eq!((&*outcome.reason, outcome.session.as_deref()), ("no-result", Some("s")));
}

#[test]
fn noise_around_the_json_is_no_harm() {
    let stop = r#"{"type":"step_finish","sessionID":"s","part":{"reason":"stop","tokens":7}}"#;
    let noise = format!("warning\n{stop}\n{{\"type\":\"new\"}}\n{{\"type\":\"tex");
    // A field of an unexpected shape costs that line, so the stop must come again.
    let outcome = read(&Transcript::new(&noise, "", 0)).outcome;
    assert_eq!(outcome.reason, "no-result");
    let noise = noise.replace(",\"tokens\":7", "");
    assert_eq!(read(&Transcript::new(&noise, "", 0)).outcome.state, "succeeded");
}

#[test]
fn what_the_host_ended_early_is_named_so() {
    for (why, class) in [("cancelled", "cancelled"), ("budget", "budget"), ("stalled", "retryable")] {
        let outcome = read(&transcript("sigterm", -15).ended_by_host(why)).outcome;
        assert_eq!(outcome.class, class, "{why}");
    }
}

#[test]
fn each_permission_and_session_has_its_command() {
    for (permission, session, command) in [
        ("safe", None, "start"),
        ("auto-edits", None, "start"),
        ("full-auto", None, "start-auto"),
        ("safe", Some("ses_1"), "resume"),
        ("full-auto", Some("ses_1"), "resume-auto"),
    ] {
        let mut job = job("do it");
        job.permission = permission.into();
        job.session = session.map(str::to_owned);
        let invocation = OpenCode::launch(&job).unwrap();
        assert_eq!(invocation.command, command);
        assert_eq!(invocation.slots.len(), usize::from(session.is_some()));
        assert_eq!(invocation.stdin.as_deref(), Some(&b"do it"[..]));
    }
}
