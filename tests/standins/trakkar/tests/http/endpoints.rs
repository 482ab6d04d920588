//! The endpoints: codes, bodies, checks.

use serde_json::{Value, json};
use standin_trakkar::board::{NewTask, PullRequest};
use standin_trakkar::{Endpoint, limits};

use crate::client::{call, send, try_call};
use crate::{RUNNER, claim_body, delegated, finish_body, progress_body};

#[test]
fn a_runner_reads_claims_works_opens_a_pull_request_and_finishes() {
    let (standin, task, run) = delegated();
    let me = call(&standin, "GET me", &Value::Null).json();
    let agent = json!({
        "id": standin.agent(), "name": "Claude on api", "provider": "claude_code", "max_concurrency": 4,
        "verify_command": "npm test", "base_branch": null, "workspace_id": "ws_1"
    });
    assert_eq!(me, json!({ "agent": agent, "server_time": "2026-01-01T00:00:00Z" }));
    let claimed = call(&standin, "POST tasks/claim", &claim_body(3)).json();
    let expected = json!({
        "id": task, "run_id": run, "kind": "new", "title": "Add CSV export", "description": "",
        "acceptance": [], "comments": [], "labels": [], "repo_hint": null, "verify_command": "npm test",
        "branch_hint": null, "continuation": null
    });
    assert_eq!(claimed, json!({ "tasks": [expected] }));
    let read = call(&standin, &format!("GET tasks/{task}"), &Value::Null).json();
    assert_eq!((&read["status"], &read["pr_url"]), (&json!("claimed"), &Value::Null));
    let life = json!({ "runner_id": RUNNER, "running": [run], "free_slots": 2 });
    assert_eq!(call(&standin, "POST heartbeat", &life).json(), json!({ "ok": true }));
    let told = call(&standin, &format!("POST runs/{run}/progress"), &progress_body(1)).json();
    assert_eq!(told, json!({ "ok": true, "control": { "stop": false, "messages": [] } }));
    let control = call(&standin, &format!("GET runs/{run}/control"), &Value::Null).json();
    assert_eq!(control, json!({ "stop": false, "stop_reason": null }));
    let request = json!({ "url": "https://github.com/a/b/pull/7", "number": 7, "branch": "x", "title": "t" });
    assert_eq!(call(&standin, &format!("POST runs/{run}/pr"), &request).json(), json!({ "ok": true }));
    let finished = call(&standin, &format!("POST runs/{run}/finish"), &finish_body("pr_opened"));
    assert_eq!((finished.status, finished.json()), (200, json!({ "ok": true })));
    assert_eq!(standin.status(&task), "pr_opened");
    let pr = standin.run(&run).unwrap().pr.unwrap();
    assert_eq!(
        pr,
        PullRequest {
            url: "https://github.com/a/b/pull/7".into(),
            number: 7,
            branch: "x".into(),
            title: "t".into()
        }
    );
    standin.assert_every_task_ended_exactly_once();
    let again = call(&standin, &format!("POST runs/{run}/finish"), &finish_body("failed"));
    assert_eq!(again.error(), (409, "already_finished".into()));
}

#[test]
fn a_second_runner_gets_other_tasks_and_may_not_touch_the_first_ones_runs() {
    let (standin, _, run) = delegated();
    standin.delegate(NewTask::titled("Another"));
    let other = "6f3a8f0e-0000-4000-8000-000000000002";
    assert_eq!(
        call(&standin, "POST tasks/claim", &claim_body(1)).json()["tasks"].as_array().unwrap().len(),
        1
    );
    let wish = json!({ "runner_id": other, "slots": 5, "provider": "claude_code" });
    let got = try_call(&standin, other, "POST tasks/claim", &wish).unwrap().json();
    let titles: Vec<&Value> = got["tasks"].as_array().unwrap().iter().map(|task| &task["title"]).collect();
    assert_eq!(titles, ["Another"]);
    for what in ["progress", "finish", "release"] {
        let body = match what {
            "progress" => progress_body(1),
            "finish" => finish_body("failed"),
            _ => json!({ "reason": "shutdown" }),
        };
        let refused = try_call(&standin, other, &format!("POST runs/{run}/{what}"), &body).unwrap();
        assert_eq!(refused.error(), (409, "not_owner".into()), "{what}");
    }
}

#[test]
fn stop_and_messages_reach_the_runner() {
    let (standin, task, run) = delegated();
    call(&standin, "POST tasks/claim", &claim_body(1));
    standin.reply(&task, "hurry").unwrap();
    standin.stop(&task).unwrap();
    let control = call(&standin, &format!("GET runs/{run}/control"), &Value::Null).json();
    assert_eq!(control, json!({ "stop": true, "stop_reason": "user" }));
    let told = call(&standin, &format!("POST runs/{run}/progress"), &progress_body(1)).json();
    assert_eq!(told["control"], json!({ "stop": true, "messages": ["hurry"] }));
}

#[test]
fn a_reply_after_a_failure_is_claimed_as_a_continuation() {
    let (standin, task, run) = delegated();
    call(&standin, "POST tasks/claim", &claim_body(1));
    call(&standin, &format!("POST runs/{run}/finish"), &finish_body("verify_failed"));
    standin.reply(&task, "do X instead").unwrap();
    let claimed = call(&standin, "POST tasks/claim", &claim_body(1)).json();
    assert_eq!(claimed["tasks"][0]["kind"], "continue");
    let expected = json!({ "message": "do X instead", "previous_run_id": run, "session_ref": "s1" });
    assert_eq!(claimed["tasks"][0]["continuation"], expected);
}

#[test]
fn tokens_are_checked_before_anything_else_and_a_disabled_agent_may_nothing() {
    let (standin, _, _) = delegated();
    for header in [None, Some("Bearer wrong"), Some(standin.token())] {
        let headers: Vec<(&str, &str)> = header.map(|value| ("authorization", value)).into_iter().collect();
        let refused = send(&standin, "GET", "/v1/agent/nowhere", &headers, "").unwrap();
        assert_eq!(refused.error(), (401, "invalid_token".into()), "{header:?}");
    }
    assert_eq!(call(&standin, "GET nowhere", &Value::Null).error(), (404, "not_found".into()));
    standin.change_agent(|agent| agent.enabled = false);
    assert_eq!(call(&standin, "POST tasks/claim", &claim_body(1)).error(), (403, "agent_disabled".into()));
}

#[test]
fn a_deleted_task_is_answered_with_410() {
    let (standin, task, run) = delegated();
    call(&standin, "POST tasks/claim", &claim_body(1));
    standin.change(|board, _| board.delete_task(&task)).unwrap();
    for asked in [format!("GET runs/{run}/control"), format!("GET tasks/{task}")] {
        assert_eq!(call(&standin, &asked, &Value::Null).error(), (410, "task_gone".into()), "{asked}");
    }
    assert_eq!(call(&standin, "GET tasks/t_x", &Value::Null).error(), (404, "not_found".into()));
}

#[test]
fn a_body_that_cannot_be_read_is_answered_with_400_and_changes_nothing() {
    let (standin, _, run) = delegated();
    call(&standin, "POST tasks/claim", &claim_body(1));
    let event = |kind: &str, text: String| json!({ "type": kind, "text": text, "at": "" });
    let events = |count: usize| vec![event("status", "x".into()); count];
    let progress = format!("POST runs/{run}/progress");
    let finish = format!("POST runs/{run}/finish");
    let mut long = finish_body("failed");
    long["summary"] = json!("x".repeat(limits::SUMMARY + 1));
    for (asked, body) in [
        ("POST tasks/claim", json!({ "slots": 1 })),
        ("POST tasks/claim", json!({ "runner_id": "other", "slots": 1, "provider": "cursor" })),
        ("POST heartbeat", json!([])),
        (&progress, json!({ "seq": 0, "events": [] })),
        (&progress, json!({ "seq": 1, "events": events(limits::EVENTS + 1) })),
        (&progress, json!({ "seq": 1, "events": [event("odd", "x".into())] })),
        (&progress, json!({ "seq": 1, "events": [event("tool", "x".repeat(limits::EVENT + 1))] })),
        (&finish, finish_body("great")),
        (&finish, long),
        (&format!("POST runs/{run}/release"), json!({ "reason": "bored" })),
        (&format!("POST runs/{run}/pr"), json!({ "url": "u" })),
    ] {
        assert_eq!(call(&standin, asked, &body).error(), (400, "bad_request".into()), "{asked} {body}");
    }
    assert!(standin.run(&run).unwrap().events.is_empty() && standin.run(&run).unwrap().holder().is_some());
    let full = json!({ "seq": 1, "events": events(limits::EVENTS) });
    assert_eq!(call(&standin, &progress, &full).status, 200);
    let long = json!({ "seq": 2, "events": [event("tool", "ä".repeat(limits::EVENT))] });
    assert_eq!(call(&standin, &progress, &long).status, 200);
    let mut fitting = finish_body("failed");
    fitting["summary"] = json!("x".repeat(limits::SUMMARY));
    assert_eq!(call(&standin, &finish, &fitting).status, 200);
}

#[test]
fn every_request_is_recorded_without_the_token_and_leaks_are_found() {
    let (standin, _, run) = delegated();
    standin.forbid("const answer = 42;");
    call(&standin, "POST tasks/claim", &claim_body(1));
    standin.assert_nothing_leaked();
    let event = json!({ "type": "message", "text": "wrote const answer = 42;", "at": "" });
    call(&standin, &format!("POST runs/{run}/progress"), &json!({ "seq": 1, "events": [event] }));
    assert_eq!(standin.leaks().len(), 1, "{:?}", standin.leaks());
    assert!(standin.leaks()[0].contains("const answer"));
    let requests = standin.requests();
    let endpoints: Vec<_> = requests.iter().filter_map(|request| request.endpoint).collect();
    assert_eq!(endpoints, [Endpoint::Claim, Endpoint::Progress]);
    assert_eq!(requests[0].headers["authorization"], "Bearer ***");
    assert!(!serde_json::to_string(&requests).unwrap().contains(standin.token()));
}
