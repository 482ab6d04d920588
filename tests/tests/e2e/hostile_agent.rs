//! Agents that set traps for whoever runs git in their worktree. A trap that springs
//! leaves a file in the canary folder; the host springs none.

use std::path::{Path, PathBuf};

use hostler_tests::scripted_agent::{Script, Step, Trick, transcript};

use crate::stage::Stage;

fn sprung(canary: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(canary).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// Plants one trap after honest work, and looks at the run in every way there is.
fn survives(trick: Trick) {
    let (stage, _) = Stage::with_claude(&Script::new());
    let canary = stage.sandbox.folder().join("canary");
    let told = || Step::transcript(transcript("claude-success"));
    let plants = [
        Step::write("work.txt", "work\n"),
        Step::commit("Work"),
        Step::write("loose.txt", "loose\n"),
        Step::Plant { trick, canary: canary.clone() },
        told(),
    ];
    // An agent's own git would spring the trap, so the second one uses none.
    let script = Script::new()
        .attempt_when("a-first", plants)
        .attempt_when("b-second", [Step::write("work.txt", "work\n"), told()])
        .count_per_folder();
    let agent = stage.sandbox.install_agent("claude", &script);
    stage.task("a-first", "Work\n");
    // The second one is prepared after the first one has poisoned what it could.
    stage.task("b-second", "Work\n");
    let output = stage.run_once(&["--slots", "1"]);
    assert_eq!(agent.starts().unwrap().len(), 2, "{output:?}");
    assert_eq!(output.code, Some(0), "{trick:?}: {output:?}");
    for words in [
        &["show", "a-first"][..],
        &["show", "a-first", "--diff"],
        &["runs"],
        &["logs", "a-first"],
        &["doctor"],
    ] {
        let output = stage.sandbox.host(words);
        assert!(matches!(output.code, Some(0 | 1)), "{trick:?}: {words:?}: {output:?}");
    }
    assert_eq!(sprung(&canary), Vec::<PathBuf>::new(), "{trick:?}");

    let run = stage.run("a-first");
    let files: Vec<&str> =
        run["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    for file in ["work.txt", "loose.txt"] {
        assert!(files.contains(&file), "{trick:?}: no {file} in {files:?}");
    }
    let patch = stage.sandbox.host(&["show", "a-first", "--diff"]).stdout;
    assert!(patch.contains("+work") && patch.contains("+loose"), "{trick:?}: {patch}");
    let report = stage.task_file("a-first");
    assert_eq!((report.status().as_deref(), report.reports()), (Some("done"), 1), "{}", report.text);
    stage.wait_until_nothing_lives();
}

#[test]
fn a_git_folder_of_its_own_of_an_agent_never_runs_as_the_host() {
    survives(Trick::ReplaceGit);
}

#[test]
fn a_git_file_that_leads_elsewhere_of_an_agent_never_runs_as_the_host() {
    survives(Trick::RedirectGit);
}

#[test]
fn hooks_of_an_agent_never_run_as_the_host() {
    survives(Trick::Hooks);
}

#[test]
fn commands_in_the_configuration_of_an_agent_never_run_as_the_host() {
    survives(Trick::Config);
}

#[test]
fn commands_in_the_worktrees_configuration_of_an_agent_never_run_as_the_host() {
    survives(Trick::WorktreeConfig);
}

#[test]
fn a_filter_of_an_agent_never_runs_as_the_host() {
    survives(Trick::Filter);
}

#[test]
fn a_nested_repository_of_an_agent_never_runs_as_the_host() {
    survives(Trick::Nested);
}

#[test]
fn every_trick_has_a_test_here() {
    assert_eq!(Trick::ALL.len(), 7, "a new trick needs a test in this file");
}
