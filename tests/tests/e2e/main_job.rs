//! The main job: a task file goes in, a branch and a report come out.

use hostler_tests::scripted_agent::{Script, Step, imitations, transcript};
use serde_json::Value;

use crate::stage::Stage;

#[test]
fn a_task_file_becomes_a_branch_and_one_report() {
    let (stage, agent) = Stage::with_claude(&imitations::does_its_task());
    stage.task("hello", "# Greet the world\n\nWrite hello.txt with a greeting.\n");
    let before = stage.repository.revision("main");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");

    stage.assert_reported_once("hello", "done");
    let file = stage.task_file("hello");
    let run = stage.run("hello");
    let branch = run["branch"].as_str().unwrap();
    assert_eq!(file.field("branch").as_deref(), Some(branch));
    assert_eq!(file.field("run").as_deref(), run["id"].as_str());
    for part in [
        "**Done**",
        "by claude-code",
        "$0.01",
        &format!("Branch: `{branch}`"),
        "| hello.txt | added | +1 −0 |",
    ] {
        assert!(file.text.contains(part), "no {part:?} in {}", file.text);
    }
    assert!(file.text.contains("Write hello.txt with a greeting."), "the task itself stays");

    assert_eq!(stage.on_branch("hello", "hello.txt"), "hello");
    assert_eq!(
        stage.repository.revision(&format!("{branch}~1")),
        before,
        "one commit on top of what was there"
    );
    assert_eq!(stage.repository.revision("main"), before, "nobody moved main");
    let start = agent.wait_for_start(1);
    assert!(start.stdin.unwrap().contains("Write hello.txt with a greeting."), "the prompt has the task");
    assert_eq!(agent.starts().unwrap().len(), 1);
}

#[test]
fn the_main_checkout_shows_nothing_but_the_changed_task_file() {
    let (stage, _) = Stage::with_claude(&imitations::does_its_task());
    stage.task("hello", "Write hello.txt\n");
    assert_eq!(stage.run_once(&[]).code, Some(0));
    assert_eq!(stage.repository.git(&["status", "--porcelain"]).trim(), "M tasks/hello.md");
    assert!(stage.repository.read("hello.txt").is_none(), "the work is on the branch, not here");
}

#[test]
fn what_the_agent_left_uncommitted_is_in_the_report_and_in_the_worktree() {
    let script = Script::always([
        Step::write("src/new.txt", "one\ntwo\n"),
        Step::write("README.md", "# Changed\n"),
        Step::transcript(transcript("claude-success")),
    ]);
    let (stage, _) = Stage::with_claude(&script);
    stage.task("hello", "Change things\n");
    assert_eq!(stage.run_once(&[]).code, Some(0));
    let file = stage.task_file("hello");
    assert!(file.text.contains("| src/new.txt | added | +2 −0 |"), "{}", file.text);
    assert!(file.text.contains("| README.md | modified | +1 −1 |"), "{}", file.text);
    assert_eq!(stage.in_worktree("hello", "src/new.txt"), "one\ntwo\n");
}

#[test]
fn runs_show_and_logs_tell_programs_and_people_about_the_run() {
    let (stage, _) = Stage::with_claude(&imitations::does_its_task());
    stage.task("hello", "# Greet the world\n");
    assert_eq!(stage.run_once(&[]).code, Some(0));

    let runs = stage.sandbox.host(&["runs", "--json"]);
    let runs: Vec<Value> = serde_json::from_str(&runs.stdout).unwrap();
    let [run] = runs.as_slice() else { panic!("not one run: {runs:?}") };
    let text = |name: &str| run[name].as_str().unwrap();
    assert_eq!(
        (text("task_key"), text("title"), text("provider")),
        ("hello", "Greet the world", "claude-code")
    );
    assert_eq!((text("state"), text("result"), text("permission")), ("closed", "succeeded", "auto-edits"));
    assert_eq!(run["files"][0]["path"], "hello.txt");
    assert_eq!(run["usage"]["output_tokens"], 80);
    assert!((run["usage"]["cost_usd"].as_f64().unwrap() - 0.01095).abs() < 1e-9);
    assert_eq!(run["attempts"][0]["session"], "bcec5d52-241e-4933-aa0b-d053c0b12faf");
    assert_eq!(stage.run("hello"), *run, "show tells the same");

    let shown = stage.sandbox.host(&["show", text("id")]).stdout;
    for part in ["Greet the world", "succeeded", text("branch"), "hello.txt", "All done: wrote hello.txt."] {
        assert!(shown.contains(part), "no {part:?} in {shown}");
    }
    let patch = stage.sandbox.host(&["show", "hello", "--diff"]).stdout;
    assert!(patch.contains("+++ b/hello.txt") && patch.contains("+hello"), "{patch}");
    let logs = stage.sandbox.host(&["logs", "hello"]).stdout;
    assert!(logs.contains("Write") && logs.contains("All done: wrote hello.txt."), "{logs}");
    let raw = stage.sandbox.host(&["logs", "hello", "--raw"]).stdout;
    assert_eq!(raw.lines().count(), 6, "as printed: {raw}");
    let events = stage.sandbox.host(&["logs", "hello", "--json"]).stdout;
    assert!(events.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{events}");
}

#[test]
fn run_json_prints_one_object_per_line_and_nothing_else() {
    let (stage, _) = Stage::with_claude(&imitations::does_its_task());
    stage.task("hello", "Write hello.txt\n");
    let output = stage.run_once(&["--json"]);
    assert_eq!(output.code, Some(0));
    let notices: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let states: Vec<&str> = notices.iter().filter_map(|notice| notice["run"]["state"].as_str()).collect();
    for state in ["preparing", "starting", "running", "collecting", "reporting", "closed"] {
        assert!(states.contains(&state), "no {state} in {states:?}");
    }
}

#[test]
fn the_prompt_of_a_task_is_the_same_text_in_the_file_beside_it() {
    let (stage, agent) = Stage::with_claude(&imitations::does_its_task());
    stage.task("hello", "Write hello.txt with $(touch x) `y` \"z\"\n");
    assert_eq!(stage.run_once(&[]).code, Some(0));
    let prompt = std::fs::read_to_string(stage.attempt_folder("hello", 1).join("prompt.md")).unwrap();
    assert_eq!(agent.wait_for_start(1).stdin.unwrap(), prompt);
}

#[test]
fn a_task_without_a_change_succeeds_and_its_empty_worktree_is_tidied_away() {
    let (stage, _) = Stage::with_claude(&Script::always([Step::transcript(transcript("claude-success"))]));
    stage.task("look", "Look around\n");
    assert_eq!(stage.run_once(&[]).code, Some(0));
    stage.assert_reported_once("look", "done");
    let folder = stage.run("look")["workspace"].as_str().unwrap().to_owned();
    assert!(!std::path::Path::new(&folder).exists(), "{folder}");
}
