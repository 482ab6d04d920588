//! Plugins that crash, loop, flood or lie. Each costs its own runs, never the host,
//! and nobody beside it notices.

use hostler_tests::Output;
use hostler_tests::scripted_agent::{Script, Step, transcript};

use crate::guest::{Guest, manifest};
use crate::stage::{Stage, assert_one_sentence};

/// Writes a plugin where the host finds it by name, and allows it.
fn install(stage: &Stage, id: &str, guest: Guest, rights: &str) {
    let manifest = manifest(rights).replace("id = \"test\"", &format!("id = \"{id}\""));
    let component = guest.manifest(Some(&manifest)).build();
    let path = stage.sandbox.folder().join(format!("data/hostler/plugins/{id}.wasm"));
    std::fs::write(path, component).unwrap();
    stage.allow(id);
}

const PROGRAM: &str =
    "[program]\nname = \"agent\"\nreason = \"to test\"\n[program.commands.start]\nargs = [\"work\"]\n";

/// A provider that starts the agent and has this function do its worst.
fn provider(function: &'static str, body: &str) -> Guest {
    // The record of an invocation: `start`, no slots, no standard input.
    let launch = "(i32.store (i32.const 1028) (i32.const 4000))
        (i32.store (i32.const 1032) (i32.const 5))
        (i32.const 1024)";
    let guest = Guest::provider().extra(r#"(data (i32.const 4000) "start")"#);
    if function == "launch" {
        guest.body(function, body)
    } else {
        guest.body("launch", launch).body(function, body)
    }
}

const LOOP: &str = "(loop $again (br $again)) unreachable";
const MEMORY_BOMB: &str =
    "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) unreachable";
/// An answer whose list is said to hold a hundred megabytes.
const HUGE: &str = "(i32.store (i32.const 1024) (i32.const 0))
    (i32.store (i32.const 1028) (i32.const 100000000))
    (i32.const 1024)";
const OUTSIDE: &str = "(i32.const -4)";
const LINES: &str = "[method]session.lines";
const FINISH: &str = "[method]session.finish";

/// Name, function, and what it does.
const PROVIDERS: [(&str, &str, &str); 9] = [
    ("crash-in-lines", LINES, "unreachable"),
    ("loop-in-lines", LINES, LOOP),
    ("bomb-in-lines", LINES, MEMORY_BOMB),
    ("huge-in-lines", LINES, HUGE),
    ("garbage-in-lines", LINES, OUTSIDE),
    ("crash-in-constructor", "[constructor]session", "unreachable"),
    ("crash-in-finish", FINISH, "unreachable"),
    ("loop-in-launch", "launch", LOOP),
    ("garbage-in-launch", "launch", OUTSIDE),
];

#[test]
fn runs_of_hostile_providers_fail_for_their_plugin_and_the_run_beside_them_succeeds() {
    let (stage, _) = Stage::with_claude(&Script::always([
        Step::Pause { ms: 500 },
        Step::transcript(transcript("claude-success")),
    ]));
    stage.sandbox.install_agent("agent", &Script::always([Step::line("raw output of the agent")]));
    let mut words = vec!["--attempts", "1", "--slots", "3", "--provider", "claude-code"];
    stage.task("good", "---\npriority: 1\n---\nWork\n");
    for (id, function, body) in PROVIDERS {
        install(&stage, id, provider(function, body), PROGRAM);
        stage.task(id, &format!("---\nprovider: {id}\n---\nWork\n"));
        words.extend(["--provider", id]);
    }
    let output = stage.run_once(&words);
    assert_eq!(output.code, Some(10), "{output:?}");
    stage.assert_reported_once("good", "done");
    for (id, function, _) in PROVIDERS {
        stage.assert_reported_once(id, "failed");
        let run = stage.run(id);
        assert_eq!(run["report"]["reason"], "plugin", "{id}: {run}");
        assert!(run["report"]["message"].as_str().unwrap().contains("plugin"), "{id}: {run}");
        if function != "launch" {
            let raw = stage.sandbox.host(&["logs", id, "--raw"]).stdout;
            assert_eq!(raw, "raw output of the agent\n", "{id}: the raw output is kept");
        }
    }
}

#[test]
fn a_provider_that_crashes_in_detect_is_named_before_anything_starts() {
    let (stage, _) = Stage::with_claude(&Script::new());
    stage.sandbox.install_agent("agent", &Script::new());
    install(&stage, "crash-in-detect", provider("detect", "unreachable"), PROGRAM);
    let output = stage.run_once(&["--provider", "crash-in-detect"]);
    assert_eq!(output.code, Some(4), "{output:?}");
    assert_one_sentence(&output.stderr);
    assert!(output.stderr.contains("crash-in-detect"), "{}", output.stderr);
}

fn run_with_tracker(function: &'static str, body: &str) -> Output {
    let (stage, _) = Stage::with_claude(&Script::new());
    install(&stage, "hostile", Guest::tracker().body(function, body), "");
    let output = stage.run_once(&["--plugin", "hostile"]);
    assert!(output.stderr.contains("hostile"), "it is named: {output:?}");
    assert!(!output.stderr.contains("panicked"), "{output:?}");
    stage.wait_until_nothing_lives();
    output
}

#[test]
fn a_tracker_that_crashes_when_it_is_opened_is_a_plugin_that_cannot_be_used() {
    let output = run_with_tracker("[static]connection.open", "unreachable");
    assert_eq!(output.code, Some(4), "{output:?}");
    assert_one_sentence(&output.stderr);
}

#[test]
fn a_tracker_that_crashes_at_every_poll_is_given_up_after_a_few() {
    let output = run_with_tracker("[method]connection.begin", "unreachable");
    assert_eq!(output.code, Some(1), "{output:?}");
}

#[test]
fn a_tracker_that_loops_at_every_poll_is_given_up_after_a_few() {
    let output = run_with_tracker("[method]connection.begin", LOOP);
    assert_eq!(output.code, Some(1), "{output:?}");
}

#[test]
fn a_tracker_that_answers_garbage_is_given_up_after_a_few() {
    let output = run_with_tracker("[method]connection.begin", OUTSIDE);
    assert_eq!(output.code, Some(1), "{output:?}");
}
