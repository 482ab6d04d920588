//! `host gc` and `host disk`: what of the past goes, and above all what stays.

use std::path::{Path, PathBuf};

use hostler_tests::scripted_agent::{Script, Step, imitations, transcript};
use serde_json::Value;

use crate::stage::{Stage, assert_one_sentence};

/// Nothing is kept for its age alone.
const AT_ONCE: &str = "[retention]\nworktrees = \"0s\"\nlogs = \"0s\"\njournal = \"0s\"\n";

/// A machine on which the task `hello` was done and committed, and age keeps nothing.
fn done() -> Stage {
    let (stage, _) = Stage::with_claude(&imitations::does_its_task());
    stage.sandbox.configure(AT_ONCE);
    stage.task("hello", "Write hello.txt\n");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage
}

fn gc(stage: &Stage, more: &[&str]) -> Vec<Value> {
    let words: Vec<&str> = ["gc", "--json"].into_iter().chain(more.iter().copied()).collect();
    let output = stage.sandbox.host(&words);
    assert_eq!(output.code, Some(0), "{output:?}");
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

/// What became of the worktree of `hello`, and why.
fn worktree(findings: &[Value]) -> (String, String) {
    let found: Vec<_> = findings.iter().filter(|finding| finding["what"] == "worktree").collect();
    let [found] = found.as_slice() else { panic!("not one worktree: {findings:?}") };
    assert_eq!(found["task"], "hello");
    (found["fate"].as_str().unwrap().to_owned(), found["why"].as_str().unwrap().to_owned())
}

fn folder_of(stage: &Stage) -> PathBuf {
    stage.run("hello")["workspace"].as_str().unwrap().into()
}

fn branch_of(stage: &Stage) -> String {
    stage.run("hello")["branch"].as_str().unwrap().to_owned()
}

#[test]
fn merged_work_goes_with_its_branch_and_logs_but_the_run_is_still_told() {
    let stage = done();
    let (folder, branch) = (folder_of(&stage), branch_of(&stage));
    stage.repository.git(&["merge", "--quiet", "--no-edit", &branch]);
    let run_folder = stage.attempt_folder("hello", 1).parent().unwrap().to_owned();

    let (fate, why) = worktree(&gc(&stage, &[]));
    assert_eq!(fate, "goes");
    assert!(why.ends_with("its work is in `main`"), "{why}");
    assert!(folder.is_dir() && run_folder.is_dir(), "without --yes nothing goes");

    assert_eq!(worktree(&gc(&stage, &["--yes"])).0, "gone");
    assert!(!folder.exists() && !run_folder.exists());
    assert!(!stage.repository.branches().contains(&branch));
    assert_eq!(stage.repository.read("hello.txt").as_deref(), Some("hello\n"));
    assert_eq!(stage.repository.git(&["worktree", "list"]).lines().count(), 1);
    let shown = stage.sandbox.host(&["show", "hello"]);
    assert!(shown.stdout.contains("(removed)"), "{shown:?}");
    assert_eq!(gc(&stage, &["--yes"]).iter().filter(|finding| finding["what"] == "worktree").count(), 0);
}

#[test]
fn pushed_work_goes_and_work_that_is_nowhere_else_stays_with_the_reason() {
    let stage = done();
    let (folder, branch) = (folder_of(&stage), branch_of(&stage));
    let (fate, why) = worktree(&gc(&stage, &["--yes"]));
    assert_eq!(fate, "stays");
    assert!(why.contains("in no branch of a remote and not in the default branch"), "{why}");
    assert!(folder.is_dir() && stage.repository.branches().contains(&branch));

    stage.repository.add_origin();
    stage.repository.git(&["push", "--quiet", "origin", &branch]);
    let (fate, why) = worktree(&gc(&stage, &["--yes"]));
    assert_eq!(fate, "gone", "{why}");
    assert!(!folder.exists());
    assert!(stage.repository.branches().contains(&branch), "a remote's branch may be deleted there");
}

#[test]
fn work_that_is_not_committed_stays_whatever_is_merged() {
    let script = Script::always([
        Step::write("left.txt", "not committed\n"),
        Step::transcript(transcript("claude-success")),
    ]);
    let (stage, _) = Stage::with_claude(&script);
    stage.sandbox.configure(AT_ONCE);
    stage.task("hello", "Leave something\n");
    assert_eq!(stage.run_once(&[]).code, Some(0));
    for more in [&["--yes"][..], &["--yes", "--run", "hello"]] {
        let (fate, why) = worktree(&gc(&stage, more));
        assert_eq!((fate.as_str(), why.as_str()), ("stays", "it holds work that is not committed"));
    }
    assert_eq!(stage.in_worktree("hello", "left.txt"), "not committed\n");
}

#[test]
fn a_probe_that_fails_keeps_the_worktree_and_says_why() {
    let stage = done();
    let folder = folder_of(&stage);
    stage.repository.git(&["merge", "--quiet", "--no-edit", &branch_of(&stage)]);
    let objects = stage.repository.path().join(".git/objects");
    let away = stage.repository.path().join(".git/objects.away");
    std::fs::rename(&objects, &away).unwrap();
    let (fate, why) = worktree(&gc(&stage, &["--yes"]));
    assert_eq!(fate, "stays", "{why}");
    assert!(why.contains("could not be checked"), "{why}");
    std::fs::rename(&away, &objects).unwrap();
    assert!(folder.is_dir());
    assert_eq!(worktree(&gc(&stage, &["--yes"])).0, "gone");
}

#[test]
fn the_operator_can_give_up_the_work_of_one_run_by_name_and_its_commits_stay() {
    let stage = done();
    let (folder, branch) = (folder_of(&stage), branch_of(&stage));
    let refused = stage.sandbox.host(&["gc", "--discard", "--yes"]);
    assert_eq!(refused.code, Some(2), "--discard needs a run: {refused:?}");
    let refused = stage.sandbox.host(&["gc", "--run", "nobody", "--discard", "--yes"]);
    assert_eq!(refused.code, Some(11), "{refused:?}");
    assert_one_sentence(&refused.stderr);

    assert_eq!(worktree(&gc(&stage, &["--run", "hello", "--discard"])).0, "goes");
    assert!(folder.is_dir());
    assert_eq!(worktree(&gc(&stage, &["--run", "hello", "--discard", "--yes"])).0, "gone");
    assert!(!folder.exists());
    assert_eq!(stage.repository.git(&["show", &format!("{branch}:hello.txt")]), "hello");
}

#[test]
fn what_is_young_stays_for_two_weeks_unless_its_run_is_named() {
    let stage = done();
    stage.sandbox.configure("");
    stage.repository.git(&["merge", "--quiet", "--no-edit", &branch_of(&stage)]);
    let findings = gc(&stage, &["--yes"]);
    let (fate, why) = worktree(&findings);
    assert_eq!(fate, "stays");
    assert!(why.contains("kept for 14d"), "{why}");
    assert!(findings.iter().all(|finding| finding["fate"] == "stays"), "{findings:?}");
    assert_eq!(worktree(&gc(&stage, &["--yes", "--run", "hello"])).0, "gone");
}

#[test]
fn beside_a_running_host_only_what_is_over_goes() {
    let script = Script::new()
        .attempt([
            Step::write("hello.txt", "hello\n"),
            Step::commit("Write hello.txt"),
            Step::transcript(transcript("claude-success")),
        ])
        .attempt([Step::write("half.txt", "half\n"), Step::hang()]);
    let (stage, _) = Stage::with_claude(&script);
    stage.sandbox.configure(AT_ONCE);
    stage.task("hello", "Write hello.txt\n");
    assert_eq!(stage.run_once(&[]).code, Some(0));
    stage.repository.git(&["merge", "--quiet", "--no-edit", &branch_of(&stage)]);
    stage.task("other", "Take your time\n");
    let host = stage.start(&[]);
    stage.wait_for_state("other", "running");

    let findings = gc(&stage, &["--yes"]);
    let fate_of = |task: &str, what: &str| {
        let one = findings.iter().find(|one| one["task"] == task && one["what"] == what);
        one.unwrap_or_else(|| panic!("no {what} of {task}: {findings:?}"))["fate"].clone()
    };
    assert_eq!((fate_of("hello", "worktree"), fate_of("hello", "logs")), ("gone".into(), "gone".into()));
    assert_eq!((fate_of("other", "worktree"), fate_of("other", "logs")), ("stays".into(), "stays".into()));
    let journal = findings.iter().find(|finding| finding["what"] == "journal").unwrap();
    assert_eq!(journal["fate"], "stays", "{journal}");
    assert!(Path::new(stage.run("other")["workspace"].as_str().unwrap()).is_dir());
    assert_eq!(stage.sandbox.host(&["status", "--json"]).code, Some(0), "the host goes on");
    // Even the operator's word does not take the ground from under an agent.
    let named = gc(&stage, &["--run", "other", "--discard", "--yes"]);
    assert!(named.iter().all(|finding| finding["fate"] == "stays"), "{named:?}");
    drop(host);
}

#[test]
fn a_worktree_that_a_person_removed_leaves_nothing_but_notes_and_those_go() {
    let stage = done();
    let (folder, branch) = (folder_of(&stage), branch_of(&stage));
    stage.repository.git(&["worktree", "remove", "-f", "-f", &folder.to_string_lossy()]);
    let (fate, why) = worktree(&gc(&stage, &["--yes"]));
    assert_eq!(fate, "gone");
    assert!(why.starts_with("somebody removed the worktree"), "{why}");
    assert!(stage.repository.branches().contains(&branch), "the branch is not ours to take");
}

#[test]
fn what_the_record_knows_nothing_of_is_named_and_stays() {
    let stage = done();
    stage.repository.git(&["merge", "--quiet", "--no-edit", &branch_of(&stage)]);
    let folder = folder_of(&stage);
    let home = stage.sandbox.state_folder();
    for file in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _ = std::fs::remove_file(home.join(file));
    }
    for finding in gc(&stage, &["--yes"]) {
        if finding["what"] == "worktree" || finding["what"] == "logs" {
            assert_eq!(finding["fate"], "stays");
            assert!(finding["why"].as_str().unwrap().contains("the record knows no run of it"), "{finding}");
        }
    }
    assert!(folder.is_dir());
}

#[test]
fn disk_tells_what_takes_how_much_to_people_and_programs() {
    let stage = done();
    let output = stage.sandbox.host(&["disk", "--json"]);
    let disk: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(disk["repositories"][0]["worktrees"], 1);
    assert_eq!(disk["logs"]["count"], 1);
    for part in [&disk["repositories"][0], &disk["logs"], &disk["journal"], &disk["private_git"]] {
        assert!(part["bytes"].as_u64().unwrap() > 4096, "{disk}");
    }
    let shown = stage.sandbox.host(&["disk"]).stdout;
    for part in ["worktrees", "logs", "journal", "native code", "total", "app"] {
        assert!(shown.contains(part), "no {part} in {shown}");
    }
    let said = stage.sandbox.host(&["gc"]).stdout;
    assert!(said.contains("stays") && said.contains("hello"), "{said}");
}
