//! Answers that are no success.

use serde_json::json;

use crate::fake_trakkar::{Answer, handed_out};
use crate::stage::{Stage, opened, problem};

#[test]
fn a_refused_token_stops_the_host_and_says_where_to_get_another() {
    let mut stage = Stage::unregistered(&json!({}));
    stage.next("me", Answer::error(401, "invalid_token"));
    let done = stage.register();
    assert_eq!(problem(&done).kind, "auth");
    let message = &problem(&done).message;
    assert!(message.contains("Settings, AI Agents") && message.contains("TRAKKAR_TOKEN"), "{message}");
    for path in ["heartbeat", "claim"] {
        let mut stage = Stage::new();
        stage.next(path, Answer::error(401, "invalid_token"));
        assert_eq!(problem(&stage.poll(1)).kind, "auth", "{path}");
    }
}

#[test]
fn a_disabled_agent_is_asked_for_once_a_minute_and_told_of() {
    for path in ["me", "heartbeat", "claim"] {
        let mut stage = Stage::unregistered(&json!({}));
        stage.next(path, Answer::error(403, "agent_disabled"));
        let registered = stage.register();
        let done = if path == "me" { registered } else { stage.poll(1) };
        let problem = problem(&done);
        assert_eq!((&*problem.kind, problem.retry_after), ("transient", Some(60_000)), "{path}");
        assert!(problem.message.contains("enable the agent"), "{}", problem.message);
        assert_eq!(stage.poll(1).result, Some(Ok(())), "once it is enabled");
    }
}

#[test]
fn a_rate_limit_lasts_as_long_as_the_server_says_and_else_half_a_minute() {
    for (header, wait) in [(Some("45"), 45_000), (None, 30_000), (Some("soon"), 30_000)] {
        let mut stage = Stage::new();
        stage.next("claim", Answer::Limited(header));
        let done = stage.poll(1);
        assert_eq!((&*problem(&done).kind, problem(&done).retry_after), ("rate-limited", Some(wait)));
    }
}

#[test]
fn looks_that_do_not_work_are_made_ever_more_rarely_until_one_does() {
    let mut stage = Stage::new();
    for wait in [15_000, 30_000, 60_000, 120_000, 240_000, 300_000] {
        stage.next("claim", Answer::Text(503, "<html>"));
        let done = stage.poll(1);
        assert_eq!((&*problem(&done).kind, problem(&done).retry_after), ("transient", Some(wait)));
    }
    assert_eq!(stage.poll(1).result, Some(Ok(())));
    stage.next("claim", Answer::Cut);
    assert_eq!(problem(&stage.poll(1)).retry_after, Some(15_000));
}

#[test]
fn a_claim_without_an_answer_is_told_of() {
    let mut stage = Stage::new();
    let told = |stage: &mut Stage| {
        stage.next("claim", Answer::Cut);
        stage.poll(1).logs.iter().filter(|line| line.message.contains("delegate it again")).count()
    };
    assert_eq!((told(&mut stage), told(&mut stage)), (1, 0), "once in an outage");
    stage.poll(1);
    assert_eq!(told(&mut stage), 1);
}

#[test]
fn a_task_that_another_runner_took_is_no_trouble() {
    let mut stage = Stage::new();
    stage.next("claim", Answer::error(409, "not_claimable"));
    let done = stage.poll(1);
    assert_eq!((done.result, done.claimed.len()), (Some(Ok(())), 0));
}

#[test]
fn a_sign_of_life_that_does_not_arrive_does_not_keep_tasks_away() {
    let mut stage = Stage::new();
    stage.next("heartbeat", Answer::Cut);
    stage.next("claim", handed_out(&["one"]));
    assert_eq!(stage.poll(1).claimed.len(), 1);
}

#[test]
fn a_wrong_address_a_strange_page_and_a_missing_right_are_told_apart() {
    let told = |answer| {
        let mut stage = Stage::new();
        stage.next("claim", answer);
        problem(&stage.poll(1)).clone()
    };
    let wrong = told(Answer::Text(301, ""));
    assert!(wrong.kind == "permanent" && wrong.message.contains("`api-url`"), "{wrong:?}");
    assert_eq!(told(Answer::Denied).kind, "denied");
    assert!(told(Answer::error(400, "bad_request")).message.contains("it is bad_request"));
    let page = told(Answer::Text(200, "<html>"));
    assert!(page.kind == "transient" && page.message.contains("login page"), "{page:?}");
}

#[test]
fn a_page_in_place_of_an_answer_does_not_take_the_report() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("finish", Answer::Text(200, "<html>"));
    assert_eq!(problem(&stage.report(&claim, opened())).kind, "transient");
    assert_eq!(stage.report(&claim, opened()).result, Some(Ok(())));
}

#[test]
fn an_outage_is_no_news_of_a_heartbeat_but_a_refused_token_is() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("control", Answer::Cut);
    assert_eq!(stage.heartbeat(&[(&claim, "running")]).result, Some(Ok(())));
    stage.next("control", Answer::error(401, "invalid_token"));
    assert_eq!(problem(&stage.heartbeat(&[(&claim, "running")])).kind, "auth");
    stage.next("finish", Answer::error(401, "invalid_token"));
    assert_eq!(problem(&stage.report(&claim, opened())).kind, "auth", "the report is kept");
}
