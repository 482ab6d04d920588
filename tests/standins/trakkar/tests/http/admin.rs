//! The admin interface and the page.

use serde_json::{Value, json};
use standin_trakkar::{Options, Standin, demo};

use crate::client::{admin, call, send, try_call};
use crate::{RUNNER, claim_body, delegated, finish_body};

#[test]
fn a_person_adds_an_agent_delegates_stops_and_replies_with_curl() {
    let standin = Standin::start(Options::default()).unwrap();
    let added = admin(&standin, "POST", "agents", &json!({ "name": "Cursor", "provider": "cursor" })).json();
    assert!(added["token"].as_str().unwrap().starts_with("trk_agent_"));
    let task = json!({ "title": "Write hello.txt", "delegate": standin.agent() });
    let created = admin(&standin, "POST", "tasks", &task).json();
    let (task, run) = (created["id"].as_str().unwrap(), created["run"].as_str().unwrap());
    let again =
        admin(&standin, "POST", &format!("tasks/{task}/delegate"), &json!({ "agent": standin.agent() }));
    assert_eq!(again.status, 409);
    call(&standin, "POST tasks/claim", &claim_body(1));
    assert_eq!(admin(&standin, "POST", &format!("tasks/{task}/stop"), &Value::Null).status, 200);
    call(&standin, &format!("POST runs/{run}/finish"), &finish_body("stopped"));
    let became = admin(&standin, "POST", &format!("tasks/{task}/reply"), &json!({ "body": "go on" })).json();
    assert!(became["became"]["continue"].is_string(), "{became}");
    let board = admin(&standin, "GET", "board", &Value::Null).json();
    assert_eq!(board["runs"][1]["continuation"]["message"], "go on");
    assert_eq!((&board["violations"], &board["leaks"]), (&json!([]), &json!([])));
    assert_eq!(admin(&standin, "DELETE", &format!("tasks/{task}"), &Value::Null).status, 200);
    assert_eq!(admin(&standin, "POST", &format!("tasks/{task}/stop"), &Value::Null).status, 404);
}

#[test]
fn faults_the_clock_settings_and_outages_come_over_the_wire() {
    let (standin, task, _) = delegated();
    admin(&standin, "POST", "faults", &json!({ "harm": "refuse", "status": 500, "code": "x", "times": 1 }));
    assert_eq!(admin(&standin, "GET", "faults", &Value::Null).json()[0]["harm"], "refuse");
    assert_eq!(call(&standin, "GET me", &Value::Null).status, 500);
    admin(&standin, "POST", "faults", &json!({ "harm": "not_json" }));
    admin(&standin, "DELETE", "faults", &Value::Null);
    let agent = format!("agents/{}", standin.agent());
    admin(&standin, "POST", &agent, &json!({ "verify_command": "make", "max_concurrency": 2 }));
    let me = call(&standin, "GET me", &Value::Null).json();
    assert_eq!(
        (&me["agent"]["verify_command"], &me["agent"]["max_concurrency"]),
        (&json!("make"), &json!(2))
    );
    call(&standin, "POST tasks/claim", &claim_body(1));
    admin(&standin, "POST", "clock/advance", &json!({ "millis": 600_000 }));
    assert_eq!(standin.status(&task), "disconnected");
    admin(&standin, "POST", "down", &json!({ "down": true }));
    assert!(try_call(&standin, RUNNER, "GET me", &Value::Null).is_none());
    admin(&standin, "POST", "down", &json!({ "down": false }));
    admin(&standin, "POST", &agent, &json!({ "enabled": false }));
    assert_eq!(call(&standin, "GET me", &Value::Null).status, 403);
    assert_eq!(admin(&standin, "POST", "agents/ag_x", &json!({})).status, 404);
    admin(&standin, "POST", "forbidden", &json!({ "text": "npm" }));
    let requests = admin(&standin, "GET", "requests", &Value::Null).json();
    assert_eq!(requests[0]["fault"]["harm"], "refuse");
}

#[test]
fn a_foreign_page_can_neither_look_nor_touch() {
    let (standin, task, _) = delegated();
    let foreign = [("origin", "https://elsewhere.example"), ("content-type", "application/json")];
    for (method, path) in [("GET", "/standin/board"), ("POST", "/standin/down"), ("GET", "/")] {
        assert_eq!(send(&standin, method, path, &foreign, "").unwrap().status, 403, "{path}");
    }
    let plain = [("content-type", "text/plain")];
    let path = format!("/standin/tasks/{task}/delegate");
    assert_eq!(send(&standin, "POST", &path, &plain, r#"{"agent":"ag_1"}"#).unwrap().status, 415);
}

#[test]
fn the_board_is_a_page_for_people() {
    let standin = Standin::start(Options::default()).unwrap();
    demo::fill(&standin);
    let page = send(&standin, "GET", "/", &[], "").unwrap();
    assert!(page.head.contains("content-type: text/html"), "{}", page.head);
    assert!(page.text.contains("Waiting (3)") && page.text.contains("hello.txt"), "{}", page.text);
}

#[test]
#[should_panic(expected = "is open: Waiting")]
fn the_check_for_ended_tasks_finds_an_open_one() {
    let (standin, _, _) = delegated();
    standin.assert_every_task_ended_exactly_once();
}

#[test]
#[should_panic(expected = "this left the machine")]
fn the_check_for_leaks_finds_one() {
    let (standin, _, _) = delegated();
    standin.forbid(RUNNER);
    call(&standin, "GET me", &Value::Null);
    standin.assert_nothing_leaked();
}
