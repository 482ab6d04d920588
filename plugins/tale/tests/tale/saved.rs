//! What one connection tells the next.

use hostler_plugin_tale::Tale;
use hostler_sdk::tracker::{Connection, Effect, Operation, Output};
use serde_json::json;

use crate::fake_tale::Answer;
use crate::stage::{START, Stage, at, report, runner};

const CONFIG: &str = r#"{"url":"https://tale.example.com"}"#;

fn paths(outputs: &[Output]) -> Vec<String> {
    let path = |output: &Output| match output {
        Output::Effect((_, Effect::Http(request))) => {
            Some(request.url.split("/v1/").nth(1).unwrap().to_owned())
        }
        _ => None,
    };
    outputs.iter().filter_map(path).collect()
}

#[test]
fn a_new_connection_keeps_the_silence_of_the_last_one() {
    let mut stage = Stage::new();
    stage.next("claim", Answer::Cut);
    stage.poll(1);
    let saved = stage.host.connection().save();
    let next = Connection::<Tale>::open(CONFIG, Some(saved)).unwrap();
    let registered = next.begin(1, Operation::Register(runner()), START + 1_000.0);
    assert_eq!((paths(&registered), registered.len()), (Vec::new(), 1));
    assert!(paths(&next.begin(2, Operation::Heartbeat(Vec::new()), START + 134_999.0)).is_empty());
    let later = next.begin(3, Operation::Heartbeat(Vec::new()), START + 135_000.0);
    assert_eq!(paths(&later), ["runtimes/register"]);
}

/// A host that dies right after the answer has written nothing down.
#[test]
fn a_claim_that_no_heartbeat_has_named_yet_is_unanswered_for_the_next_connection() {
    let mut stage = Stage::new();
    stage.claimed("one");
    let early = Connection::<Tale>::open(CONFIG, Some(stage.host.connection().save())).unwrap();
    assert!(paths(&early.begin(1, Operation::Heartbeat(Vec::new()), START + 134_999.0)).is_empty());
    stage.host.run(Operation::Heartbeat(Vec::new()));
    let late = Connection::<Tale>::open(CONFIG, Some(stage.host.connection().save())).unwrap();
    assert_eq!(paths(&late.begin(1, Operation::Register(runner()), START)), ["runtimes/register"]);
}

#[test]
fn a_new_connection_knows_which_reports_may_have_arrived() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.next("/complete", Answer::Cut);
    stage.succeed(&claim);
    let saved = stage.host.connection().save();
    let next = Connection::<Tale>::open(CONFIG, Some(saved)).unwrap();
    let operation = Operation::Report((at(&claim), report("succeeded", "", "")));
    let outputs = next.begin(1, operation, START);
    let [Output::Effect((call, effect))] = &outputs[..] else { panic!("{outputs:?}") };
    stage.next("/complete", Answer::error(409, "RUN_NOT_LIVE"));
    let reply = stage.tale.borrow_mut().answer(effect);
    let outputs = next.resume(*call, reply, START);
    assert!(matches!(outputs.last(), Some(Output::Done((1, Ok(()))))), "{outputs:?}");
}

#[test]
fn saved_bytes_that_make_no_sense_are_like_none() {
    for saved in [&b"garbage"[..], b"{}", b"[1]"] {
        let next = Connection::<Tale>::open(CONFIG, Some(saved.to_vec())).unwrap();
        assert_eq!(paths(&next.begin(1, Operation::Register(runner()), START)), ["runtimes/register"]);
    }
}

#[test]
fn what_is_saved_holds_neither_prompt_nor_environment() {
    let mut stage = Stage::new();
    let claim = stage.claimed("one");
    stage.heartbeat(&[(&claim, "running")]);
    stage.next("/fail", Answer::Cut);
    stage.fail(&claim);
    let saved = String::from_utf8(stage.host.connection().save()).unwrap();
    assert!(!saved.contains("hunter2") && !saved.contains("Fix it"), "{saved}");
    let expected = json!({ "silent-until": 0.0, "reports-perhaps-taken": [at(&claim).run] });
    assert_eq!(serde_json::from_str::<serde_json::Value>(&saved).unwrap(), expected);
}
