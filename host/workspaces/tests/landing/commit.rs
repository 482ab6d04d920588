use std::fs;

use crate::scene::{self, git, write};
use crate::stage::Stage;

#[test]
fn work_that_was_not_committed_is_committed_in_the_operators_name() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    write(&workspace.path.join("more.txt"), "more\n");
    write(&workspace.path.join("README.md"), "edited\n");
    fs::remove_file(workspace.path.join("src/gone.txt")).unwrap();
    write(&workspace.path.join("noise.log"), "ignored\n");
    let committed = repository.commit_remaining(&workspace, "Add\nthe export").unwrap();
    assert!(committed.made && committed.omitted.is_empty());
    let shown = git(&workspace.path, &["log", "-1", "--format=%H|%an <%ae>|%cn|%s", "hostler/a"]);
    assert_eq!(
        shown,
        format!("{}|Ann Operator <ann@example.org>|Ann Operator|Add the export", committed.head)
    );
    let files = git(&workspace.path, &["diff", "--name-status", "HEAD~1", "HEAD"]);
    assert_eq!(files, "M\tREADME.md\nA\tmore.txt\nD\tsrc/gone.txt");
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), "");
    assert!(!repository.changes(&workspace).unwrap().uncommitted);
}

#[test]
fn committing_twice_makes_one_commit() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    write(&workspace.path.join("more.txt"), "more\n");
    let first = repository.commit_remaining(&workspace, "x").unwrap();
    let second = repository.commit_remaining(&workspace, "x").unwrap();
    assert_eq!((second.head, second.made), (first.head, false));
}

#[test]
fn a_name_in_the_repositorys_configuration_comes_first_and_none_at_all_is_fine() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    stage.scene.git(&["config", "user.name", "Ann at Work"]);
    fs::remove_file(stage.scene.path("home/.gitconfig")).unwrap();
    write(&workspace.path.join("more.txt"), "more\n");
    repository.commit_remaining(&workspace, "x").unwrap();
    assert_eq!(git(&workspace.path, &["log", "-1", "--format=%an <%ae>"]), "Ann at Work <hostler@localhost>");
}

#[test]
fn work_on_another_branch_than_the_runs_is_not_lost() {
    let stage = Stage::new();
    let repository = stage.open();
    let workspace = scene::workspace(&repository, "a");
    git(&workspace.path, &["checkout", "-q", "-b", "agents-own"]);
    write(&workspace.path.join("done.txt"), "done\n");
    git(&workspace.path, &["add", "done.txt"]);
    git(&workspace.path, &["commit", "-q", "-m", "work"]);
    repository.commit_remaining(&workspace, "x").unwrap();
    assert_eq!(stage.scene.git(&["show", "hostler/a:done.txt"]), "done");
}

#[test]
fn a_branch_that_is_gone_is_said() {
    let stage = Stage::new();
    let (repository, workspace) = stage.worked("a");
    git(&workspace.path, &["checkout", "-q", "--detach"]);
    git(&workspace.path, &["branch", "-q", "-D", "hostler/a"]);
    let error = repository.commit_remaining(&workspace, "x").unwrap_err().to_string();
    assert!(error.contains("git branch hostler/a COMMIT"), "{error}");
}
