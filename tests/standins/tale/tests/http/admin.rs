//! The admin interface and the page.

use serde_json::json;
use standin_tale::board::{Agent, NewTask, TaskId};
use standin_tale::{Clock, Options, Standin, demo};

use crate::client::{admin, call, send};
use crate::{DAEMON, claim_body, complete_body, dispatched, status};

#[test]
fn a_person_creates_a_task_with_curl_and_hears_how_it_ended() {
    let standin = Standin::start(Options::default()).unwrap();
    let agent = json!({ "slug": "coder", "runtime": { "adapterType": "claude_code", "permissionMode": "auto_edits" } });
    assert_eq!(admin(&standin, "POST", "agents", &agent).status, 200);
    let task = json!({ "project": "APP", "title": "Write hello.txt", "assign": "coder" });
    let created = admin(&standin, "POST", "tasks", &task).json();
    assert_eq!(created["key"], "APP-1");
    let run = created["run"].as_str().unwrap().to_owned();
    let again = admin(&standin, "POST", "tasks/app-1/assign", &json!({ "agent": "coder" }));
    assert_eq!((again.status, again.error().as_str()), (409, "ALREADY_DISPATCHED"));
    assert_eq!(call(&standin, "runs/claim", &claim_body()).json()["run"]["permissionMode"], "auto_edits");
    call(&standin, &format!("runs/{run}/complete"), &complete_body());
    let wish = json!({ "body": "Friendlier!" });
    assert_eq!(admin(&standin, "POST", "tasks/APP-1/revision", &wish).status, 200);
    let revision = call(&standin, "runs/claim", &claim_body()).json();
    assert_eq!(revision["run"]["kind"], "revision");
    let board = admin(&standin, "GET", "board", &json!(null)).json();
    assert_eq!(board["tasks"][0]["comments"][0]["body"], "Done.");
    assert_eq!(board["runs"][1]["status"], "claimed");
    assert_eq!(
        admin(&standin, "POST", "tasks/APP-1/cancel", &json!(null)).json(),
        json!({ "cancelled": "requested" })
    );
    assert_eq!(admin(&standin, "POST", "tasks/APP-9/cancel", &json!(null)).status, 404);
}

#[test]
fn the_clock_is_advanced_and_sweeps_happen_on_the_way() {
    let (standin, _, run) = dispatched();
    let before = standin.now();
    let now = admin(&standin, "POST", "clock/advance", &json!({ "millis": 125_000 })).json()["now"].clone();
    assert_eq!(now, before.0 + 125_000);
    assert_eq!(status(&standin, &run), "failed");
    assert_eq!(admin(&standin, "POST", "sweep", &json!(null)).json(), json!({ "open": [] }));
}

#[test]
fn a_real_clock_is_advanced_in_the_same_way() {
    let standin = Standin::start(Options { clock: Clock::real(), ..Options::default() }).unwrap();
    standin.put_agent(Agent::bound("coder", "codex"));
    let task = standin.create_task(NewTask::titled("t"));
    standin.assign(&task, "coder").unwrap();
    standin.advance(std::time::Duration::from_secs(124));
    assert!(standin.board(|board| board.runs().iter().all(|run| !run.state.is_over())));
    standin.advance(std::time::Duration::from_secs(1));
    assert!(standin.board(|board| board.runs().iter().all(|run| run.state.is_over())));
    standin.assert_every_task_ended_exactly_once();
}

#[test]
fn faults_and_settings_come_over_the_wire_and_requests_are_listed() {
    let (standin, _, run) = dispatched();
    let fault = json!({ "harm": "server_error", "endpoint": "claim", "times": 1 });
    admin(&standin, "POST", "faults", &fault);
    assert_eq!(admin(&standin, "GET", "faults", &json!(null)).json()[0]["harm"], "server_error");
    assert_eq!(call(&standin, "runs/claim", &claim_body()).status, 500);
    admin(&standin, "POST", "settings", &json!({ "cancelAck": "cancelled" }));
    call(&standin, "runs/claim", &claim_body());
    admin(&standin, "POST", &format!("runs/{run}/cancel"), &json!(null));
    let fail = json!({ "daemonId": DAEMON, "error": "cancelled by server request", "retryable": false });
    call(&standin, &format!("runs/{run}/fail"), &fail);
    assert_eq!(status(&standin, &run), "cancelled");
    let requests = admin(&standin, "GET", "requests", &json!(null)).json();
    assert_eq!(requests[0]["fault"]["harm"], "server_error");
    assert_eq!(requests[2]["body"]["error"], "cancelled by server request");
}

#[test]
fn a_restart_loses_the_runtimes_if_told_so() {
    let (standin, _, _) = dispatched();
    let register = json!({ "daemonId": DAEMON, "adapters": [{ "adapterType": "codex" }] });
    call(&standin, "runtimes/register", &register);
    let headers = [("content-type", "application/json")];
    let restart = json!({ "downMillis": 0, "forgetRuntimes": true }).to_string();
    assert!(send(&standin, "POST", "/standin/restart", &headers, &restart).is_none());
    standin.come_up();
    let beat = call(&standin, "runtimes/heartbeat", &json!({ "daemonId": DAEMON }));
    assert_eq!(beat.json()["known"], false);
}

#[test]
fn a_foreign_page_can_neither_look_nor_touch() {
    let (standin, task, _) = dispatched();
    let foreign = [("origin", "https://elsewhere.example"), ("content-type", "application/json")];
    for (method, path) in [("GET", "/standin/board"), ("POST", "/standin/sweep"), ("GET", "/")] {
        assert_eq!(send(&standin, method, path, &foreign, "").unwrap().status, 403, "{path}");
    }
    let plain = [("content-type", "text/plain")];
    let path = format!("/standin/tasks/{task}/assign");
    let answer = send(&standin, "POST", &path, &plain, r#"{"agent":"coder"}"#).unwrap();
    assert_eq!(answer.status, 415);
}

#[test]
fn the_board_is_a_page_for_people() {
    let standin = Standin::start(Options::default()).unwrap();
    demo::fill(&standin);
    let page = send(&standin, "GET", "/", &[], "").unwrap();
    assert!(page.head.contains("content-type: text/html"), "{}", page.head);
    assert!(page.text.contains("To do (3)") && page.text.contains("hello.txt"), "{}", page.text);
}

#[test]
#[should_panic(expected = "is still queued")]
fn the_check_for_ended_tasks_finds_an_open_one() {
    let (standin, task, _) = dispatched();
    assert_eq!(standin.task(&task).map(|task| task.id), Some(TaskId(task.0)));
    standin.assert_every_task_ended_exactly_once();
}
