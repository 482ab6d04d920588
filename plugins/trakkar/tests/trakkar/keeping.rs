//! What is said and heard while runs are held.

use hostler_sdk::tracker::{Control, Operation};
use serde_json::{Value, json};

use crate::fake_trakkar::Answer;
use crate::stage::{START, Stage, at, opened, problem, runner};

fn stop() -> Control {
    Control::Cancel("stopped in Trakkar".into())
}

fn texts(batch: &Value) -> Vec<&str> {
    batch["events"].as_array().unwrap().iter().map(|event| event["text"].as_str().unwrap()).collect()
}

#[test]
fn the_first_heartbeat_says_that_a_run_is_ours_and_the_server_is_asked_each_time() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    let done = stage.heartbeat(&[(&claim, "running")]);
    assert_eq!(done.controls, [(at(&claim).run, Control::Renewed(u32::MAX))]);
    stage.at_second(4.0);
    assert_eq!(stage.heartbeat(&[(&claim, "running")]).controls, []);
    assert_eq!(stage.trakkar.borrow().times("control"), [START, START + 4_000.0]);
}

#[test]
fn a_stop_in_trakkar_reaches_the_run_with_the_next_heartbeat() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    assert_eq!(stage.word_on(&claim), []);
    stage.next("control", Answer::ok(json!({ "stop": true, "stop_reason": "user" })));
    assert_eq!(stage.word_on(&claim), [stop()]);
    assert_eq!(stage.word_on(&claim), [stop()], "until the run has ended");
}

#[test]
fn a_stop_in_the_answer_to_progress_is_not_lost() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    let control = json!({ "stop": true, "messages": ["hurry"] });
    stage.next("progress", Answer::ok(json!({ "ok": true, "control": control })));
    stage.progress(&claim, &["working"]);
    assert_eq!(stage.word_on(&claim), [stop(), Control::Message("hurry".into())]);
}

#[test]
fn progress_is_numbered_and_carries_type_text_and_time() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.progress(&claim, &["Reading", "Editing src/export.ts"]);
    stage.progress(&claim, &["Done"]);
    let event = |text: &str| json!({ "type": "message", "text": text, "at": "2026-01-01T00:00:00Z" });
    let expected = [
        json!({ "seq": 1, "events": [event("Reading"), event("Editing src/export.ts")] }),
        json!({ "seq": 2, "events": [event("Done")] }),
    ];
    assert_eq!(stage.bodies("runs/run_one/progress"), expected);
}

#[test]
fn neither_code_nor_paths_nor_tokens_leave_this_machine_with_progress() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.progress(&claim, &["```ts", "@@ -1 +1 @@", "see /home/ada/app and trk_agent_0123456789"]);
    let sent = stage.bodies("progress")[0].to_string();
    for hidden in ["```", "@@", "/home", "trk_agent"] {
        assert!(!sent.contains(hidden), "{sent}");
    }
}

#[test]
fn a_batch_without_an_answer_is_sent_again_under_its_number_with_the_next_heartbeat() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("progress", Answer::Cut);
    assert_eq!(problem(&stage.progress(&claim, &["one"])).kind, "transient", "the host tells it again");
    stage.heartbeat(&[(&claim, "running")]);
    stage.progress(&claim, &["two"]);
    let batches = stage.bodies("progress");
    let numbers: Vec<&Value> = batches.iter().map(|batch| &batch["seq"]).collect();
    assert_eq!(numbers, [1, 1, 2]);
    assert_eq!(
        (texts(&batches[0]), texts(&batches[1]), texts(&batches[2])),
        (vec!["one"], vec!["one"], vec!["two"])
    );
}

#[test]
fn while_trakkar_is_away_the_run_goes_on_and_what_it_said_is_made_up_for() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.trakkar.borrow_mut().is_down = true;
    for number in 0..600 {
        stage.progress(&claim, &[&number.to_string()]);
        assert_eq!(stage.word_on(&claim), []);
    }
    stage.trakkar.borrow_mut().is_down = false;
    let before = stage.bodies("progress").len();
    stage.heartbeat(&[(&claim, "running")]);
    let batches = stage.bodies("progress").split_off(before);
    let numbers: Vec<u64> = batches.iter().map(|batch| batch["seq"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
    assert_eq!(texts(&batches[0]), ["0"], "the one that was on its way");
    assert!(texts(&batches[1])[0].starts_with("99 earlier lines are left out"));
    let told: usize = batches.iter().map(|batch| texts(batch).len()).sum();
    assert_eq!(told, 1 + 1 + 500);
    assert_eq!(texts(batches.last().unwrap()).last(), Some(&"599"));
}

#[test]
fn two_calls_at_once_send_every_line_once_and_in_order() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    let first = stage.line("one");
    let first = Operation::Progress((at(&claim), vec![first]));
    let outputs = stage.host.connection().begin(1_000, first, START);
    let [hostler_sdk::tracker::Output::Effect((call, effect))] = &outputs[..] else { panic!("{outputs:?}") };
    stage.progress(&claim, &["two"]);
    assert!(stage.bodies("progress").is_empty(), "the second waits for the first");
    let reply = stage.trakkar.borrow_mut().answer(effect);
    let outputs = stage.host.connection().resume(*call, reply, START);
    let [hostler_sdk::tracker::Output::Effect((_, effect))] = &outputs[..] else { panic!("{outputs:?}") };
    let _ = stage.trakkar.borrow_mut().answer(effect);
    let batches = stage.bodies("progress");
    assert_eq!((texts(&batches[0]), texts(&batches[1])), (vec!["one"], vec!["two"]));
    assert_eq!(batches[1]["seq"], 2);
}

#[test]
fn numbers_go_on_after_a_restart() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.progress(&claim, &["one"]);
    let next = stage.reconnect();
    next.begin(1, Operation::Register(runner(&["claude-code"], 4)), START);
    let status = hostler_sdk::tracker::RunStatus {
        at: at(&claim),
        state: "running".into(),
        attempt: 1,
        elapsed: 0,
        usage: hostler_sdk::Usage::default(),
    };
    next.begin(2, Operation::Heartbeat(vec![status]), START);
    let line =
        hostler_sdk::tracker::Progress { sequence: 1, at: START, kind: "text".into(), text: "two".into() };
    let outputs = next.begin(3, Operation::Progress((at(&claim), vec![line])), START);
    let [hostler_sdk::tracker::Output::Effect((_, effect))] = &outputs[..] else { panic!("{outputs:?}") };
    let _ = stage.trakkar.borrow_mut().answer(effect);
    assert_eq!(stage.bodies("progress")[1]["seq"], 2);
}

#[test]
fn a_task_that_is_gone_ends_its_agent() {
    for (status, code) in [(404, "not_found"), (409, "not_owner"), (410, "task_gone")] {
        let mut stage = Stage::new();
        let claim = stage.claimed("one");
        stage.next("control", Answer::error(status, code));
        let words = stage.word_on(&claim);
        assert!(matches!(&words[..], [Control::LeaseLost(why)] if why.contains(code)), "{words:?}");
    }
}

#[test]
fn a_host_whose_slots_are_full_still_shows_that_it_lives() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    for second in (0..60).step_by(4) {
        stage.at_second(f64::from(second));
        stage.heartbeat(&[(&claim, "running")]);
    }
    let shown = stage.trakkar.borrow().times("heartbeat");
    let after: Vec<f64> = shown.iter().map(|shown| (shown - START) / 1e3).collect();
    assert_eq!(after, [0.0, 16.0, 32.0, 48.0]);
    assert_eq!(stage.bodies("heartbeat")[1]["running"], json!(["run_one"]));
}

#[test]
fn a_server_that_wants_to_be_left_alone_is_not_asked_for_so_long() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("control", Answer::Limited(Some("10")));
    stage.heartbeat(&[(&claim, "running")]);
    stage.at_second(9.0);
    stage.heartbeat(&[(&claim, "running")]);
    stage.at_second(10.0);
    stage.heartbeat(&[(&claim, "running")]);
    assert_eq!(stage.trakkar.borrow().times("control"), [START, START + 10_000.0]);
}

#[test]
fn a_run_that_reports_is_not_asked_about_and_a_late_line_is_not_sent_after_its_end() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.heartbeat(&[(&claim, "reporting")]);
    assert!(stage.bodies("control").is_empty());
    stage.report(&claim, opened());
    assert_eq!(stage.progress(&claim, &["late"]).result, Some(Ok(())));
    assert!(stage.bodies("progress").is_empty());
}

#[test]
fn verification_and_landing_are_shown_in_the_task() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    for state in ["running", "verifying", "verifying", "landing"] {
        stage.heartbeat(&[(&claim, state)]);
    }
    let batches = stage.bodies("progress");
    let kinds: Vec<&Value> = batches.iter().map(|batch| &batch["events"][0]["type"]).collect();
    assert_eq!(kinds, ["verify", "status"]);
}
