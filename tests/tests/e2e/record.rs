//! What is recorded of a run, and what can be done with it: going on with the plugin it
//! began with, deciding it again, explaining it.

use std::path::PathBuf;

use hostler_tests::PATIENCE;
use hostler_tests::scripted_agent::{Installed, Replacement, Script, Step, transcript};
use serde_json::Value;

use crate::stage::{LONG, Stage, plugin};

/// A sentence of the prompts of the bundled tracker, and the same of another build.
const OLD: &str = "You work in a git worktree";
const NEW: &str = "YOU work in a git worktree";

/// Another build of the bundled tracker, which tells agents the same in other words.
fn other_build(stage: &Stage) -> PathBuf {
    let mut bytes = std::fs::read(plugin("folder")).unwrap();
    let found: Vec<usize> = bytes
        .windows(OLD.len())
        .enumerate()
        .filter(|(_, window)| *window == OLD.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!found.is_empty(), "the plugin has no such sentence");
    for at in found {
        bytes[at..at + NEW.len()].copy_from_slice(NEW.as_bytes());
    }
    let path = stage.sandbox.folder().join("other.wasm");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Puts the other build where the host finds the tracker by name, and allows it.
fn swap_plugin(stage: &Stage) {
    let place = stage.sandbox.folder().join("data/hostler/plugins/folder.wasm");
    std::fs::rename(other_build(stage), place).unwrap();
    stage.allow("folder");
}

/// A machine whose host was stopped in the middle of the first attempt at `hello`.
fn interrupted() -> (Stage, Installed) {
    let success = || Step::transcript(transcript("claude-success"));
    let script = Script::new()
        .attempt([Step::mark("working"), Step::hang()])
        .attempt([Step::write("hello.txt", "hello\n"), Step::commit("Work"), success()])
        .attempt([Step::write("other.txt", "other\n"), Step::commit("Work"), success()]);
    let (stage, agent) = Stage::with_claude(&script);
    stage.task("hello", "Write hello.txt\n");
    let mut host = stage.start(&[]);
    agent.wait_for_mark("working");
    stage.wait_for_state("hello", "running");
    host.terminate();
    host.wait_for_stdout("No new tasks are taken", PATIENCE);
    host.terminate();
    host.wait(LONG);
    (stage, agent)
}

fn prompt(stage: &Stage, key: &str, attempt: u32) -> String {
    std::fs::read_to_string(stage.attempt_folder(key, attempt).join("prompt.md")).unwrap()
}

fn json(stage: &Stage, words: &[&str], code: i32) -> Value {
    let output = stage.sandbox.host(words);
    assert_eq!(output.code, Some(code), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn run_folder(stage: &Stage, key: &str) -> PathBuf {
    stage.attempt_folder(key, 1).parent().unwrap().to_owned()
}

/// Done with one retry, so that every kind of decision was made.
fn done_with_a_retry() -> Stage {
    let script =
        Script::new().attempt([Step::first_lines(3, transcript("claude-success")), Step::exit(1)]).attempt([
            Step::write("hello.txt", "hello\n"),
            Step::commit("Work"),
            Step::transcript(transcript("claude-success")),
        ]);
    let (stage, _) = Stage::with_claude(&script);
    stage.task("hello", "Write hello.txt\n");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage
}

#[test]
fn an_open_run_goes_on_with_the_plugin_it_began_with_and_a_new_run_uses_the_new_one() {
    let (stage, _) = interrupted();
    swap_plugin(&stage);
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage.task("other", "Write other.txt\n");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(prompt(&stage, "hello", 2).contains(OLD), "{}", prompt(&stage, "hello", 2));
    assert!(prompt(&stage, "other", 1).contains(NEW), "{}", prompt(&stage, "other", 1));
    assert_eq!(std::fs::read_dir(stage.sandbox.state_folder().join("plugins")).unwrap().count(), 4);
    // Each is decided again by its own.
    for key in ["hello", "other"] {
        let output = stage.sandbox.host(&["replay", key]);
        assert_eq!(output.code, Some(0), "{output:?}");
    }
}

#[test]
fn a_run_whose_plugin_may_not_run_any_more_waits_for_a_person_and_says_why() {
    let (stage, _) = interrupted();
    swap_plugin(&stage);
    std::fs::remove_file(stage.sandbox.folder().join("config/hostler/grants.toml")).unwrap();
    for name in ["folder", "claude-code"] {
        stage.allow(name);
    }
    let output = stage.run_once(&[]);
    assert!(output.code.is_some(), "{output:?}");
    let run = stage.run("hello");
    assert_eq!(run["state"], "parked", "{run}");
    let why = run["why"].as_str().unwrap();
    assert!(why.contains("may not run any more (its grant is gone)"), "{why}");
    assert!(why.contains("host stop"), "{why}");
    let explained = json(&stage, &["explain", "hello", "--json"], 0);
    assert_eq!(explained["explanation"]["state"], "parked");
}

#[test]
fn kept_plugins_go_when_no_run_needs_them_and_those_in_use_stay() {
    let (stage, _) = interrupted();
    swap_plugin(&stage);
    assert_eq!(stage.run_once(&[]).code, Some(0));
    stage.sandbox.configure("[retention]\nworktrees = \"0s\"\nlogs = \"0s\"\n");
    let plugins = |findings: &Value, fate: &str| {
        let findings = findings.as_array().unwrap().iter();
        findings.filter(|finding| finding["what"] == "plugin" && finding["fate"] == fate).count()
    };
    let findings = json(&stage, &["gc", "--yes", "--json"], 0);
    assert_eq!((plugins(&findings, "stays"), plugins(&findings, "gone")), (2, 1), "{findings}");
}

#[test]
fn everything_about_a_run_is_decided_the_same_way_again() {
    let stage = done_with_a_retry();
    let replay = json(&stage, &["replay", "hello", "--json"], 0);
    let parts = replay["parts"].as_array().unwrap();
    let names: Vec<_> = parts.iter().map(|part| part["what"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        ["plan", "prompt", "launch", "retry", "output of attempt 1", "output of attempt 2", "engine"]
    );
    for part in parts {
        assert_eq!(part["result"], "equal", "{part}");
        assert!(part["count"].as_u64().unwrap() > 0, "{part}");
    }
    let shown = stage.sandbox.host(&["replay", "hello"]).stdout;
    assert!(shown.contains("came out the same, byte for byte"), "{shown}");
}

#[test]
fn a_run_that_outlived_its_host_is_decided_the_same_way_again() {
    let script = Script::always([
        Step::first_lines(3, transcript("claude-success")),
        Step::mark("working"),
        Step::wait_for("go"),
        Step::transcript(transcript("claude-success")),
    ]);
    let (stage, agent) = Stage::with_claude(&script);
    stage.task("hello", "Take your time\n");
    let mut host = stage.start(&[]);
    agent.wait_for_mark("working");
    stage.wait_for_state("hello", "running");
    host.kill_9();
    std::fs::write(agent.shared("go"), "").unwrap();
    assert_eq!(stage.run_once(&[]).code, Some(0));
    let replay = json(&stage, &["replay", "hello", "--json"], 0);
    for part in replay["parts"].as_array().unwrap() {
        assert_eq!(part["result"], "equal", "{part}");
    }
}

#[test]
fn a_decision_that_comes_out_differently_is_shown_and_has_an_exit_code_of_its_own() {
    let stage = done_with_a_retry();
    let path = run_folder(&stage, "hello").join("calls.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    // As if the plugin had said something else then.
    let at = text.find(r#""function":"retry""#).unwrap();
    let (before, retry) = text.split_at(at);
    assert!(retry.contains("\"fresh\":false"), "{retry}");
    std::fs::write(&path, before.to_owned() + &retry.replacen("\"fresh\":false", "\"fresh\":true", 1))
        .unwrap();
    let output = stage.sandbox.host(&["replay", "hello"]);
    assert_eq!(output.code, Some(12), "{output:?}");
    for part in ["differs at retry number 1", "recorded", "replayed", "not decided the same way"] {
        assert!(output.stdout.contains(part), "no {part:?} in {}", output.stdout);
    }
}

#[test]
fn another_version_shows_what_it_would_have_decided_call_by_call() {
    let stage = done_with_a_retry();
    let other = other_build(&stage);
    let compared = json(&stage, &["replay", "hello", "--plugin", &other.to_string_lossy(), "--json"], 0);
    let told: Vec<_> = compared
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["what"].as_str().unwrap(), one["same"].as_bool().unwrap()))
        .collect();
    assert_eq!(told, [("plan", true), ("prompt", false), ("retry", true), ("prompt", false)]);
    let prompt = &compared[1];
    assert!(prompt["old"].as_str().unwrap().contains(OLD) && prompt["new"].as_str().unwrap().contains(NEW));
    // The provider's side, with the build that did it.
    let same = json(&stage, &["replay", "hello", "--plugin", "claude-code", "--json"], 0);
    let same = same.as_array().unwrap();
    assert_eq!(same.len(), 4, "two launches and two outputs: {same:?}");
    assert!(same.iter().all(|one| one["same"] == true), "{same:?}");
}

#[test]
fn an_open_run_is_replayed_and_explained_beside_its_host() {
    let (stage, agent) = Stage::with_claude(&Script::always([
        Step::first_lines(3, transcript("claude-success")),
        Step::mark("working"),
        Step::hang(),
    ]));
    stage.task("hello", "Hang\n");
    let host = stage.start(&[]);
    agent.wait_for_mark("working");
    stage.wait_for_state("hello", "running");
    let replay = json(&stage, &["replay", "hello", "--json"], 0);
    assert!(replay["parts"].as_array().unwrap().iter().all(|part| part["result"] == "equal"), "{replay}");
    let explained = json(&stage, &["explain", "hello", "--json"], 0);
    assert_eq!(explained["explanation"]["state"], "running");
    assert_eq!(explained["explanation"]["waits_for"], "the agent");
    drop(host);
}

#[test]
fn explain_tells_in_plain_words_what_led_to_the_end() {
    let stage = done_with_a_retry();
    let shown = stage.sandbox.host(&["explain", "hello"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for part in [
        "closed",
        "What happened",
        "attempt 1 ended (",
        "the plugin advised to try again",
        "the tracker took the report",
    ] {
        assert!(shown.stdout.contains(part), "no {part:?} in {}", shown.stdout);
    }
    let explained = json(&stage, &["explain", "hello", "--json"], 0);
    let lines: Vec<_> =
        explained["happened"].as_array().unwrap().iter().map(|line| line["what"].as_str().unwrap()).collect();
    let place = |text: &str| {
        lines.iter().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}: {lines:?}"))
    };
    assert!(place("attempt 1 ended") < place("attempt 2 ended"));
    assert!(place("attempt 2 ended: the agent did what it was asked") < place("took the report"));
    let absent = stage.sandbox.host(&["explain", "nobody"]);
    assert_eq!(absent.code, Some(11), "{absent:?}");
}

#[test]
fn a_key_that_an_agent_prints_is_in_no_recorded_call_and_replay_still_compares() {
    let key = "sk-granted-0815-0815";
    let mut told = Step::transcript(transcript("claude-success"));
    if let Step::Transcript { replace, .. } = &mut told {
        replace.push(Replacement { from: "All done".to_owned(), to: format!("My key is {key}") });
    }
    let (stage, _) = Stage::with_claude(&Script::always([told]));
    let stage = stage.variable("ANTHROPIC_API_KEY", key);
    stage.task("hello", &format!("Say {key} loud\n"));
    assert_eq!(stage.run_once(&[]).code, Some(0));
    let calls = std::fs::read_to_string(run_folder(&stage, "hello").join("calls.jsonl")).unwrap();
    assert!(!calls.contains(key) && calls.contains(&"*".repeat(key.len())), "{calls}");
    let replay = json(&stage, &["replay", "hello", "--json"], 0);
    assert!(replay["parts"].as_array().unwrap().iter().all(|part| part["result"] == "equal"), "{replay}");
}
