//! The main job with every bundled provider.

use hostler_tests::scripted_agent::{Script, Step, transcript};

use crate::stage::Stage;

/// Reads its prompt, writes a file, commits it and prints what the real CLI printed.
fn plays(name: &str) -> Script {
    Script::always([
        Step::read_stdin(),
        Step::write("hello.txt", "hello\n"),
        Step::commit("Write hello.txt"),
        Step::transcript(transcript(name)),
    ])
}

fn does_the_main_job(provider: &str, program: &str, first_arguments: &[&str]) {
    let stage = Stage::bare();
    stage.allow("folder");
    stage.allow(provider);
    let agent = stage.sandbox.install_agent(program, &plays(&format!("{program}-success")));
    stage.task("hello", "Write hello.txt, please.\n");
    let output = stage.run_once(&["--provider", provider]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage.assert_reported_once("hello", "done");
    assert_eq!(stage.on_branch("hello", "hello.txt"), "hello");
    let start = agent.wait_for_start(1);
    assert_eq!(start.argv[1..=first_arguments.len()], *first_arguments, "{:?}", start.argv);
    assert!(start.stdin.unwrap().contains("Write hello.txt, please."));
    let run = stage.run("hello");
    assert_eq!(run["provider"], provider);
    assert!(run["usage"]["output_tokens"].as_u64().unwrap() > 0, "{run}");
    assert!(run["attempts"][0]["session"].is_string(), "{run}");
}

#[test]
fn claude_code_does_the_main_job() {
    does_the_main_job("claude-code", "claude", &["-p", "--output-format=stream-json", "--verbose"]);
}

#[test]
fn codex_does_the_main_job() {
    does_the_main_job("codex", "codex", &["exec", "--json"]);
}

#[test]
fn opencode_does_the_main_job() {
    does_the_main_job("opencode", "opencode", &["run", "--format=json"]);
}

/// A line that a shell would act on in every way it knows.
const SHELL_BAIT: &str = "$(touch bait) `touch bait` ; touch bait && touch bait | touch bait > bait \n\"'\\ $HOME ~ * {cwd} {prompt} %s\n--flag";

#[test]
fn a_prompt_full_of_shell_characters_reaches_a_command_as_one_argument_and_runs_nothing() {
    let stage = Stage::bare();
    stage.allow("folder");
    stage.allow("command");
    let agent = stage.sandbox.install_agent("my-agent", &Script::always([Step::line("done")]));
    stage.task("bait", SHELL_BAIT);
    let output =
        stage.run_once(&["--provider", "command", "--command", "my-agent --task {prompt} --in {cwd}"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let start = agent.wait_for_start(1);
    let [_, task, prompt, within, cwd] = start.argv.as_slice() else { panic!("{:?}", start.argv) };
    assert_eq!(
        (task.as_str(), within.as_str(), cwd.as_str()),
        ("--task", "--in", start.cwd.to_str().unwrap())
    );
    assert!(prompt.contains(SHELL_BAIT), "{prompt}");
    assert_eq!(stage.run("bait")["files"], serde_json::json!([]), "nothing was executed in the worktree");
    assert!(stage.repository.read("bait").is_none(), "nor beside it");
}

#[test]
fn a_command_with_a_prompt_file_finds_the_whole_prompt_in_it() {
    let stage = Stage::bare();
    stage.allow("folder");
    stage.allow("command");
    stage.task("bait", SHELL_BAIT);
    let command = "cp {prompt_file} prompt.txt";
    let output = stage.run_once(&["--provider", "command", "--command", command]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(stage.in_worktree("bait", "prompt.txt").contains(SHELL_BAIT));
    assert_eq!(stage.run("bait")["files"].as_array().unwrap().len(), 1, "only the copy is new");
}

#[test]
fn a_command_that_takes_the_prompt_nowhere_else_reads_it() {
    let stage = Stage::bare();
    stage.allow("folder");
    stage.allow("command");
    let agent = stage.sandbox.install_agent("my-agent", &Script::always([Step::read_stdin()]));
    stage.task("bait", SHELL_BAIT);
    let output = stage.run_once(&["--provider", "command", "--command", "my-agent"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let start = agent.wait_for_start(1);
    assert_eq!(start.argv.len(), 1);
    assert!(start.stdin.unwrap().contains(SHELL_BAIT));
}

#[test]
fn a_task_chooses_among_the_providers_of_the_host() {
    let (stage, claude) = Stage::with_claude(&plays("claude-success"));
    stage.allow("codex");
    let codex = stage.sandbox.install_agent("codex", &plays("codex-success"));
    stage.task("first", "Anybody\n");
    stage.task("second", "---\nprovider: codex\n---\nCodex, please\n");
    let output = stage.run_once(&["--provider", "claude-code", "--provider", "codex"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!((claude.starts().unwrap().len(), codex.starts().unwrap().len()), (1, 1));
    assert_eq!(stage.run("second")["provider"], "codex");
}
