//! What the server's refusals mean to the host.

use serde_json::json;

use crate::fake_tale::Answer;
use crate::stage::{Stage, problem};

#[test]
fn a_refused_key_stops_the_host_and_says_how_to_get_a_new_one() {
    for status in [401, 403] {
        let mut stage = Stage::unregistered(&json!({ "url": "https://tale.example.com" }));
        stage.next("register", Answer::error(status, "Invalid API key"));
        let done = stage.register();
        let problem = problem(&done);
        assert_eq!(problem.kind, "auth");
        for part in ["Invalid API key", "generate a new key", "TALE_DAEMON_API_KEY"] {
            assert!(problem.message.contains(part), "{}", problem.message);
        }
    }
}

#[test]
fn a_rate_limit_lasts_as_long_as_the_server_says_and_else_half_a_minute() {
    for (header, wait) in [(Some("12"), 12_000), (None, 30_000), (Some("tomorrow"), 30_000)] {
        let mut stage = Stage::new();
        stage.next("claim", Answer::Limited(header));
        let done = stage.poll(1);
        assert_eq!((&*problem(&done).kind, problem(&done).retry_after), ("rate-limited", Some(wait)));
    }
}

#[test]
fn after_a_claim_without_an_answer_the_next_one_waits_fifteen_seconds() {
    for answer in [Answer::Cut, Answer::error(500, "oops")] {
        let mut stage = Stage::new();
        stage.next("claim", answer);
        let done = stage.poll(1);
        assert_eq!((&*problem(&done).kind, problem(&done).retry_after), ("transient", Some(15_000)));
    }
}

#[test]
fn an_address_that_is_not_tale_is_told_as_such() {
    for answer in [Answer::Text(404, "<html>"), Answer::Text(301, ""), Answer::error(405, "no")] {
        let mut stage = Stage::unregistered(&json!({ "url": "https://tale.example.com" }));
        stage.next("register", answer);
        let done = stage.register();
        assert_eq!(problem(&done).kind, "permanent");
        assert!(problem(&done).message.contains("`url`"), "{}", problem(&done).message);
    }
}

#[test]
fn an_organisation_the_server_does_not_know_keeps_the_host_from_starting() {
    let mut stage =
        Stage::unregistered(&json!({ "url": "https://tale.example.com", "organization": "west" }));
    stage.next("register", Answer::error(400, "Unknown organization 'west'"));
    let done = stage.register();
    assert_eq!(problem(&done).kind, "permanent");
    assert!(problem(&done).message.contains("Unknown organization 'west'"), "{}", problem(&done).message);
}

#[test]
fn a_report_in_trouble_is_repeated_and_one_that_is_refused_is_kept_for_a_person() {
    for (answer, kind) in [
        (Answer::Cut, "transient"),
        (Answer::error(502, "bad gateway"), "transient"),
        (Answer::Limited(None), "rate-limited"),
        (Answer::error(401, "Invalid API key"), "auth"),
        (Answer::error(400, "summary is required"), "permanent"),
        (Answer::Text(404, "<html>"), "permanent"),
    ] {
        let mut stage = Stage::new();
        let claim = stage.claimed("one");
        stage.next("/complete", answer);
        assert_eq!(problem(&stage.succeed(&claim)).kind, kind);
    }
}
