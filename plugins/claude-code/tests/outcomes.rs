//! What the plugin makes of recorded runs of Claude Code 2.1.328.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use hostler_plugin_claude_code::session::ClaudeSession;
use hostler_sdk::testing::{Read, Transcript, job};
use hostler_sdk::{Event, Usage};

/// One recorded run and what must come of it.
struct Case {
    name: &'static str,
    code: i32,
    reason: &'static str,
    class: &'static str,
    message: &'static str,
    summary: &'static str,
    tokens: [u32; 3],
    cost: Option<f64>,
}

const WROTE: &str = "All done: wrote hello.txt.";

const fn success(name: &'static str) -> Case {
    Case {
        name,
        code: 0,
        reason: "",
        class: "",
        message: "",
        summary: WROTE,
        tokens: [4000, 80, 1000],
        cost: Some(0.01095),
    }
}

const fn failure(
    name: &'static str,
    reason: &'static str,
    class: &'static str,
    message: &'static str,
) -> Case {
    Case { name, code: 1, reason, class, message, summary: "", tokens: [0, 0, 0], cost: Some(0.0) }
}

fn cases() -> Vec<Case> {
    let denied = |name| Case {
        code: 0,
        reason: "permission-denied",
        class: "permanent",
        message: "denied everything",
        ..success(name)
    };
    let killed =
        |name| Case { code: 143, cost: None, ..failure(name, "interrupted", "retryable", "exit code 143") };
    vec![
        success("success"),
        success("stdin-prompt"),
        success("hooks"),
        success("midstream"),
        success("partial"),
        success("oauth-success"),
        success("oauth-success_warn_1"),
        success("resume-1"),
        Case { summary: "I remember", tokens: [2000, 40, 500], cost: Some(0.005_475), ..success("resume-2") },
        denied("denied"),
        denied("allowed"),
        denied("dontask"),
        failure("400", "invalid-request", "permanent", "fake invalid request"),
        failure("401", "auth", "auth", "Invalid API key"),
        failure("401-default-retries", "auth", "auth", "Invalid API key"),
        failure("404", "model-not-found", "permanent", "issue with the selected model"),
        failure("429", "rate-limited", "retryable", "rejected (429)"),
        failure("quota", "rate-limited", "retryable", "rejected (429)"),
        failure("500", "server", "retryable", "500 Internal server error"),
        failure("nologin", "auth", "auth", "Not logged in"),
        failure("oauth-quota", "quota", "quota", "hit your 5-hour limit"),
        failure("refused", "network", "retryable", "Connection refused"),
        failure("toolong", "context-too-long", "permanent", "Prompt is too long"),
        failure("bypass-root-result", "could-not-start", "permanent", "root/sudo"),
        Case { cost: None, ..failure("bash-bypass", "could-not-start", "permanent", "root/sudo") },
        Case {
            tokens: [2000, 40, 500],
            cost: Some(0.005_475),
            ..failure("maxturns", "budget", "budget", "maximum number of turns (1)")
        },
        killed("sigterm"),
        killed("toolkill-TERM"),
    ]
}

fn transcript(name: &str, code: i32) -> Transcript {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    Transcript::load(&directory, name, code).unwrap()
}

fn read(transcript: &Transcript) -> Read {
    transcript.read::<ClaudeSession>(&job("task"), 3)
}

#[test]
fn every_recorded_run_has_the_outcome_a_person_would_give_it() {
    for case in cases() {
        let name = case.name;
        let outcome = read(&transcript(name, case.code)).outcome;
        let state = if case.reason.is_empty() { "succeeded" } else { "failed" };
        assert_eq!(outcome.state, state, "{name}: {outcome:?}");
        assert_eq!(outcome.reason, case.reason, "{name}: {outcome:?}");
        assert_eq!(outcome.class, case.class, "{name}");
        assert!(outcome.message.contains(case.message), "{name}: {}", outcome.message);
        assert_eq!(outcome.summary, case.summary, "{name}");
        let [input_tokens, output_tokens, cached_tokens] = case.tokens;
        let counted = (outcome.usage.input_tokens, outcome.usage.output_tokens, outcome.usage.cached_tokens);
        assert_eq!(counted, (input_tokens, output_tokens, cached_tokens), "{name}");
        match (outcome.usage.cost_usd, case.cost) {
            (Some(cost), Some(wanted)) => assert!((cost - wanted).abs() < 1e-9, "{name}: {cost}"),
            (cost, wanted) => assert_eq!(cost, wanted, "{name}"),
        }
        let started = name != "bash-bypass";
        assert_eq!(outcome.session.is_some(), started, "{name}");
    }
}

#[test]
fn every_fixture_is_in_the_table() {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    for file in directory.read_dir().unwrap() {
        let name = file.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
        assert!(cases().iter().any(|case| case.name == name), "{name} is not in the table");
    }
}

#[test]
fn the_way_lines_are_bundled_changes_nothing() {
    for case in cases() {
        let transcript = transcript(case.name, case.code);
        let whole = transcript.read::<ClaudeSession>(&job("task"), 1_000_000);
        for lines in [1, 2, 7] {
            assert_eq!(transcript.read::<ClaudeSession>(&job("task"), lines), whole, "{}", case.name);
        }
    }
}

#[test]
fn a_successful_run_tells_its_story_in_order() {
    let read = read(&transcript("success", 0));
    let story: Vec<String> = read.events().map(describe).collect();
    assert_eq!(
        story,
        [
            "started bcec5d52-241e-4933-aa0b-d053c0b12faf claude-sonnet-4-5",
            "text I will write the file.",
            "tool started Write /home/dev/repo/hello.txt",
            "tool finished Write ",
            "text All done: wrote hello.txt.",
            "usage 4000",
            "finished true All done: wrote hello.txt.",
        ]
    );
    assert_eq!(read.outcome.session.as_deref(), Some("bcec5d52-241e-4933-aa0b-d053c0b12faf"));
}

#[test]
fn a_denied_tool_ends_as_denied_and_not_also_as_failed() {
    let read = read(&transcript("denied", 0));
    let states: Vec<&str> = read
        .events()
        .filter_map(|event| match event {
            Event::Tool(tool) => Some(&*tool.state),
            _ => None,
        })
        .collect();
    assert_eq!(states, ["started", "denied"]);
}

#[test]
fn a_used_up_allowance_says_when_it_is_renewed() {
    let read = read(&transcript("oauth-quota", 1));
    assert_eq!(read.outcome.resets_at, Some(1_795_164_228_000.0));
    let quota = read.events().find_map(|event| match event {
        Event::Quota(quota) => Some(quota),
        _ => None,
    });
    assert_eq!(
        quota.map(|quota| (&*quota.status, quota.resets_at)),
        Some(("exhausted", Some(1_795_164_228_000.0)))
    );
}

#[test]
fn a_nearly_used_up_allowance_is_a_warning_and_no_failure() {
    let read = read(&transcript("oauth-success_warn_1", 0));
    let warned = read.events().any(|event| matches!(event, Event::Quota(quota) if quota.status == "warning"));
    assert!(warned);
    assert_eq!(read.outcome.resets_at, None);
}

#[test]
fn retries_are_shown_as_alive_but_failing() {
    let read = read(&transcript("401-default-retries", 1));
    let retries = read.events().filter(|event| matches!(event, Event::Retrying(_))).count();
    assert_eq!(retries, 10);
}

#[test]
fn a_run_without_a_result_is_told_apart_from_a_failed_one() {
    let init = r#"{"type":"system","subtype":"init","session_id":"s","model":"m"}"#;
    let outcome = read(&Transcript::new(init, "", 0)).outcome;
    assert_eq!((&*outcome.reason, &*outcome.class), ("no-result", "retryable"));
    assert_eq!(outcome.session.as_deref(), Some("s"));
}

#[test]
fn noise_around_the_json_is_no_harm() {
    let result = r#"{"result":"ok","subtype":"success","is_error":false,"type":"result"}"#;
    let noise = format!("npm notice\n{{\"type\":\"new_thing\"}}\n[1,2]\n\n{result}\n{{\"type\":\"resu");
    let outcome = read(&Transcript::new(&noise, "", 0)).outcome;
    assert_eq!((&*outcome.state, &*outcome.summary), ("succeeded", "ok"));
}

#[test]
fn a_refused_session_is_not_offered_for_resuming_again() {
    let stderr = "No conversation found with session ID: 7f9c";
    let outcome = read(&Transcript::new("", stderr, 1)).outcome;
    assert_eq!((&*outcome.reason, outcome.session), ("session-refused", None));
}

#[test]
fn a_process_ended_by_the_host_after_its_result_succeeded() {
    let ended = transcript("success", 0).signalled(15).ended_by_host("finished");
    assert_eq!(read(&ended).outcome.state, "succeeded");
    let crashed = transcript("success", 0).signalled(11);
    assert_eq!(read(&crashed).outcome.reason, "exit-code");
}

#[test]
fn what_the_host_ended_early_is_named_so() {
    for (why, class) in [("cancelled", "cancelled"), ("budget", "budget"), ("stalled", "retryable")] {
        let outcome = read(&transcript("sigterm", 143).ended_by_host(why)).outcome;
        assert_eq!(outcome.class, class, "{why}");
    }
}

fn describe(event: &Event) -> String {
    match event {
        Event::Started(info) => {
            format!(
                "started {} {}",
                info.session.as_deref().unwrap_or("-"),
                info.model.as_deref().unwrap_or("-")
            )
        }
        Event::Text(text) => format!("text {text}"),
        Event::Tool(tool) => format!("tool {} {} {}", tool.state, tool.name, tool.summary),
        Event::Usage(Usage { input_tokens, .. }) => format!("usage {input_tokens}"),
        Event::Finished(finished) => format!("finished {} {}", finished.success, finished.summary),
        other => format!("{other:?}"),
    }
}
