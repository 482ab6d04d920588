//! The start, and looking for tasks.

use hostler_sdk::tracker::{Lease, Operation};
use serde_json::{Value, json};

use crate::fake_trakkar::{Answer, handed_out, me, task};
use crate::stage::{RUNNER, START, Stage, opened, problem, runner};

#[test]
fn every_request_carries_the_handle_of_the_token_and_the_runners_id() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.heartbeat(&[(&claim, "running")]);
    stage.report(&claim, opened());
    for seen in &stage.trakkar.borrow().seen {
        assert_eq!(seen.request.credential.as_deref(), Some("token"), "{}", seen.call);
        assert!(seen.request.headers.contains(&("x-runner-id".into(), RUNNER.into())), "{}", seen.call);
        assert!(!format!("{seen:?}").contains("trk_agent_"), "{}", seen.call);
    }
}

#[test]
fn the_agents_settings_are_read_once_at_the_start() {
    let mut stage = Stage::new();
    stage.poll(1);
    stage.poll(1);
    let asked = stage.calls().iter().filter(|call| *call == "GET me").count();
    assert_eq!(asked, 1);
}

#[test]
fn a_start_without_an_answer_is_made_up_for_by_the_next_look() {
    let mut stage = Stage::unregistered(&json!({}));
    stage.next("me", Answer::Cut);
    assert_eq!(problem(&stage.register()).kind, "transient");
    assert_eq!(stage.poll(1).result, Some(Ok(())));
    assert_eq!(stage.bodies("claim").len(), 1);
}

#[test]
fn a_claim_brings_as_many_tasks_as_there_are_slots_and_they_are_ours() {
    let mut stage = Stage::new();
    stage.next("claim", handed_out(&["one", "two"]));
    let done = stage.poll(3);
    assert_eq!(done.result, Some(Ok(())));
    let ids: Vec<&str> = done.claimed.iter().map(|claim| claim.task.id.as_str()).collect();
    assert_eq!(ids, ["t_one", "t_two"]);
    assert_eq!(done.claimed[0].lease.unwrap(), Lease { ttl: u32::MAX, renew_every: 4_000, fence: START });
    let next = Lease { ttl: u32::MAX, renew_every: 4_000, fence: START + 1.0 };
    assert_eq!(done.claimed[1].lease.unwrap(), next);
    let asked = json!({ "runner_id": RUNNER, "slots": 3, "provider": "claude_code" });
    assert_eq!(stage.bodies("claim"), [asked]);
}

#[test]
fn it_looks_every_fifteen_seconds_or_as_often_as_the_operator_says() {
    assert_eq!(Stage::new().poll(1).pace, Some(15_000));
    assert_eq!(Stage::with(&json!({ "interval": 5 })).poll(1).pace, Some(5_000));
}

#[test]
fn each_look_shows_that_the_host_lives_and_what_it_works_on() {
    let mut stage = Stage::new();
    stage.claimed("one");
    stage.poll(2);
    let life =
        |running: Value, free: u32| json!({ "runner_id": RUNNER, "running": running, "free_slots": free });
    assert_eq!(stage.bodies("heartbeat"), [life(json!([]), 1), life(json!(["run_one"]), 2)]);
}

#[test]
fn the_agents_concurrency_bounds_what_is_claimed_and_what_works_counts() {
    let mut stage = Stage::unregistered(&json!({}));
    stage.next("me", Answer::ok(me(&json!(2))));
    assert_eq!(stage.register().slots, Some(2), "the host is advised of it");
    stage.claimed("one");
    stage.next("claim", handed_out(&["two"]));
    let two = stage.poll(5).claimed.remove(0);
    assert_eq!(stage.bodies("claim")[1]["slots"], 1);
    assert_eq!(stage.poll(5).result, Some(Ok(())));
    assert_eq!(stage.bodies("claim").len(), 2, "both slots are taken");
    stage.report(&two, opened());
    stage.poll(5);
    assert_eq!(stage.bodies("claim")[2]["slots"], 1, "new tasks start while others run");
}

#[test]
fn the_operators_concurrency_wins_and_six_is_the_default() {
    let slots = |config: Value, of_agent: Value| {
        let mut stage = Stage::unregistered(&config);
        stage.next("me", Answer::ok(me(&of_agent)));
        stage.register();
        stage.poll(100);
        stage.bodies("claim")[0]["slots"].clone()
    };
    assert_eq!(slots(json!({ "max-concurrency": 3 }), json!(2)), 3);
    assert_eq!(slots(json!({}), json!(2)), 2);
    assert_eq!(slots(json!({}), json!(null)), 6);
}

#[test]
fn several_tasks_at_once_are_warned_of_at_the_start() {
    let mut stage = Stage::unregistered(&json!({}));
    let done = stage.register();
    let warned = done.logs.iter().any(|line| line.level == "warn" && line.message.contains("about 4 times"));
    assert!(warned, "{:?}", done.logs);
}

#[test]
fn a_host_without_the_cli_does_not_even_ask() {
    let mut stage = Stage::unregistered(&json!({ "provider": "cursor" }));
    let done = stage.host.run(Operation::Register(runner(&["claude-code"], 4)));
    assert_eq!(problem(&done).kind, "permanent");
    assert!(problem(&done).message.contains("cursor-agent"), "{}", problem(&done).message);
    assert!(stage.calls().is_empty());
}

#[test]
fn the_verify_command_and_the_base_branch_come_with_each_claim() {
    let mut stage = Stage::unregistered(&json!({}));
    let mut agent = me(&json!(4));
    agent["agent"]["base_branch"] = json!("develop");
    stage.next("me", Answer::ok(agent));
    stage.register();
    let mut changed = task("one");
    changed["verify_command"] = json!("make check");
    stage.next("claim", Answer::ok(json!({ "tasks": [changed] })));
    let data = stage.poll(1).claimed.remove(0).task.data;
    assert!(data.contains("make check") && data.contains("develop"), "{data}");
}

#[test]
fn a_reply_brings_what_was_reported_last_and_the_session() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.report(&claim, opened());
    let mut reply = task("one");
    reply["run_id"] = json!("run_again");
    reply["kind"] = json!("continue");
    reply["continuation"] =
        json!({ "message": "do X instead", "previous_run_id": "run_one", "session_ref": "s1" });
    stage.next("claim", Answer::ok(json!({ "tasks": [reply] })));
    let task = stage.poll(1).claimed.remove(0).task;
    let told: Vec<&str> = task.sections.iter().map(|section| section.body.as_str()).collect();
    assert!(told.iter().any(|body| body.starts_with("Added it.")), "{told:?}");
    assert_eq!(told.last(), Some(&"do X instead"));
    assert!(task.data.contains("s1"));
}

#[test]
fn a_task_without_an_id_costs_only_itself() {
    let mut stage = Stage::new();
    stage.next("claim", Answer::ok(json!({ "tasks": [{ "title": "?" }, task("one")] })));
    let done = stage.poll(2);
    assert_eq!(done.claimed.len(), 1);
    assert!(done.logs.iter().any(|line| line.message.contains("without an id")));
}
