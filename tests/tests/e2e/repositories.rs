//! Repositories in the states people leave them in.

use hostler_tests::scripted_agent::imitations;

use crate::stage::Stage;

#[test]
fn a_dirty_checkout_is_worked_beside_and_not_touched() {
    let (stage, _) = Stage::with_claude(&imitations::does_its_task());
    stage.task("hello", "Write hello.txt\n");
    stage.repository.write("README.md", "# Half a thought\n");
    stage.repository.write("new.txt", "not added\n");
    stage.repository.write("staged.txt", "added\n");
    stage.repository.git(&["add", "staged.txt"]);
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("uncommitted changes, which agents do not see"), "{}", output.stdout);
    stage.assert_reported_once("hello", "done");
    assert_eq!(stage.repository.read("README.md").unwrap(), "# Half a thought\n");
    let status = stage.repository.git(&["status", "--porcelain"]);
    assert_eq!(status.trim(), "M README.md\nA  staged.txt\n M tasks/hello.md\n?? new.txt");
    assert_eq!(stage.on_branch("hello", "README.md"), "# Scratch", "the agent began from the commit");
}

#[test]
fn a_detached_head_is_said_and_worked_from() {
    let (stage, _) = Stage::with_claude(&imitations::does_its_task());
    stage.task("hello", "Write hello.txt\n");
    stage.repository.git(&["checkout", "--quiet", "--detach", "HEAD~0"]);
    let head = stage.repository.revision("HEAD");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("on no branch"), "{}", output.stdout);
    stage.assert_reported_once("hello", "done");
    assert_eq!(stage.run("hello")["base"], head.as_str());
    assert_eq!(stage.repository.revision("HEAD"), head);
}

#[test]
fn a_host_started_in_a_subfolder_works_on_its_repository() {
    let (mut stage, _) = Stage::with_claude(&imitations::does_its_task());
    stage.task("hello", "Write hello.txt\n");
    let below = stage.repository.path().join("tasks");
    stage.sandbox.stand_in(&below);
    let output = stage.run_once(&["--set", "path=."]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage.assert_reported_once("hello", "done");
}

#[test]
fn a_task_chooses_its_base_and_its_branch() {
    let (stage, _) = Stage::with_claude(&imitations::does_its_task());
    let base = stage.repository.revision("HEAD");
    stage.repository.git(&["branch", "release"]);
    stage.task("hello", "---\nbase: release\nbranch: fix/hello\n---\nWrite hello.txt\n");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(stage.repository.revision("fix/hello~1"), base);
    assert_eq!(stage.task_file("hello").field("branch").as_deref(), Some("fix/hello"));
}

#[test]
fn a_branch_that_is_there_already_is_left_alone() {
    let (stage, _) = Stage::with_claude(&imitations::does_its_task());
    stage.repository.git(&["branch", "fix/hello"]);
    let before = stage.repository.revision("fix/hello");
    stage.task("hello", "---\nbranch: fix/hello\n---\nWrite hello.txt\n");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(stage.repository.revision("fix/hello"), before);
    let branch = stage.run("hello")["branch"].as_str().unwrap().to_owned();
    assert!(branch.starts_with("fix/hello-"), "its own, near the wish: {branch}");
    assert_eq!(stage.on_branch("hello", "hello.txt"), "hello");
}

#[test]
fn a_branch_in_the_place_of_the_wished_ones_folder_is_left_alone() {
    for (there, wish) in [("fix", "fix/hello"), ("hostler", "")] {
        let (stage, _) = Stage::with_claude(&imitations::does_its_task());
        stage.repository.git(&["branch", there]);
        stage.task("hello", &format!("---\nbranch: {wish}\n---\nWrite hello.txt\n"));
        let output = stage.run_once(&[]);
        assert_eq!(output.code, Some(0), "{output:?}");
        let branch = stage.run("hello")["branch"].as_str().unwrap().to_owned();
        assert!(branch.starts_with(&format!("hostler-{there}-hello-")), "{branch}");
        assert_eq!(stage.on_branch("hello", "hello.txt"), "hello");
    }
}

#[test]
fn a_base_that_does_not_exist_fails_the_task_and_says_which() {
    let (stage, agent) = Stage::with_claude(&imitations::does_its_task());
    stage.task("hello", "---\nbase: no-such-branch\n---\nWrite hello.txt\n");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(10), "{output:?}");
    stage.assert_reported_once("hello", "failed");
    assert!(stage.task_file("hello").text.contains("no-such-branch"), "{}", stage.task_file("hello").text);
    assert_eq!(agent.starts().unwrap().len(), 0);
}
