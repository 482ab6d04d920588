//! Talking to an agent at work, by `host message`: what is said is heard once and in
//! order, also by an agent whose host was killed and that another host took up.

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use hostler_tests::{Output, PATIENCE, wait_until};

use crate::chaos::Moments;
use crate::stage::{LONG, Stage, assert_one_sentence};

/// How many hosts are killed.
const KILLS: usize = 12;

/// How long a host lives, at least and at most, in milliseconds: some die while they take
/// the agent up, most have passed a few messages on.
const LIFE_MS: (u64, u64) = (100, 1200);

/// Says again what it hears, until it hears `goodbye`.
const ECHO: &str = r#"while IFS= read -r line; do
    printf '%s\n' "$line"
    [ "$line" = goodbye ] && exit 0
done
exit 9"#;

/// A machine with one task for a command that is an `sh` script.
fn scene(script: &str, settings: &str) -> Stage {
    let stage = Stage::bare();
    stage.allow("folder");
    stage.allow("command");
    let program = stage.sandbox.bin_folder().join("my-agent");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    stage.sandbox.configure(&format!("[providers.command]\ncommand = \"my-agent\"\n{settings}"));
    stage.task("talk", "Listen.\n");
    stage
}

fn conversation(script: &str) -> Stage {
    scene(script, "conversation = true\n")
}

const COMMAND: [&str; 2] = ["--provider", "command"];

fn say(stage: &Stage, text: &str) -> Output {
    stage.sandbox.host(&["message", "talk", text])
}

/// What the agent said, after the prompt.
fn echoed(stage: &Stage) -> Vec<String> {
    let output = stage.sandbox.host(&["logs", "talk", "--raw"]);
    output.stdout.lines().skip(1).map(str::to_owned).collect()
}

fn assert_refused(output: &Output, code: i32, part: &str) {
    assert_eq!(output.code, Some(code), "{output:?}");
    assert_one_sentence(&output.stderr);
    assert!(output.stderr.contains(part), "{output:?}");
}

#[test]
fn an_agent_hears_a_message_as_one_line_and_its_end_closes_the_conversation() {
    let stage = conversation(ECHO);
    let mut host = stage.start_once(&COMMAND);
    stage.wait_for_state("talk", "running");
    assert_eq!(say(&stage, "two\nlines and a \\").stdout, "The agent of talk is told.\n");
    assert_eq!(say(&stage, "goodbye").code, Some(0));
    assert!(host.wait(LONG).success(), "{}", host.stderr());
    assert_eq!(echoed(&stage), [r"two\nlines and a \\", "goodbye"]);
    assert_refused(&say(&stage, "hello?"), 11, "no host runs here");
    stage.assert_reported_once("talk", "done");
}

#[test]
fn a_message_that_no_agent_takes_is_refused_with_the_remedy() {
    let stage = scene("while [ ! -e \"$0.go\" ]; do sleep 0.02; done", "");
    assert_refused(&say(&stage, "hello"), 11, "start one with `host run`");
    let mut host = stage.start(&COMMAND);
    stage.wait_for_state("talk", "running");
    assert_refused(&say(&stage, "hello"), 14, "set `conversation = true`");
    assert_refused(&say(&stage, " "), 14, "the message is empty");
    let unknown = stage.sandbox.host(&["message", "nobody", "hello"]);
    assert_refused(&unknown, 11, "no run matches `nobody`");
    std::fs::write(stage.sandbox.bin_folder().join("my-agent.go"), "").unwrap();
    stage.wait_for_state("talk", "closed");
    assert_refused(&say(&stage, "hello"), 11, "is over already (succeeded): nobody would hear it");
    host.kill_9();
    assert_refused(&say(&stage, "hello"), 11, "no host runs here");
}

/// More than the pipe to the agent holds, so that nothing of it is read by nobody.
#[test]
fn an_agent_that_does_not_read_holds_nothing_up_and_hears_all_that_was_taken() {
    let script = format!("while [ ! -e \"$0.go\" ]; do sleep 0.02; done\n{ECHO}");
    let stage = conversation(&script);
    let mut host = stage.start_once(&COMMAND);
    stage.wait_for_state("talk", "running");
    let text = |number: usize| format!("{number} {}", "x".repeat(60_000));
    let mut taken = Vec::new();
    let refused = loop {
        let output = say(&stage, &text(taken.len()));
        match output.code {
            Some(0) if taken.len() < 100 => taken.push(text(taken.len())),
            _ => break output,
        }
    };
    assert_refused(&refused, 14, "has not read what it was told before");
    assert!(taken.len() >= 16, "{}", taken.len());
    std::fs::write(stage.sandbox.bin_folder().join("my-agent.go"), "").unwrap();
    wait_until(PATIENCE, "the agent reads again", || match say(&stage, "goodbye") {
        Output { code: Some(0), .. } => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert!(host.wait(LONG).success(), "{}", host.stderr());
    taken.push("goodbye".to_owned());
    assert!(echoed(&stage) == taken, "the agent heard something else than was taken");
}

/// Says it until it is told that the agent hears it; under one id, so once.
fn insist(stage: &Stage, text: &str) {
    let since = Instant::now();
    loop {
        let output = stage.sandbox.host(&["message", "talk", text, "--id", text]);
        match output.code {
            Some(0) => return,
            // No host; one that was killed before it could answer; one that is about to
            // take the agent up.
            Some(11 | 1 | 14) => assert_one_sentence(&output.stderr),
            _ => panic!("{output:?}"),
        }
        assert!(since.elapsed() < LONG, "nobody passes on `{text}`: {output:?}");
    }
}

/// Takes about fifteen seconds: a dozen hosts have to live for a moment each.
#[test]
fn hosts_killed_between_and_during_messages_lose_none_and_repeat_none() {
    let mut moments = Moments::from_environment(LIFE_MS);
    let stage = conversation(ECHO);
    let mut host = stage.start_once(&COMMAND);
    stage.wait_for_state("talk", "running");
    let over = AtomicBool::new(false);
    let mut said: Vec<String> = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..KILLS {
                // The moment is the subject here: nothing is waited for.
                std::thread::sleep(moments.next());
                host.kill_9();
                host = stage.start_once(&COMMAND);
            }
            over.store(true, Ordering::SeqCst);
        });
        while !over.load(Ordering::SeqCst) {
            said.push(format!("message {}", said.len()));
            insist(&stage, &said[said.len() - 1]);
        }
    });
    said.push("goodbye".to_owned());
    insist(&stage, "goodbye");
    assert!(host.wait(LONG).success(), "{}", host.stderr());
    assert_eq!(echoed(&stage), said);
    assert!(said.len() > KILLS, "hardly anything was said: {said:?}");
    stage.assert_reported_once("talk", "done");
    assert_eq!(stage.run("talk")["attempts"].as_array().unwrap().len(), 1);
    let replayed = stage.sandbox.host(&["replay", "talk"]);
    assert_eq!(replayed.code, Some(0), "{replayed:?}");
}
