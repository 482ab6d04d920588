//! What the plugin makes of recorded runs of Codex 0.169.0.
#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use hostler_plugin_codex::session::CodexSession;
use hostler_sdk::Event;
use hostler_sdk::testing::{Read, Transcript, job};

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
    }
}

const fn failure(
    name: &'static str,
    reason: &'static str,
    class: &'static str,
    message: &'static str,
) -> Case {
    Case { name, exit: 1, reason, class, message, summary: "", tokens: [0, 0, 0] }
}

fn cases() -> Vec<Case> {
    vec![
        success("success"),
        success("stdin-prompt"),
        success("apply-patch"),
        success("bash-bypass"),
        success("cmd-fails"),
        success("denied"),
        success("plan"),
        success("resume-1"),
        Case { summary: "I remember", tokens: [3600, 120, 1500], ..success("resume-2") },
        failure("400", "invalid-request", "permanent", "fake invalid request"),
        failure("401", "auth", "auth", "401 Unauthorized"),
        failure("nokey", "auth", "auth", "Missing environment variable"),
        failure("404", "model-not-found", "permanent", "does not exist"),
        failure("429", "rate-limited", "retryable", "429 Too Many Requests"),
        failure("429-noretry", "rate-limited", "retryable", "429 Too Many Requests"),
        failure("500", "server", "retryable", "high demand"),
        failure("500-noretry", "server", "retryable", "high demand"),
        failure("toolong", "context-too-long", "permanent", "ran out of room"),
        failure("quota", "quota", "quota", "Quota exceeded"),
        failure("usage", "quota", "quota", "hit your usage limit"),
        Case { exit: -9, ..failure("refused", "network", "retryable", "waiting for network") },
        failure("sigint", "no-result", "retryable", "exit code 1"),
        Case { exit: -15, ..failure("sigterm", "interrupted", "retryable", "signal 15") },
        Case { exit: -15, ..failure("toolkill-TERM", "interrupted", "retryable", "signal 15") },
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
    transcript.read::<CodexSession>(&job("task"), 3)
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
        assert_eq!(usage.cost_usd, None, "{name}");
        assert!(outcome.session.is_some_and(|session| session.starts_with("01a1f7")), "{name}");
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
        let whole = transcript.read::<CodexSession>(&job("task"), 1_000_000);
        for lines in [1, 2, 5] {
            assert_eq!(transcript.read::<CodexSession>(&job("task"), lines), whole, "{}", case.name);
        }
    }
}

#[test]
fn tools_start_and_end_under_one_id() {
    let tools = |name: &str| -> Vec<String> {
        let read = read(&transcript(name, 0));
        let tool = |event: &Event| match event {
            Event::Tool(tool) => Some(format!("{} {} {} {}", tool.id, tool.state, tool.name, tool.summary)),
            _ => None,
        };
        read.events().filter_map(tool).collect()
    };
    assert_eq!(
        tools("apply-patch"),
        ["item_1 started edit /home/dev/repo/hello.txt", "item_1 finished edit /home/dev/repo/hello.txt"]
    );
    assert!(tools("cmd-fails").iter().any(|tool| tool.contains(" failed shell ")));
}

#[test]
fn reconnecting_is_alive_but_failing() {
    let read = read(&transcript("401", 1));
    assert_eq!(read.events().filter(|event| matches!(event, Event::Retrying(_))).count(), 5);
}

#[test]
fn a_used_up_allowance_is_an_event_of_its_own() {
    let read = read(&transcript("usage", 1));
    assert!(read.events().any(|event| matches!(event, Event::Quota(quota) if quota.status == "exhausted")));
}

#[test]
fn noise_around_the_json_is_no_harm() {
    let noise = "warning: x\n{\"type\":\"brand.new\"}\n{\"type\":\"item.completed\",\"item\":7}\n{\"type\":\"turn.completed\"}\n{\"ty";
    assert_eq!(read(&Transcript::new(noise, "", 0)).outcome.state, "succeeded");
}

#[test]
fn a_refused_session_is_not_offered_for_resuming_again() {
    let stderr = "Error: thread/resume: no rollout found for thread id 00000000";
    let outcome = read(&Transcript::new("", stderr, 1)).outcome;
    assert_eq!((&*outcome.reason, outcome.session), ("session-refused", None));
}

#[test]
fn what_the_host_ended_early_is_named_so() {
    for (why, class) in [("cancelled", "cancelled"), ("budget", "budget"), ("stalled", "retryable")] {
        let outcome = read(&transcript("sigterm", -15).ended_by_host(why)).outcome;
        assert_eq!(outcome.class, class, "{why}");
    }
}
