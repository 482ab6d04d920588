//! Renewals and progress of runs.

use hostler_sdk::tracker::{Claim, Control};
use serde_json::json;

use crate::fake_tale::Answer;
use crate::stage::{DAEMON, START, Stage, at};

const RENEWED: Control = Control::Renewed(60_000);

#[test]
fn the_first_heartbeat_of_a_working_agent_says_that_it_started_and_later_ones_renew() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    for (second, state) in [(1.0, "preparing"), (10.0, "running"), (20.0, "running"), (30.0, "ending")] {
        stage.at_second(second);
        let done = stage.heartbeat(&[(&claim, state)]);
        assert_eq!(done.controls, [(at(&claim).run, RENEWED)], "{state}");
    }
    assert_eq!(stage.events(), ["heartbeat", "started", "heartbeat", "heartbeat"]);
    assert_eq!(stage.bodies("runs/one/events")[0], json!({ "daemonId": DAEMON, "type": "heartbeat" }));
}

#[test]
fn a_start_that_was_not_heard_is_told_again() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("/events", Answer::Cut);
    assert!(stage.word_on(&claim).is_empty());
    stage.at_second(10.0);
    assert_eq!(stage.word_on(&claim), [RENEWED]);
    assert_eq!(stage.events(), ["started", "started"]);
}

#[test]
fn a_cancelled_run_is_renewed_and_told_to_end() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("/events", Answer::ok(json!({ "ok": true, "cancelRequested": true })));
    assert_eq!(stage.word_on(&claim), [RENEWED, Control::Cancel("cancelled by server request".into())]);
}

#[test]
fn a_run_that_the_server_no_longer_counts_as_ours_is_lost() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("/events", Answer::ok(json!({ "ok": false, "cancelRequested": true })));
    let words = stage.word_on(&claim);
    assert!(matches!(&words[..], [Control::LeaseLost(why)] if why.contains("APP-1")), "{words:?}");
}

#[test]
fn an_answer_that_says_nothing_neither_renews_nor_ends() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    for answer in
        [Answer::Text(200, "<html>"), Answer::Cut, Answer::error(500, "oops"), Answer::ok(json!({}))]
    {
        stage.next("/events", answer);
        assert_eq!(stage.word_on(&claim), []);
        stage.at_second(10.0 * f64::from(u32::try_from(stage.events().len()).unwrap()));
    }
}

#[test]
fn one_run_in_trouble_does_not_keep_the_others_from_being_renewed() {
    let mut stage = Stage::new();
    let (one, two) = (stage.claimed("one"), stage.claimed("two"));
    stage.next("/events", Answer::error(500, "oops"));
    let done = stage.heartbeat(&[(&one, "running"), (&two, "running")]);
    assert_eq!(done.controls, [(at(&two).run, RENEWED)]);
    assert!(done.result.unwrap().is_err());
}

#[test]
fn while_a_report_is_on_its_way_the_lease_is_renewed_and_cannot_be_lost() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("/complete", Answer::Limited(None));
    stage.succeed(&claim);
    stage.at_second(10.0);
    let reporting = |stage: &mut Stage| stage.heartbeat(&[(&claim, "reporting")]).controls;
    assert_eq!(reporting(&mut stage), [(at(&claim).run, RENEWED)]);
    stage.at_second(20.0);
    stage.next("/events", Answer::ok(json!({ "ok": false, "cancelRequested": true })));
    assert_eq!(reporting(&mut stage), []);
}

#[test]
fn a_heartbeat_that_crosses_the_report_does_not_call_the_run_lost() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.heartbeat(&[(&claim, "running")]);
    stage.at_second(10.0);
    stage.succeed(&claim);
    stage.next("/events", Answer::ok(json!({ "ok": false, "cancelRequested": true })));
    assert_eq!(stage.word_on(&claim), []);
}

#[test]
fn progress_shows_the_newest_line_and_tells_of_the_start_first() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.heartbeat(&[(&claim, "preparing")]);
    stage.progress(&claim, &["Reading.", "Editing  /home/ada/app/src/main.rs", " "]);
    assert_eq!(stage.events(), ["heartbeat", "started", "progress"]);
    assert_eq!(stage.bodies("/events")[2]["message"], "Editing <path>");
}

#[test]
fn a_run_too_short_for_a_heartbeat_still_tells_that_it_started() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.progress(&claim, &["Working."]);
    assert_eq!(stage.events(), ["started", "progress"]);
    stage.succeed(&claim);
    stage.at_second(60.0);
    stage.progress(&claim, &["Late."]);
    stage.heartbeat(&[]);
    stage.progress(&claim, &["Later."]);
    assert_eq!(stage.events().len(), 2);
    assert!(stage.bodies("/fail").is_empty());
}

#[test]
fn a_line_of_two_hundred_characters_is_whole_and_a_longer_one_is_cut() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.heartbeat(&[(&claim, "running")]);
    for (second, length) in [(0.0, 200), (15.0, 201)] {
        stage.at_second(second);
        stage.progress(&claim, &[&"x".repeat(length)]);
    }
    let messages: Vec<usize> = stage.bodies("/events")[1..]
        .iter()
        .map(|body| body["message"].as_str().unwrap().chars().count())
        .collect();
    assert_eq!(messages, [200, 200]);
}

#[test]
fn progress_is_shown_every_fifteen_seconds_at_most_and_never_after_the_report() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.heartbeat(&[(&claim, "running")]);
    for second in 0..40 {
        stage.at_second(f64::from(second));
        assert_eq!(stage.progress(&claim, &["Working."]).result, Some(Ok(())));
    }
    stage.at_second(60.0);
    stage.succeed(&claim);
    stage.progress(&claim, &["Late."]);
    let shown: Vec<f64> = {
        let tale = stage.tale.borrow();
        let progress = tale.seen.iter().filter(|seen| seen.body["type"] == "progress");
        progress.map(|seen| (seen.at - START) / 1e3).collect()
    };
    assert_eq!(shown, [0.0, 15.0, 30.0]);
}

#[test]
fn twenty_runs_that_all_talk_stay_within_the_servers_limit_and_keep_their_leases() {
    let mut stage = Stage::new();
    let claims: Vec<Claim> = (0..20).map(|number| stage.claimed(&format!("run{number}"))).collect();
    let held: Vec<(&Claim, &str)> = claims.iter().map(|claim| (claim, "running")).collect();
    let mut renewed = vec![0.0; claims.len()];
    for second in 0..600 {
        stage.at_second(f64::from(second));
        if second % 10 == 0 {
            for (run, control) in stage.heartbeat(&held).controls {
                assert_eq!(control, RENEWED);
                let index = claims.iter().position(|claim| at(claim).run == run).unwrap();
                renewed[index] = f64::from(second);
            }
        }
        if second % 5 == 0 {
            for claim in &claims {
                stage.progress(claim, &["Working."]);
            }
        }
        // The host ends an agent twelve seconds before its lease is over.
        assert!(renewed.iter().all(|renewed| f64::from(second) - renewed < 48.0), "{second}: {renewed:?}");
    }
    // A bucket of 120 that fills with one a second.
    let mut bucket = 120.0_f64;
    let mut last = START;
    for sent in stage.tale.borrow().times("/events") {
        bucket = (bucket + (sent - last) / 1e3).min(120.0) - 1.0;
        last = sent;
        assert!(bucket >= 20.0, "nothing is left for reports {} s after the start", (sent - START) / 1e3);
    }
}

#[test]
fn events_pause_when_the_server_asks_for_it() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("/events", Answer::Limited(Some("20")));
    stage.word_on(&claim);
    stage.at_second(10.0);
    assert_eq!(stage.word_on(&claim), []);
    stage.progress(&claim, &["Working."]);
    stage.at_second(20.0);
    assert_eq!(stage.word_on(&claim), [RENEWED]);
    assert_eq!(stage.events().len(), 2);
}
