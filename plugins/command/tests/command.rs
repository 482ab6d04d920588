//! A command of the operator's own.
#![allow(clippy::unwrap_used)]

use hostler_plugin_command::session::CommandSession;
use hostler_plugin_command::{AnyCommand, one_line};
use hostler_sdk::provider::{Invocation, Job, Outputs, Tail};
use hostler_sdk::testing::{Transcript, job};
use hostler_sdk::{Event, Outcome, Problem, Provider, Session};

fn launch(command: &str) -> Result<Invocation, Problem> {
    let mut job = job("do it");
    job.config = serde_json::json!({ "command": command }).to_string();
    AnyCommand::launch(&job)
}

fn outcome(transcript: &Transcript) -> Outcome {
    transcript.read::<CommandSession>(&job("do it"), 3).outcome
}

#[test]
fn only_the_slots_of_the_template_are_filled() {
    let invocation = launch("agent --task {prompt_file} --dir {cwd} --model {model}").unwrap();
    let slots = [("prompt_file", "/runs/1/prompt.md"), ("cwd", "/repo")];
    assert_eq!(invocation.slots, slots.map(|(name, value)| (name.to_owned(), value.to_owned())));
    assert_eq!(invocation.stdin, None);
}

#[test]
fn a_command_that_names_no_prompt_gets_it_on_standard_input() {
    assert_eq!(launch("agent -").unwrap().stdin.as_deref(), Some(&b"do it"[..]));
    assert_eq!(launch("agent {prompt}").unwrap().stdin, None);
}

#[test]
fn a_missing_command_is_a_problem_with_a_remedy() {
    for config in ["{}", r#"{"command":"  "}"#] {
        let mut job = job("do it");
        job.config = config.into();
        let problem = AnyCommand::launch(&job).unwrap_err();
        assert_eq!(problem.kind, "permanent");
        assert!(problem.message.contains("set `command`"), "{}", problem.message);
    }
}

#[test]
fn the_last_lines_are_the_summary_and_the_exit_code_decides() {
    let stdout: String = (0..=Tail::LINES).fold(String::new(), |text, line| text + &format!("line {line}\n"));
    let outcome = outcome(&Transcript::new(&stdout, "noise", 0));
    assert_eq!(outcome.state, "succeeded");
    assert!(outcome.summary.starts_with("line 1\n") && outcome.summary.ends_with("line 20"));
}

#[test]
fn a_failure_quotes_the_last_line_of_standard_error() {
    let failed = outcome(&Transcript::new("working\n", "trace\nno such file\n", 3));
    assert_eq!((&*failed.reason, &*failed.class), ("exit-code", "retryable"));
    assert_eq!(failed.message, "The command ended with exit code 3: no such file");
    assert_eq!(failed.summary, "working");
    assert_eq!(outcome(&Transcript::new("", "", 0).signalled(9)).reason, "interrupted");
}

#[test]
fn what_the_host_ended_early_is_named_so() {
    let cancelled = outcome(&Transcript::new("half", "", 0).signalled(15).ended_by_host("cancelled"));
    assert_eq!((&*cancelled.class, &*cancelled.summary), ("cancelled", "half"));
}

#[test]
fn output_is_shown_without_colours() {
    let read = Transcript::new("\u{1b}[32mok\u{1b}[0m\n\n", "", 0).read::<CommandSession>(&job("do it"), 1);
    let texts: Vec<&Event> = read.events().collect();
    assert_eq!(texts, [&Event::Text("ok".into())]);
}

fn conversation(command: &str) -> Job {
    let mut job = job("do it\nwell");
    job.config = serde_json::json!({ "command": command, "conversation": true }).to_string();
    job
}

#[test]
fn a_conversation_begins_with_the_prompt_as_a_line_and_stays_open() {
    let invocation = AnyCommand::launch(&conversation("agent")).unwrap();
    assert_eq!(invocation.stdin.as_deref(), Some(&b"do it\\nwell\n"[..]));
    assert!(invocation.keep_stdin);
    let invocation = AnyCommand::launch(&conversation("agent {prompt_file}")).unwrap();
    assert_eq!((invocation.stdin, invocation.keep_stdin), (None, true));
    assert!(!launch("agent").unwrap().keep_stdin);
}

#[test]
fn a_message_is_one_line_of_a_conversation() {
    let mut out = Outputs::default();
    let mut session = CommandSession::new(&conversation("agent"));
    session.message("use\r\nC:\\new", &mut out).unwrap();
    assert_eq!(format!("{out:?}"), format!("Outputs([Output::Stdin({:?})])", b"use\\r\\nC:\\\\new\n"));
}

#[test]
fn a_command_that_is_no_conversation_says_how_it_would_become_one() {
    let problem = CommandSession::new(&job("do it")).message("hello", &mut Outputs::default()).unwrap_err();
    assert!(problem.message.contains("`conversation = true`"), "{}", problem.message);
}

#[test]
fn a_shell_gets_the_text_back_from_its_line() {
    let text = "first\nsecond \\n third\r\\\\ end";
    let line = one_line(text);
    assert_eq!(line.matches('\n').count(), 1);
    let decoded =
        std::process::Command::new("printf").args(["%b", line.trim_end_matches('\n')]).output().unwrap();
    assert_eq!(String::from_utf8(decoded.stdout).unwrap(), text);
}
