//! What the plugin makes of Cursor's output. The lines are written after the documented
//! and reported shapes: without an account nothing could be recorded.
#![allow(clippy::unwrap_used)]

use hostler_plugin_cursor::session::CursorSession;
use hostler_sdk::provider::{Job, Output};
use hostler_sdk::testing::{Read, Transcript, job};
use hostler_sdk::{Event, Outcome};
use serde_json::{Value, json};

const SESSION: &str = "c6b62c6f-7ead-4fd6-9922-e952131177ff";

fn lines(lines: &[Value]) -> String {
    let with_session = lines.iter().cloned().map(|mut line| {
        line["session_id"] = json!(SESSION);
        format!("{line}\n")
    });
    with_session.collect()
}

fn init() -> Value {
    json!({
        "type": "system", "subtype": "init", "apiKeySource": "env", "cwd": "/repo", "model": "Auto",
        "permissionMode": "default"
    })
}

fn said(text: &str) -> Value {
    json!({ "type": "assistant", "message": { "role": "assistant", "content": [{ "type": "text", "text": text }] } })
}

fn tool(subtype: &str, call: &Value) -> Value {
    json!({ "type": "tool_call", "subtype": subtype, "call_id": "call_1\nfc_1", "tool_call": call })
}

fn shell(result: &Value) -> Value {
    tool("completed", &json!({ "shellToolCall": { "args": { "command": "npm test" }, "result": result } }))
}

fn result() -> Value {
    json!({
        "type": "result", "subtype": "success", "duration_ms": 4986, "duration_api_ms": 4986, "is_error": false,
        "result": "I look.All done: wrote hello.txt.", "request_id": "r",
        "usage": { "inputTokens": 3000, "outputTokens": 80, "cacheReadTokens": 1000, "cacheWriteTokens": 0 }
    })
}

/// A whole run that went well.
fn success() -> Vec<Value> {
    vec![
        init(),
        json!({ "type": "user", "message": { "role": "user", "content": [{ "type": "text", "text": "task" }] } }),
        json!({ "type": "thinking", "subtype": "delta", "text": "hm" }),
        said("I look."),
        tool("started", &json!({ "shellToolCall": { "args": { "command": "npm test" } } })),
        shell(&json!({ "success": { "exitCode": 0, "stdout": "ok" } })),
        said("All done: wrote hello.txt."),
        result(),
    ]
}

fn read(transcript: &Transcript, job: &Job) -> Read {
    let read = transcript.read::<CursorSession>(job, 1);
    assert_eq!(transcript.read::<CursorSession>(job, 100), read, "however the lines come");
    read
}

fn outcome(stdout: &str, stderr: &str, code: i32) -> Outcome {
    read(&Transcript::new(stdout, stderr, code), &job("task")).outcome
}

fn reason(outcome: &Outcome) -> (&str, &str) {
    (&outcome.reason, &outcome.class)
}

#[test]
fn a_run_that_went_well_has_the_last_word_as_summary_and_can_be_resumed() {
    let outcome = outcome(&lines(&success()), "", 0);
    assert_eq!(outcome.state, "succeeded");
    assert_eq!(outcome.summary, "All done: wrote hello.txt.");
    assert_eq!(outcome.session.as_deref(), Some(SESSION));
    let usage = outcome.usage;
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.cached_tokens), (4000, 80, 1000));
}

#[test]
fn its_events_are_start_text_tools_usage_and_end() {
    let read = read(&Transcript::new(&lines(&success()), "", 0), &job("task"));
    let events: Vec<&Event> = read.events().collect();
    assert!(matches!(events[0], Event::Started(info) if info.session.as_deref() == Some(SESSION)));
    assert!(matches!(events[1], Event::Text(text) if text == "I look."));
    let tools: Vec<(&str, &str, &str)> = events
        .iter()
        .filter_map(|event| match event {
            Event::Tool(tool) => Some((&*tool.name, &*tool.summary, &*tool.state)),
            _ => None,
        })
        .collect();
    assert_eq!(tools, [("shell", "npm test", "started"), ("shell", "npm test", "finished")]);
    assert!(matches!(events.last(), Some(Event::Finished(end)) if end.success));
    assert!(read.outputs.iter().all(|output| matches!(output, Output::Event(_))));
}

#[test]
fn a_process_that_stays_open_after_its_result_is_ended_by_the_host_and_succeeded() {
    let transcript = Transcript::new(&lines(&success()), "", 0).signalled(9).ended_by_host("finished");
    assert_eq!(read(&transcript, &job("task")).outcome.state, "succeeded");
}

#[test]
fn events_on_standard_error_do_not_count_twice_and_are_no_message() {
    let stdout = lines(&success());
    let once = read(&Transcript::new(&stdout, "", 0), &job("task"));
    assert_eq!(read(&Transcript::new(&stdout, &stdout, 0), &job("task")), once);
    let outcome = outcome(&lines(&[init()]), &lines(&[init()]), 1);
    assert!(!outcome.message.contains("session_id"), "{}", outcome.message);
}

#[test]
fn failures_in_plain_text_are_told_apart_on_either_stream() {
    let invalid = "⚠ Warning: The provided API key is invalid.\nThe API key was loaded from the CURSOR_API_KEY environment variable.";
    let limit = "Error: You've hit your usage limit\nGet Cursor Pro for more Agent usage, unlimited Tab, and more.\nspendLimitHit: false";
    for (text, expected) in [
        (invalid, ("auth", "auth")),
        ("Error: Authentication required. Please run 'cursor-agent login' first.", ("auth", "auth")),
        ("Error: [unauthenticated] Error", ("auth", "auth")),
        (limit, ("quota", "quota")),
        ("T: You've hit your free requests limit.", ("quota", "quota")),
        ("Cannot use this model: x. Available models: auto", ("model-not-found", "permanent")),
        ("Error: [resource_exhausted] Error", ("rate-limited", "retryable")),
        ("Error: [unavailable] Error", ("server", "retryable")),
        ("Error: connect ECONNREFUSED 127.0.0.1:443", ("network", "retryable")),
        ("error: unknown option '--trust'", ("could-not-start", "permanent")),
        ("segmentation fault", ("exit-code", "retryable")),
    ] {
        assert_eq!(reason(&outcome(text, "", 1)), expected, "{text}");
        assert_eq!(reason(&outcome("", text, 1)), expected, "{text}");
    }
}

#[test]
fn a_used_up_allowance_is_told_while_it_is_read() {
    let limit = "Error: You've hit your usage limit";
    for (stdout, stderr) in [(limit, ""), ("", limit)] {
        let read = read(&Transcript::new(stdout, stderr, 1), &job("task"));
        let told = |event: &Event| matches!(event, Event::Quota(quota) if quota.status == "exhausted");
        assert!(read.events().any(told), "{read:?}");
    }
}

#[test]
fn a_stream_that_simply_stops_is_no_success() {
    let started = lines(&success()[..4]);
    assert_eq!(reason(&outcome(&started, "", 0)), ("no-result", "retryable"));
    assert_eq!(reason(&outcome(&started, "", 1)), ("no-result", "retryable"));
    assert_eq!(reason(&outcome("", "", 0)), ("no-result", "retryable"));
}

#[test]
fn neither_a_result_that_is_an_error_nor_a_bad_end_after_a_good_one_is_a_success() {
    let mut lines_of = success();
    let last = lines_of.last_mut().unwrap();
    last["is_error"] = json!(true);
    last["result"] = json!("Authentication error");
    assert_eq!(reason(&outcome(&lines(&lines_of), "", 0)), ("auth", "auth"));
    let other = outcome(&lines(&success()), "", 3);
    assert_eq!(reason(&other), ("exit-code", "retryable"));
    assert_eq!(other.summary, "All done: wrote hello.txt.");
}

#[test]
fn a_run_that_was_denied_everything_failed_and_one_that_was_denied_something_did_not() {
    let rejected = shell(&json!({ "rejected": { "reason": "" } }));
    let denied = vec![init(), rejected.clone(), said("I may not."), result()];
    let refused = outcome(&lines(&denied), "", 0);
    assert_eq!(reason(&refused), ("permission-denied", "permanent"));
    assert_eq!(refused.summary, "I may not.");
    let mut partly = success();
    partly.insert(1, rejected);
    assert_eq!(outcome(&lines(&partly), "", 0).state, "succeeded");
}

#[test]
fn a_resumed_start_that_fails_without_a_known_reason_is_not_resumed_again() {
    let mut resumed = job("task");
    resumed.session = Some(SESSION.into());
    let gone = read(&Transcript::new("", "Error: chat does not exist", 1), &resumed).outcome;
    assert_eq!((reason(&gone), &gone.session), (("session-refused", "retryable"), &None));
    let limited = read(&Transcript::new("", "You've hit your usage limit", 1), &resumed).outcome;
    assert_eq!(reason(&limited), ("quota", "quota"));
    let begun = read(&Transcript::new(&lines(&[init()]), "", 1), &resumed).outcome;
    assert_eq!(reason(&begun), ("no-result", "retryable"));
}

#[test]
fn an_end_from_outside_and_one_by_the_host_are_interruptions() {
    let begun = lines(&[init()]);
    let signalled = read(&Transcript::new(&begun, "", 0).signalled(15), &job("task")).outcome;
    assert_eq!(reason(&signalled), ("interrupted", "retryable"));
    assert_eq!(reason(&outcome(&begun, "", 143)), ("interrupted", "retryable"));
    let cancelled = Transcript::new(&begun, "", 0).signalled(15).ended_by_host("cancelled");
    assert_eq!(reason(&read(&cancelled, &job("task")).outcome), ("interrupted", "cancelled"));
}

#[test]
fn an_odd_line_costs_only_itself() {
    let mut all = success();
    all.insert(1, json!({ "type": "some_future_envelope", "payload": { "x": 1 } }));
    all.insert(2, json!({ "type": 7, "message": "x", "tool_call": [1], "usage": "many" }));
    all.insert(3, json!({ "type": "tool_call", "subtype": "started", "tool_call": {} }));
    all.insert(4, json!({ "type": "assistant", "message": { "content": "text" } }));
    let text = format!("no json\n{}", lines(&all));
    assert_eq!(outcome(&text, "", 0).state, "succeeded");
}
