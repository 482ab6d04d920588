//! The six endpoints: codes, bodies, checks.

use serde_json::{Value, json};
use standin_tale::board::TaskStatus;
use standin_tale::{Endpoint, Options, Standin};

use crate::client::{call, send};
use crate::{DAEMON, claim_body, complete_body, dispatched, status};

#[test]
fn a_daemon_registers_claims_works_and_completes() {
    let (standin, task, run) = dispatched();
    let registration = json!({
        "daemonId": DAEMON, "name": "laptop", "workspaceKeys": ["api"],
        "adapters": [{ "adapterType": "claude_code", "version": "2.0", "capabilities": { "mcp": true, "sessionResume": false } }],
    });
    assert_eq!(call(&standin, "runtimes/register", &registration).json(), json!({ "registered": 1 }));
    let beat = call(&standin, "runtimes/heartbeat", &json!({ "daemonId": DAEMON }));
    assert_eq!(beat.json(), json!({ "known": true, "cancel": [] }));
    let claimed = call(&standin, "runs/claim", &claim_body()).json();
    assert_eq!(claimed["retryAfterMs"], 3000);
    let prompt = claimed["run"]["prompt"].as_str().unwrap().to_owned();
    assert_eq!(
        claimed["run"],
        json!({
            "externalRunId": run, "taskId": task, "agentSlug": "coder", "adapterType": "claude_code",
            "permissionMode": "safe", "kind": "initial", "prompt": prompt, "timeoutMs": 1_800_000,
            "env": { "MODE": "test-value" },
        })
    );
    let started =
        call(&standin, &format!("runs/{run}/events"), &json!({ "daemonId": DAEMON, "type": "started" }));
    assert_eq!(started.json(), json!({ "ok": true, "cancelRequested": false }));
    assert_eq!(status(&standin, &run), "running");
    let report = json!({
        "daemonId": DAEMON, "summary": "Done.", "diffStat": "a | 1 +", "sessionRef": "s1",
        "usage": { "inputTokens": 12, "outputTokens": 3, "costCents": 4.4 },
    });
    let completed = call(&standin, &format!("runs/{run}/complete"), &report);
    assert_eq!((completed.status, completed.json()), (200, json!({ "ok": true })));
    assert_eq!(standin.task(&task).unwrap().status, TaskStatus::InReview);
    assert_eq!(standin.run(&run).unwrap().usage.cost_cents, 4);
    standin.assert_every_task_ended_exactly_once();
    let board = standin.board(|board| board.runtimes()[0].adapter.clone());
    assert_eq!(board.capabilities, ["mcp"]);
}

#[test]
fn without_work_a_claim_is_answered_with_null_and_the_idle_pace() {
    let standin = Standin::start(Options::default()).unwrap();
    let answer = call(&standin, "runs/claim", &claim_body()).json();
    assert_eq!(answer, json!({ "run": null, "retryAfterMs": 15_000 }));
}

#[test]
fn a_report_that_is_not_accepted_is_answered_with_409_and_the_reason() {
    let (standin, _, run) = dispatched();
    let complete = format!("runs/{run}/complete");
    let early = call(&standin, &complete, &complete_body());
    assert_eq!((early.status, early.error().as_str()), (409, "RUN_NOT_FOUND"));
    call(&standin, "runs/claim", &claim_body());
    call(&standin, &complete, &complete_body());
    let again = call(&standin, &complete, &complete_body());
    assert_eq!((again.status, again.error().as_str()), (409, "RUN_NOT_LIVE"));
    let failed =
        call(&standin, &format!("runs/{run}/fail"), &json!({ "daemonId": "daemon_x", "error": "e" }));
    assert_eq!((failed.status, failed.error().as_str()), (409, "RUN_NOT_FOUND"));
    let unknown =
        call(&standin, "runs/k00000000000000000000000/fail", &json!({ "daemonId": DAEMON, "error": "e" }));
    assert_eq!((unknown.status, unknown.error().as_str()), (409, "RUN_NOT_FOUND"));
}

#[test]
fn an_event_of_a_foreign_run_is_answered_with_200_and_a_wish_to_cancel() {
    let (standin, _, run) = dispatched();
    let answer =
        call(&standin, &format!("runs/{run}/events"), &json!({ "daemonId": DAEMON, "type": "heartbeat" }));
    assert_eq!((answer.status, answer.json()), (200, json!({ "ok": false, "cancelRequested": true })));
}

#[test]
fn a_body_that_cannot_be_read_is_answered_with_400_and_names_the_field() {
    let (standin, _, run) = dispatched();
    let complete = format!("runs/{run}/complete");
    let events = format!("runs/{run}/events");
    let cases: [(&str, Value, &str); 11] = [
        ("runtimes/heartbeat", json!([]), "Invalid JSON body"),
        ("runtimes/heartbeat", json!({}), "daemonId is required"),
        ("runtimes/heartbeat", json!({ "daemonId": " " }), "daemonId is required"),
        ("runtimes/heartbeat", json!({ "daemonId": 1 }), "daemonId must be a string"),
        (
            "runtimes/register",
            json!({ "daemonId": "d", "adapters": [{ "adapterType": "" }] }),
            "adapters is required",
        ),
        ("runs/claim", json!({ "daemonId": "d", "adapterTypes": [] }), "adapterTypes is required"),
        (&complete, json!({ "daemonId": "d", "summary": "" }), "summary is required"),
        (
            &complete,
            json!({ "daemonId": "d", "summary": "s", "usage": { "costCents": -1 } }),
            "costCents must be a number that is not negative",
        ),
        (
            &events,
            json!({ "daemonId": "d", "type": "paused" }),
            "type must be started, progress or heartbeat, not 'paused'",
        ),
        ("runs/NOT-AN-ID/fail", json!({ "daemonId": "d", "error": "e" }), "Invalid run id"),
        ("runs/short/fail", json!({ "daemonId": "d", "error": "e" }), "Invalid run id"),
    ];
    for (path, body, message) in cases {
        let answer = call(&standin, path, &body);
        assert_eq!((answer.status, answer.error().as_str()), (400, message), "{path} {body}");
    }
}

#[test]
fn keys_and_organisations_are_checked_before_anything_else() {
    let (standin, _, _) = dispatched();
    standin.add_key("guest", &["elsewhere"]);
    let claim = |headers: &[(&str, &str)]| {
        send(&standin, "POST", "/api/v1/runs/claim", headers, &claim_body().to_string()).unwrap()
    };
    let own = format!("Bearer {}", standin.key());
    assert_eq!(claim(&[]).status, 401);
    assert_eq!(claim(&[("authorization", "Bearer wrong")]).status, 401);
    let own = ("authorization", own.as_str());
    assert_eq!(claim(&[own, ("x-organization-slug", "nowhere")]).status, 400);
    assert_eq!(claim(&[own, ("x-organization-slug", "elsewhere")]).status, 403);
    let guest = claim(&[("authorization", "Bearer guest")]);
    assert_eq!((guest.status, guest.json()["run"].is_null()), (200, true), "another organisation's work");
    assert!(!claim(&[own, ("x-organization-slug", "studio")]).json()["run"].is_null());
}

#[test]
fn unknown_paths_and_methods_are_not_found_and_preflights_are_answered() {
    let (standin, _, run) = dispatched();
    assert_eq!(call(&standin, &format!("runs/{run}/pause"), &json!({})).status, 404);
    assert_eq!(send(&standin, "GET", "/api/v1/runs/claim", &[], "").unwrap().status, 404);
    let preflight = send(&standin, "OPTIONS", "/api/v1/runs/claim", &[], "").unwrap();
    assert_eq!((preflight.status, preflight.text.as_str()), (204, ""));
    for reply in [preflight, send(&standin, "POST", "/api/v1/runs/claim", &[], "").unwrap()] {
        assert!(reply.head.contains("access-control-allow-origin: *"), "{}", reply.head);
    }
}

#[test]
fn clients_are_limited_only_when_asked_and_told_how_long_to_wait() {
    let heartbeat = json!({ "daemonId": DAEMON });
    let statuses = |standin: &Standin| {
        (0..21).map(|_| call(standin, "runtimes/heartbeat", &heartbeat).status).collect::<Vec<_>>()
    };
    let free = Standin::start(Options::default()).unwrap();
    assert_eq!(statuses(&free), [200; 21]);
    let limited = Standin::start(Options { rate_limits: true, ..Options::default() }).unwrap();
    let mut expected = vec![200; 20];
    expected.push(429);
    assert_eq!(statuses(&limited), expected);
    let refused = call(&limited, "runtimes/heartbeat", &heartbeat);
    assert!(refused.head.contains("retry-after: 6"), "{}", refused.head);
    assert_eq!(
        send(&limited, "POST", "/api/v1/runtimes/heartbeat", &[], "").unwrap().status,
        429,
        "before the key"
    );
}

#[test]
fn every_request_is_recorded_with_its_answer_and_without_secrets() {
    let (standin, _, _) = dispatched();
    call(&standin, "runs/claim", &claim_body());
    let requests = standin.requests();
    let [request] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!(request.endpoint, Some(Endpoint::Claim));
    assert_eq!(request.headers["authorization"], "Bearer ***");
    assert_eq!(request.body, claim_body());
    let shown = serde_json::to_string(request).unwrap();
    assert!(shown.contains("\"status\":200") && shown.contains("Fix the login"), "{shown}");
    assert!(!shown.contains(standin.key()) && !shown.contains("test-value"), "{shown}");
}
