//! A command of the operator's own.
#![allow(clippy::unwrap_used)]

use hostler_plugin_command::AnyCommand;
use hostler_plugin_command::session::CommandSession;
use hostler_sdk::provider::{Invocation, Tail};
use hostler_sdk::testing::{Transcript, job};
use hostler_sdk::{Event, Outcome, Problem, Provider};

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
