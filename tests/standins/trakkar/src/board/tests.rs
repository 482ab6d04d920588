#![allow(clippy::unwrap_used)]

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::time::Clock;

const A: &str = "runner-a";
const B: &str = "runner-b";

/// A board with one agent, and so many delegated tasks.
fn board(tasks: usize) -> (Board, String, Vec<String>, Time) {
    let now = Clock::fake().now();
    let mut board = Board::default();
    let (agent, _) = board.add_agent(Agent { verify_command: Some("npm test".into()), ..Agent::default() });
    let tasks: Vec<String> =
        (0..tasks).map(|number| board.create_task(NewTask::titled(&format!("task {number}")))).collect();
    for task in &tasks {
        board.delegate(task, &agent, now).unwrap();
    }
    (board, agent, tasks, now)
}

fn later(now: Time, minutes: u64) -> Time {
    let mut clock = Clock::Fake(now);
    clock.advance(Duration::from_mins(minutes));
    clock.now()
}

fn run_id(claimed: &[Value]) -> String {
    claimed[0]["run_id"].as_str().unwrap().to_owned()
}

fn batch(seq: u64) -> Progress {
    let event = Event { kind: "status".into(), text: seq.to_string(), at: String::new() };
    Progress { seq, events: vec![event] }
}

fn finish(outcome: &'static str) -> Finish {
    Finish { outcome, session_ref: Some("s1".into()), ..Finish::default() }
}

#[test]
fn two_runners_that_race_share_the_tasks_and_none_is_handed_out_twice() {
    let (mut board, agent, tasks, now) = board(5);
    let first = board.claim(&agent, A, 3, now);
    let second = board.claim(&agent, B, 3, now);
    let ids = |claimed: &[Value]| -> Vec<String> {
        claimed.iter().map(|task| task["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(&first), tasks[..3], "the oldest first");
    assert_eq!(ids(&second), tasks[3..]);
    assert!(board.claim(&agent, A, 3, now).is_empty());
}

#[test]
fn a_run_belongs_to_the_runner_that_claimed_it_and_to_its_agent() {
    let (mut board, agent, _, now) = board(1);
    let (stranger, _) = board.add_agent(Agent::default());
    let run = run_id(&board.claim(&agent, A, 1, now));
    assert_eq!(board.progress(&agent, B, &run, batch(1)), Err(NotDone::NotOwner));
    assert_eq!(board.progress(&stranger, A, &run, batch(1)), Err(NotDone::NotFound));
    assert_eq!(board.control(&agent, A, "run_x"), Err(NotDone::NotFound));
    assert_eq!(board.control(&agent, A, &run), Ok(false));
}

#[test]
fn a_batch_that_comes_again_is_passed_over_and_a_jump_is_complained_about() {
    let (mut board, agent, _, now) = board(1);
    let run = run_id(&board.claim(&agent, A, 1, now));
    for seq in [1, 1, 2] {
        board.progress(&agent, A, &run, batch(seq)).unwrap();
    }
    let seen = board.run(&run).unwrap();
    assert_eq!((&*seen.seqs, seen.repeated, seen.events.len()), (&[1, 2][..], 1, 2));
    assert!(board.violations().is_empty());
    board.progress(&agent, A, &run, batch(4)).unwrap();
    assert_eq!(board.violations(), [format!("{run} jumped from batch 2 to 4")]);
}

#[test]
fn a_run_without_a_sign_of_life_for_ten_minutes_is_disconnected_and_not_handed_out_again() {
    let (mut board, agent, tasks, now) = board(1);
    let run = run_id(&board.claim(&agent, A, 1, now));
    board.heartbeat(&agent, A, std::slice::from_ref(&run), 2, later(now, 5));
    board.heartbeat(&agent, A, &[], 3, later(now, 8));
    assert_eq!(board.status_of(&tasks[0], Time(later(now, 15).0 - 1)), "claimed");
    assert_eq!(board.status_of(&tasks[0], later(now, 15)), "disconnected");
    assert!(board.claim(&agent, B, 1, later(now, 15)).is_empty());
    assert_eq!(board.delegate(&tasks[0], &agent, later(now, 14)), Err(Refusal::RunOpen));
    board.delegate(&tasks[0], &agent, later(now, 15)).unwrap();
    assert_eq!(board.run(&run).unwrap().state, RunState::Superseded);
    assert_eq!(board.claim(&agent, B, 1, later(now, 15)).len(), 1);
}

#[test]
fn a_reply_after_the_end_continues_with_the_session_and_one_during_the_work_is_a_message() {
    let (mut board, agent, tasks, now) = board(1);
    let task = &tasks[0];
    let run = run_id(&board.claim(&agent, A, 1, now));
    assert_eq!(board.reply(task, "Mina", "hurry", now), Ok(Replied::Message));
    assert_eq!(board.progress(&agent, A, &run, batch(1)).unwrap().messages, ["hurry"]);
    assert!(board.progress(&agent, A, &run, batch(2)).unwrap().messages.is_empty(), "told once");
    board.finish(&agent, A, &run, finish("no_changes"), now).unwrap();
    assert!(matches!(board.reply(task, "Mina", "do X", now), Ok(Replied::Continue(_))));
    let claimed = board.claim(&agent, A, 1, now);
    assert_eq!(claimed[0]["kind"], "continue");
    let expected = serde_json::json!({ "message": "do X", "previous_run_id": run, "session_ref": "s1" });
    assert_eq!(claimed[0]["continuation"], expected);
    assert_eq!(claimed[0]["comments"][1]["body"], "do X");
}

#[test]
fn a_task_with_a_pull_request_takes_no_reply_and_shows_its_link() {
    let (mut board, agent, tasks, now) = board(1);
    let run = run_id(&board.claim(&agent, A, 1, now));
    let request = PullRequest { url: "u".into(), number: 7, branch: "b".into(), title: "t".into() };
    board.pull_request(&agent, A, &run, request.clone()).unwrap();
    board.pull_request(&agent, A, &run, request).unwrap();
    board.finish(&agent, A, &run, finish("pr_opened"), now).unwrap();
    assert_eq!(board.read(&agent, &tasks[0], now).unwrap()["pr_url"], "u");
    assert_eq!(board.reply(&tasks[0], "Mina", "more", now), Err(Refusal::PullRequestOpen));
    assert!(board.unended().is_empty());
    assert_eq!(board.finish(&agent, A, &run, finish("failed"), now), Err(NotDone::AlreadyFinished));
    assert_eq!(board.run(&run).unwrap().ending().unwrap().outcome, "pr_opened", "what is over stays over");
}

#[test]
fn stop_is_told_until_the_end_and_takes_a_waiting_run_away_at_once() {
    let (mut board, agent, tasks, now) = board(2);
    let run = run_id(&board.claim(&agent, A, 1, now));
    board.stop(&tasks[0]).unwrap();
    board.stop(&tasks[1]).unwrap();
    assert_eq!(board.control(&agent, A, &run), Ok(true));
    assert!(board.progress(&agent, A, &run, batch(1)).unwrap().stop);
    assert!(board.claim(&agent, A, 1, now).is_empty(), "nobody gets the other one");
    assert_eq!(board.stop(&tasks[1]), Err(Refusal::NoOpenRun));
    board.finish(&agent, A, &run, finish("stopped"), now).unwrap();
    assert!(board.unended().is_empty());
}

#[test]
fn a_task_that_is_given_back_waits_again_as_another_run() {
    let (mut board, agent, _, now) = board(1);
    let run = run_id(&board.claim(&agent, A, 1, now));
    board.release(&agent, A, &run, "dry_run").unwrap();
    assert_eq!(board.control(&agent, A, &run), Err(NotDone::NotFound));
    assert_ne!(run_id(&board.claim(&agent, B, 1, now)), run);
}

#[test]
fn a_deleted_task_is_gone_for_everybody() {
    let (mut board, agent, tasks, now) = board(2);
    let run = run_id(&board.claim(&agent, A, 1, now));
    for task in &tasks {
        board.delete_task(task).unwrap();
    }
    assert_eq!(board.control(&agent, A, &run), Err(NotDone::TaskGone));
    assert_eq!(board.read(&agent, &tasks[0], now), Err(NotDone::TaskGone));
    assert!(board.claim(&agent, A, 1, now).is_empty());
    assert_eq!(board.delete_task(&tasks[0]), Err(Refusal::NoTask));
}

#[test]
fn what_no_sound_runner_does_is_complained_about() {
    let (mut board, agent, _, now) = board(2);
    let run = run_id(&board.claim(&agent, A, 1, now));
    board.finish(&agent, A, &run, finish("pr_opened"), now).unwrap();
    let run = run_id(&board.claim(&agent, A, 1, now));
    board.finish(&agent, A, &run, finish("stopped"), now).unwrap();
    let said = board.unended().join("\n");
    assert!(said.contains("nobody told of") && said.contains("nobody pressed Stop"), "{said}");
}

#[test]
fn the_settings_of_an_agent_count_from_the_next_claim_on_and_a_disabled_one_may_nothing() {
    let (mut board, agent, _, now) = board(2);
    let token = format!("Bearer {}", board.agents()[0].token);
    assert_eq!(board.claim(&agent, A, 1, now)[0]["verify_command"], "npm test");
    board.change_agent(&agent, |agent| agent.verify_command = None);
    assert_eq!(board.claim(&agent, A, 1, now)[0]["verify_command"], Value::Null);
    assert!(board.authorize(Some(&token)).is_ok());
    for wrong in [None, Some("Bearer x"), Some(&*board.agents()[0].token)] {
        assert_eq!(board.authorize(wrong), Err(NotDone::InvalidToken));
    }
    board.change_agent(&agent, |agent| agent.enabled = false);
    assert_eq!(board.authorize(Some(&token)), Err(NotDone::AgentDisabled));
    assert!(!serde_json::to_string(&board).unwrap().contains("trk_agent_"), "the token is shown once");
}

#[test]
fn a_runner_has_a_task_go_on_once_for_each_key_and_never_beside_an_open_run() {
    let (mut board, agent, tasks, now) = board(1);
    let task = &tasks[0];
    let run = run_id(&board.claim(&agent, A, 1, now));
    assert_eq!(board.go_on(&agent, task, &run, "1 check failed", "k0"), Err(NotDone::RunOpen));
    board.finish(&agent, A, &run, finish("no_changes"), now).unwrap();
    let next = board.go_on(&agent, task, &run, "1 check failed", "k1").unwrap();
    assert_eq!(board.go_on(&agent, task, &run, "1 check failed", "k1"), Ok(next.clone()));
    assert_eq!(board.go_on(&agent, task, &run, "1 check failed", "k2"), Err(NotDone::RunOpen));
    assert_eq!(board.go_on(&agent, task, "run_x", "1 check failed", "k3"), Err(NotDone::NotFound));
    let claimed = board.claim(&agent, A, 1, now);
    assert_eq!((run_id(&claimed), &claimed[0]["kind"]), (next, &serde_json::json!("continue")));
    assert_eq!(claimed[0]["continuation"]["message"], "1 check failed");
}
