//! The real Claude Code through the whole host, against the stand-in model service.

use std::os::unix::fs::symlink;

use hostler_tests::{ModelServer, Scenario, real_cli};

use crate::sandbox::possible;
use crate::stage::Stage;

/// A machine with the real CLI that talks to a service playing a scenario. `None`,
/// with the reason printed, where the CLI cannot be had and need not be.
fn stage(scenario: &Scenario) -> Option<(Stage, ModelServer)> {
    let claude = match real_cli::claude() {
        Ok(claude) => claude,
        Err(reason) if real_cli::is_required() => panic!("{reason}"),
        Err(reason) => {
            eprintln!("skipped: {reason} (set {}=1 to fail instead)", real_cli::REQUIRED);
            return None;
        }
    };
    let server = ModelServer::start().unwrap();
    let stage = Stage::allowed()
        .variable("ANTHROPIC_BASE_URL", &server.base_url(scenario))
        .variable("ANTHROPIC_API_KEY", "sk-test")
        .variable("CLAUDE_CODE_MAX_RETRIES", "1");
    symlink(claude, stage.sandbox.bin_folder().join("claude")).unwrap();
    Some((stage, server))
}

#[test]
fn the_real_claude_code_writes_a_file_and_its_run_is_reported_with_its_cost() {
    // The worktree's path is not known before; the CLI resolves this one there.
    let scenario = Scenario::success().folder(".");
    let Some((stage, server)) = stage(&scenario) else { return };
    stage.task("hello", "Write hello.txt with a greeting.\n");
    let output = stage.run_once(&[]);
    assert_eq!(
        output.code,
        Some(0),
        "{output:?}\n{}",
        stage.sandbox.host(&["logs", "hello", "--raw"]).stdout
    );
    stage.assert_reported_once("hello", "done");
    assert_eq!(stage.in_worktree("hello", "hello.txt"), "hello from the model server\n");
    let run = stage.run("hello");
    assert_eq!(run["files"][0]["path"], "hello.txt");
    assert!(run["usage"]["cost_usd"].as_f64().unwrap() > 0.0, "{run}");
    assert!(run["attempts"][0]["session"].is_string(), "{run}");
    let report = stage.task_file("hello").text;
    assert!(
        report.contains("by claude-code") && report.contains('$') && report.contains("hello.txt"),
        "{report}"
    );
    let asked = server.requests(&scenario);
    let task = "Write hello.txt with a greeting.";
    assert!(
        asked.iter().any(|request| request.body.to_string().contains(task)),
        "the task reached the model"
    );
}

#[test]
fn the_real_claude_code_with_a_refused_key_is_reported_as_such_at_once() {
    let Some((stage, _server)) = stage(&Scenario::named("401").unwrap()) else { return };
    stage.task("hello", "Write hello.txt\n");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(10), "{output:?}");
    stage.assert_reported_once("hello", "failed");
    let run = stage.run("hello");
    assert_eq!((run["report"]["reason"].as_str(), run["attempt"].as_u64()), (Some("auth"), Some(1)), "{run}");
}

#[test]
fn a_hanging_real_claude_code_is_ended_with_all_it_started() {
    let Some((stage, server)) = stage(&Scenario::named("hang").unwrap()) else { return };
    stage.task("hello", "Write hello.txt\n");
    let output = stage.run_once(&["--time-limit", "4s", "--attempts", "1"]);
    assert_eq!(output.code, Some(10), "{output:?}");
    stage.assert_reported_once("hello", "failed");
    assert_eq!(stage.run("hello")["report"]["reason"], "timed-out");
    assert!(!server.requests(&Scenario::named("hang").unwrap()).is_empty(), "it did ask");
}

#[test]
fn the_real_claude_code_works_in_a_contained_sandbox_and_never_has_the_key() {
    let scenario = Scenario::success().folder(".");
    let Some((stage, server)) = stage(&scenario) else { return };
    let stage = stage.variable("HOSTLER_SANDBOX", "contained");
    if !possible(&stage, "contained") {
        return;
    }
    stage.task("hello", "Write hello.txt with a greeting.\n");
    let output = stage.run_once(&["--attempts", "1"]);
    assert_eq!(
        output.code,
        Some(0),
        "{output:?}\n{}",
        stage.sandbox.host(&["logs", "hello", "--raw"]).stdout
    );
    assert_eq!(stage.in_worktree("hello", "hello.txt"), "hello from the model server\n");
    let shown = stage.sandbox.host(&["show", "hello"]).stdout;
    assert!(shown.contains("contained sandbox"), "{shown}");
    let asked = server.requests(&scenario);
    assert!(!asked.is_empty(), "it reached the model");
    for request in asked {
        let key = request.headers.get("x-api-key").map(String::as_str);
        assert_eq!(key, Some("sk-test"), "the host put the key in");
    }
    let noted = std::fs::read_to_string(stage.attempt_folder("hello", 1).join("network.jsonl")).unwrap();
    assert!(noted.contains("\"way\":\"model anthropic_api_key\"") && !noted.contains("sk-test"), "{noted}");
}
