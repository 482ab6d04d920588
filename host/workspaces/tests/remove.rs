//! Deleting workspaces: never without proof.
#![allow(clippy::unwrap_used)]

mod scene;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use hostler_workspaces::{Removal, RemovalProof, Repository, Workspace};
use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};
use scene::{Scene, git, write};

fn into_main() -> RemovalProof {
    RemovalProof::Merged { into: "refs/heads/main".to_owned() }
}

#[track_caller]
fn assert_kept(repository: &Repository, workspace: &Workspace, proof: &RemovalProof, why: &str) {
    match repository.remove(workspace, proof) {
        Removal::Kept { reason } => assert!(reason.contains(why), "{reason}"),
        removed @ Removal::Removed { .. } => panic!("{removed:?}"),
    }
    assert!(workspace.path.join(".gitignore").exists());
    assert!(workspace.git_dir.exists());
}

#[track_caller]
fn assert_removed(scene: &Scene, workspace: &Workspace, removal: &Removal, branch_gone: bool) {
    let expected = Removal::Removed { branch_deleted: branch_gone, leftover: None };
    assert_eq!(*removal, expected);
    assert!(!workspace.path.exists());
    assert!(!workspace.git_dir.exists());
    assert_eq!(scene.git(&["worktree", "list"]).lines().count(), 1);
    let branch = scene.git(&["branch", "--list", &workspace.order.branch]);
    assert_eq!(branch.is_empty(), branch_gone);
}

fn commit(workspace: &Workspace) {
    write(&workspace.path.join("work.txt"), "work\n");
    git(&workspace.path, &["add", "-A"]);
    git(&workspace.path, &["commit", "-q", "-m", "work"]);
}

#[test]
fn an_unchanged_workspace_goes_with_its_branch_and_can_be_made_again() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let removal = repository.remove(&workspace, &RemovalProof::NoChanges);
    assert_removed(&scene, &workspace, &removal, true);
    assert!(!repository.workspace_root().join(".trash").exists());
    let again = repository.prepare(&workspace.order).unwrap();
    assert_eq!(again, workspace);
}

#[test]
fn work_of_any_kind_contradicts_no_changes() {
    type Work = fn(&Workspace);
    let works: [(Work, &str); 5] = [
        (|it| write(&it.path.join("new.txt"), "x"), "not committed"),
        (|it| fs::remove_file(it.path.join("README.md")).unwrap(), "not committed"),
        (commit, "commits of its own"),
        (
            |it| {
                git(&it.path, &["checkout", "-q", "--detach"]);
                git(&it.path, &["commit", "-q", "--allow-empty", "-m", "x"]);
            },
            "on no branch",
        ),
        (
            |it| {
                write(&it.path.join("nested/x"), "x");
                git(&it.path.join("nested"), &["init", "-q"]);
            },
            "nested",
        ),
    ];
    for (work, why) in works {
        let scene = Scene::new();
        let repository = scene.open();
        let workspace = scene::workspace(&repository, "a");
        work(&workspace);
        assert_kept(&repository, &workspace, &RemovalProof::NoChanges, why);
    }
}

#[test]
fn merged_work_goes_and_unmerged_work_stays() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    commit(&workspace);
    assert_kept(&repository, &workspace, &into_main(), "not in");
    scene.git(&["merge", "-q", "hostler/a"]);
    write(&workspace.path.join("later.txt"), "x");
    assert_kept(&repository, &workspace, &into_main(), "not committed");
    fs::remove_file(workspace.path.join("later.txt")).unwrap();
    let removal = repository.remove(&workspace, &into_main());
    assert_removed(&scene, &workspace, &removal, true);
}

#[test]
fn a_branch_does_not_prove_its_own_merge_and_a_missing_ref_proves_nothing() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    commit(&workspace);
    for (into, why) in [
        ("refs/heads/hostler/a", "own merge"),
        ("refs/heads/nowhere", "names no commit"),
        ("../../etc/passwd", "names no commit"),
    ] {
        let proof = RemovalProof::Merged { into: into.to_owned() };
        assert_kept(&repository, &workspace, &proof, why);
    }
}

#[test]
fn a_branch_under_another_name_of_the_same_commit_is_no_merge_by_a_symbolic_ref() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    commit(&workspace);
    scene.git(&["symbolic-ref", "refs/heads/alias", "refs/heads/hostler/a"]);
    let proof = RemovalProof::Merged { into: "refs/heads/alias".to_owned() };
    assert_kept(&repository, &workspace, &proof, "own merge");
}

#[test]
fn the_operator_may_remove_anything_and_committed_work_stays_on_its_branch() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    commit(&workspace);
    write(&workspace.path.join("later.txt"), "x");
    let removal = repository.remove(&workspace, &RemovalProof::OperatorSaid);
    assert_removed(&scene, &workspace, &removal, false);
    assert_eq!(scene.git(&["show", "hostler/a:work.txt"]), "work");
}

#[test]
fn preserved_work_may_go_until_something_is_added_to_it() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    commit(&workspace);
    write(&workspace.path.join("later.txt"), "x");
    assert_kept(&repository, &workspace, &RemovalProof::Preserved, "not been preserved");
    let kept = repository.preserve(&workspace).unwrap().unwrap();
    write(&workspace.path.join("latest.txt"), "y");
    assert_kept(&repository, &workspace, &RemovalProof::Preserved, "not been preserved");
    fs::remove_file(workspace.path.join("latest.txt")).unwrap();
    let removal = repository.remove(&workspace, &RemovalProof::Preserved);
    assert_removed(&scene, &workspace, &removal, false);
    assert_eq!(scene.git(&["show", &format!("{}:later.txt", kept.reference)]), "x");
}

#[test]
fn a_probe_that_fails_keeps_the_workspace() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let objects = scene.checkout.join(".git/objects");
    let away = scene.path("objects");
    fs::rename(&objects, &away).unwrap();
    fs::create_dir(&objects).unwrap();
    assert_kept(&repository, &workspace, &RemovalProof::NoChanges, "");
    fs::remove_dir(&objects).unwrap();
    fs::rename(&away, &objects).unwrap();
    let removal = repository.remove(&workspace, &RemovalProof::NoChanges);
    assert_removed(&scene, &workspace, &removal, true);
}

#[test]
fn a_folder_without_a_receipt_is_kept_even_for_the_operator() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    fs::remove_dir_all(scene.state()).unwrap();
    let repository_again = scene.open();
    assert_kept(&repository_again, &workspace, &RemovalProof::OperatorSaid, "not made by this host");
    drop(repository);
}

#[test]
fn a_link_in_place_of_the_workspace_is_not_followed() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let moved = scene.path("moved");
    fs::rename(&workspace.path, &moved).unwrap();
    symlink(&moved, &workspace.path).unwrap();
    let removal = repository.remove(&workspace, &RemovalProof::OperatorSaid);
    assert!(matches!(removal, Removal::Kept { .. }), "{removal:?}");
    assert!(moved.join("README.md").exists());
}

#[test]
fn links_in_the_workspace_are_deleted_and_not_what_they_point_at() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let outside = scene.path("outside");
    write(&outside.join("precious"), "x");
    symlink(&outside, workspace.path.join("link")).unwrap();
    symlink(&outside, workspace.git_dir.join("link")).unwrap();
    fs::create_dir(workspace.path.join("closed")).unwrap();
    write(&workspace.path.join("closed/file"), "x");
    let closed = fs::Permissions::from_mode(0o000);
    fs::set_permissions(workspace.path.join("closed"), closed).unwrap();
    let removal = repository.remove(&workspace, &RemovalProof::OperatorSaid);
    assert_removed(&scene, &workspace, &removal, true);
    assert!(outside.join("precious").exists());
}

#[test]
fn a_removal_cut_off_by_a_crash_is_finished_by_the_next_one() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    // As after the rename: the receipt says that proof was given.
    let desk = fs::read_dir(scene.state())
        .unwrap()
        .map(|entry| entry.unwrap().path().join("workspaces/a/receipt.json"))
        .find(|path| path.exists())
        .unwrap();
    let text = fs::read_to_string(&desk).unwrap();
    fs::write(&desk, text.replace("\"ready\"", "\"removing\"")).unwrap();
    let trash = repository.workspace_root().join(".trash");
    fs::create_dir(&trash).unwrap();
    fs::rename(&workspace.path, trash.join("a")).unwrap();

    let removal = repository.remove(&workspace, &RemovalProof::NoChanges);
    // No commit was recorded for the branch in this receipt, so it stays.
    assert_removed(&scene, &workspace, &removal, false);
    assert!(!trash.exists());
    assert!(matches!(repository.remove(&workspace, &RemovalProof::NoChanges), Removal::Removed { .. }));
}

#[test]
fn the_branch_the_user_is_on_stays() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    scene.git(&["checkout", "-q", "--ignore-other-worktrees", "hostler/a"]);
    let removal = repository.remove(&workspace, &RemovalProof::NoChanges);
    assert_removed(&scene, &workspace, &removal, false);
}

/// So many folders in one another that no path leads to the last one, with a file in it.
fn nest(top: &Path, count: u32) {
    let folder = |at, name: &Path| openat(at, name, OFlags::DIRECTORY, Mode::empty()).unwrap();
    let mut at = folder(CWD, top);
    for _ in 0..count {
        mkdirat(&at, "node_modules", Mode::RWXU).unwrap();
        at = openat(&at, "node_modules", OFlags::DIRECTORY, Mode::empty()).unwrap();
    }
    openat(&at, "file", OFlags::CREATE | OFlags::WRONLY, Mode::RWXU).unwrap();
}

#[test]
fn work_that_no_path_reaches_is_not_taken_for_no_changes_and_can_be_given_up() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    nest(&workspace.path, 400);
    assert_eq!(repository.changes(&workspace).unwrap().omitted.len(), 1);
    assert_kept(&repository, &workspace, &RemovalProof::NoChanges, "cannot be compared");
    let removal = repository.remove(&workspace, &RemovalProof::OperatorSaid);
    assert_removed(&scene, &workspace, &removal, true);
    assert!(!repository.workspace_root().join(".trash").exists());
}
