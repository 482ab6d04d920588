//! Agents with a repository of their own (`isolation = "clone"`): what they commit is
//! taken over when they have ended, and nothing of the user's is theirs to write.

use std::path::PathBuf;

use hostler_tests::scripted_agent::{Installed, Script, Step, imitations, transcript};
use hostler_tests::wait_until;
use serde_json::Value;

use crate::stage::{LONG, Stage};

/// Age keeps nothing.
const AT_ONCE: &str =
    "isolation = \"clone\"\n[retention]\nworktrees = \"0s\"\nlogs = \"0s\"\njournal = \"0s\"\n";

/// A machine whose agents get clones, and one task.
fn scene(script: &Script) -> (Stage, Installed) {
    let (stage, agent) = Stage::with_claude(script);
    stage.sandbox.configure(AT_ONCE);
    stage.task("hello", "Write hello.txt\n");
    (stage, agent)
}

fn folder_of(stage: &Stage) -> PathBuf {
    stage.run("hello")["workspace"].as_str().unwrap().into()
}

/// What `host gc` makes of the workspace, and why.
fn gc(stage: &Stage, more: &[&str]) -> (String, String) {
    let words: Vec<&str> = ["gc", "--json"].into_iter().chain(more.iter().copied()).collect();
    let output = stage.sandbox.host(&words);
    let findings: Vec<Value> = serde_json::from_str(&output.stdout).unwrap();
    let found = findings.iter().find(|finding| finding["what"] == "worktree").unwrap();
    (found["fate"].as_str().unwrap().to_owned(), found["why"].as_str().unwrap().to_owned())
}

fn commits_and_more() -> Vec<Step> {
    vec![
        Step::read_stdin(),
        Step::write("hello.txt", "hello\n"),
        Step::commit("Write hello.txt"),
        Step::write("loose.txt", "not committed\n"),
        Step::transcript(transcript("claude-success")),
    ]
}

#[test]
fn commits_and_work_that_is_not_committed_are_seen_and_the_users_repository_gets_one_branch() {
    let (stage, _) = scene(&Script::always(commits_and_more()));
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage.assert_reported_once("hello", "done");
    assert_eq!(stage.on_branch("hello", "hello.txt"), "hello");
    assert!(folder_of(&stage).join(".git").is_dir());
    assert_eq!(stage.in_worktree("hello", "loose.txt"), "not committed\n");
    let diff = stage.sandbox.host(&["show", "hello", "--diff"]).stdout;
    assert!(diff.contains("+hello") && diff.contains("+not committed"), "{diff}");
    assert_eq!(stage.repository.git(&["worktree", "list"]).lines().count(), 1);
    assert_eq!(stage.repository.branches().len(), 2);
    assert!(!stage.repository.git(&["status", "--porcelain"]).contains(".hostler"));
    stage.repository.git(&["fsck", "--strict", "--full"]);
}

#[test]
fn a_host_killed_before_the_agents_end_takes_its_commits_over_at_the_next_start() {
    let mut steps = commits_and_more();
    steps.insert(3, Step::wait_for("go"));
    steps.insert(3, Step::mark("committed"));
    let (stage, agent) = scene(&Script::always(steps));
    let mut host = stage.start_once(&[]);
    agent.wait_for_mark("committed");
    host.kill_9();
    agent.let_go("go").unwrap();
    let folder = folder_of(&stage);
    wait_until(LONG, "the agent has done its work", || std::fs::read(folder.join("loose.txt")).map(drop));
    stage.wait_until_nothing_lives();
    let branch = stage.run("hello")["branch"].as_str().unwrap().to_owned();
    assert_eq!(stage.repository.revision(&branch), stage.repository.revision("main"), "not taken over yet");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage.assert_reported_once("hello", "done");
    assert_eq!(stage.on_branch("hello", "hello.txt"), "hello");
    assert_eq!(agent.starts().unwrap().len(), 1);
}

#[test]
fn a_clone_is_collected_when_its_work_is_elsewhere_and_stays_while_it_is_not() {
    let (stage, _) = scene(&imitations::does_its_task());
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let (folder, branch) = (folder_of(&stage), stage.run("hello")["branch"].as_str().unwrap().to_owned());
    let (fate, why) = gc(&stage, &["--yes"]);
    assert_eq!(fate, "stays");
    assert!(why.contains("in no branch of a remote"), "{why}");
    stage.repository.git(&["merge", "--quiet", "--no-edit", &branch]);
    stage.repository.try_git(&folder, &["update-ref", "refs/heads/aside", &stage_commit(&stage, &folder)]);
    let (fate, why) = gc(&stage, &["--yes"]);
    assert_eq!(fate, "stays");
    assert!(why.contains("`refs/heads/aside` in its clone has commits that are nowhere else"), "{why}");
    stage.repository.try_git(&folder, &["update-ref", "-d", "refs/heads/aside"]);
    assert_eq!(gc(&stage, &["--yes"]).0, "gone");
    assert!(!folder.exists());
    assert!(!stage.repository.branches().contains(&branch));
}

/// A commit in the clone that nobody else has.
fn stage_commit(stage: &Stage, folder: &std::path::Path) -> String {
    let made = stage.repository.try_git(folder, &["commit-tree", "HEAD^{tree}", "-p", "HEAD", "-m", "aside"]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    String::from_utf8_lossy(&made.stdout).trim().to_owned()
}

#[test]
fn commits_that_cannot_be_taken_over_are_no_success_and_stay_where_they_are() {
    let mut steps = commits_and_more();
    steps.insert(4, Step::write(".git/HEAD", "ref: ../../elsewhere\n"));
    let (stage, _) = scene(&Script::always(steps));
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(10), "{output:?}");
    stage.assert_reported_once("hello", "failed");
    let text = stage.task_file("hello").text;
    assert!(text.contains("The work is kept") && text.contains("is no ref"), "{text}");
    assert_eq!(stage.in_worktree("hello", "hello.txt"), "hello\n");
    let (fate, why) = gc(&stage, &["--yes"]);
    assert_eq!(fate, "stays");
    assert!(why.contains("is no ref"), "{why}");
}

#[test]
fn an_unknown_isolation_is_refused_with_the_words_there_are() {
    let stage = Stage::allowed();
    stage.sandbox.configure("isolation = \"copy\"\n");
    let output = stage.sandbox.host(&["config", "show"]);
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(output.stderr.contains("one of `worktree`, `clone`"), "{output:?}");
}
