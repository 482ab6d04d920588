//! Registration and signs of life.

use hostler_sdk::tracker::Control;
use serde_json::json;

use crate::fake_tale::Answer;
use crate::stage::{DAEMON, Stage, at, problem};

#[test]
fn registration_names_adapters_and_keys_of_workspaces_but_never_paths() {
    let stage = Stage::new();
    let adapter = |kind: &str| {
        json!({
            "adapterType": kind, "version": "2.1.0",
            "capabilities": {"jsonOutput": true, "sessionResume": true, "costReporting": false, "mcp": false}
        })
    };
    let expected = json!({
        "daemonId": DAEMON, "name": "ada's machine",
        "adapters": [adapter("claude_code"), adapter("codex")], "workspaceKeys": ["app", "web"]
    });
    assert_eq!(stage.bodies("runtimes/register"), [expected]);
}

#[test]
fn every_request_carries_the_handle_of_the_key_and_the_organisation_if_one_is_set() {
    let config = json!({
        "url": "https://tale.example.com/", "organization": "studio", "daemon-id": "daemon_taken-over"
    });
    let mut stage = Stage::unregistered(&config);
    stage.register();
    stage.poll(1);
    let tale = stage.tale.borrow();
    assert_eq!(tale.seen.len(), 2);
    for seen in &tale.seen {
        assert_eq!(seen.request.method, "POST");
        assert_eq!(seen.request.credential.as_deref(), Some("api-key"));
        assert!(seen.request.headers.contains(&("x-organization-slug".into(), "studio".into())));
        assert_eq!(seen.body["daemonId"], "daemon_taken-over");
    }
}

#[test]
fn without_an_organisation_none_is_named() {
    let stage = Stage::new();
    let headers = stage.tale.borrow().seen[0].request.headers.clone();
    assert!(headers.iter().all(|(name, _)| name != "x-organization-slug"), "{headers:?}");
}

#[test]
fn an_idle_host_shows_that_it_is_alive_every_thirty_seconds_as_the_host_asks() {
    let mut stage = Stage::new();
    for second in [0.0, 30.0, 60.0, 90.0] {
        stage.at_second(second);
        assert_eq!(stage.heartbeat(&[]).result, Some(Ok(())));
    }
    // The registration counted as the first one.
    assert_eq!(stage.bodies("runtimes/heartbeat").len(), 3);
}

#[test]
fn signs_of_life_are_never_closer_than_fifteen_seconds() {
    let mut stage = Stage::new();
    for second in 0..60 {
        stage.at_second(f64::from(second));
        stage.heartbeat(&[]);
    }
    let seconds: Vec<f64> = stage
        .tale
        .borrow()
        .times("runtimes/heartbeat")
        .iter()
        .map(|at| (at - crate::stage::START) / 1e3)
        .collect();
    assert_eq!(seconds, [15.0, 30.0, 45.0]);
}

#[test]
fn a_server_that_forgot_this_host_is_told_again_who_it_is() {
    let mut stage = Stage::new();
    stage.at_second(30.0);
    stage.next("runtimes/heartbeat", Answer::ok(json!({ "known": false, "cancel": [] })));
    assert_eq!(stage.heartbeat(&[]).result, Some(Ok(())));
    assert_eq!(stage.bodies("runtimes/register").len(), 2);
    stage.at_second(60.0);
    stage.heartbeat(&[]);
    assert_eq!(stage.bodies("runtimes/register").len(), 2);
}

#[test]
fn a_registration_that_did_not_work_is_made_up_for_by_the_heartbeat() {
    let mut stage = Stage::unregistered(&json!({ "url": "https://tale.example.com" }));
    stage.next("runtimes/register", Answer::Cut);
    assert_eq!(problem(&stage.register()).kind, "transient");
    stage.at_second(30.0);
    stage.heartbeat(&[]);
    assert_eq!(stage.bodies("runtimes/register").len(), 2);
    assert!(stage.bodies("runtimes/heartbeat").is_empty());
}

#[test]
fn nothing_is_asked_or_shown_before_the_host_has_said_who_it_is() {
    let mut stage = Stage::unregistered(&json!({ "url": "https://tale.example.com" }));
    assert_eq!(problem(&stage.poll(1)).kind, "transient");
    assert_eq!(stage.heartbeat(&[]).result, Some(Ok(())));
    assert!(stage.tale.borrow().seen.is_empty());
}

#[test]
fn the_list_of_cancelled_runs_reaches_the_runs_it_names() {
    let mut stage = Stage::new();
    let (one, other) = (stage.claimed("one"), stage.claimed("other"));
    stage.at_second(15.0);
    stage.next("runtimes/heartbeat", Answer::ok(json!({ "known": true, "cancel": ["one"] })));
    let done = stage.heartbeat(&[(&one, "running"), (&other, "running")]);
    let cancelled: Vec<_> =
        done.controls.iter().filter(|(_, control)| matches!(control, Control::Cancel(_))).collect();
    let expected = Control::Cancel("cancelled by server request".into());
    assert_eq!(cancelled, [&(at(&one).run, expected)]);
}

#[test]
fn a_cancelled_run_that_nobody_here_knows_of_is_ended_at_the_server() {
    let mut stage = Stage::new();
    stage.at_second(15.0);
    stage.next("runtimes/heartbeat", Answer::ok(json!({ "known": true, "cancel": ["orphan"] })));
    assert!(stage.heartbeat(&[]).controls.is_empty());
    let expected = json!({ "daemonId": DAEMON, "error": "cancelled by server request", "retryable": false });
    assert_eq!(stage.bodies("runs/orphan/fail"), [expected]);
}

#[test]
fn a_pause_the_server_asks_for_holds_for_signs_of_life() {
    let mut stage = Stage::new();
    stage.at_second(15.0);
    stage.next("runtimes/heartbeat", Answer::Limited(Some("40")));
    assert_eq!(problem(&stage.heartbeat(&[])).kind, "rate-limited");
    for second in [30.0, 54.0, 55.0] {
        stage.at_second(second);
        stage.heartbeat(&[]);
    }
    let seen = stage.tale.borrow().times("runtimes/heartbeat");
    assert_eq!(seen, [crate::stage::START + 15_000.0, crate::stage::START + 55_000.0]);
}
