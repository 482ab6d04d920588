//! What may go and what stays, and which workspaces the host knows of.
#![allow(clippy::unwrap_used)]

mod scene;

use std::fs;

use hostler_workspaces::{Removal, RemovalProof, Workspace, forget_removed, is_removed, known_workspaces};
use scene::{Scene, git, write};

fn commit(workspace: &Workspace) {
    write(&workspace.path.join("work.txt"), &workspace.order.folder);
    git(&workspace.path, &["add", "-A"]);
    git(&workspace.path, &["commit", "-q", "-m", "work"]);
}

#[test]
fn an_untouched_workspace_may_go_and_one_with_work_stays_with_the_reason() {
    let scene = Scene::new();
    let repository = scene.open();
    let untouched = scene::workspace(&repository, "a");
    assert_eq!(repository.proof_of_safety(&untouched), Ok(RemovalProof::NoChanges));
    let dirty = scene::workspace(&repository, "b");
    write(&dirty.path.join("new.txt"), "x");
    let reason = repository.proof_of_safety(&dirty).unwrap_err();
    assert_eq!(reason, "it holds work that is not committed");
    let committed = scene::workspace(&repository, "c");
    commit(&committed);
    let reason = repository.proof_of_safety(&committed).unwrap_err();
    assert!(reason.contains("`hostler/c` are in no branch of a remote"), "{reason}");
}

#[test]
fn merged_or_pushed_commits_are_proof_and_removal_accepts_it() {
    let scene = Scene::new();
    let repository = scene.open();
    let merged = scene::workspace(&repository, "merged");
    commit(&merged);
    scene.git(&["merge", "-q", "--no-edit", "hostler/merged"]);
    let proof = repository.proof_of_safety(&merged).unwrap();
    assert_eq!(proof, RemovalProof::Merged { into: "refs/heads/main".to_owned() });
    let removal = repository.remove(&merged, &proof);
    assert_eq!(removal, Removal::Removed { branch_deleted: true, leftover: None });

    let pushed = scene::workspace(&repository, "pushed");
    commit(&pushed);
    git(&pushed.path, &["commit", "-q", "--allow-empty", "-m", "more"]);
    scene.git(&["update-ref", "refs/remotes/fork/hostler/pushed", "hostler/pushed"]);
    let proof = repository.proof_of_safety(&pushed).unwrap();
    assert_eq!(proof, RemovalProof::Pushed { into: "refs/remotes/fork/hostler/pushed".to_owned() });
    // A second one, to see what becomes of the branch.
    let other = scene::workspace(&repository, "other");
    commit(&other);
    scene.git(&["update-ref", "refs/remotes/origin/hostler/other", "hostler/other"]);
    let removal = repository.remove(&other, &repository.proof_of_safety(&other).unwrap());
    assert_eq!(removal, Removal::Removed { branch_deleted: false, leftover: None });
    assert!(!scene.git(&["branch", "--list", "hostler/other"]).is_empty());
    // One commit more than was pushed, and the proof is gone.
    git(&pushed.path, &["commit", "-q", "--allow-empty", "-m", "not pushed"]);
    assert!(repository.proof_of_safety(&pushed).is_err());
    assert!(matches!(repository.remove(&pushed, &proof), Removal::Kept { .. }));
}

#[test]
fn a_probe_that_fails_proves_nothing() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    fs::remove_dir_all(scene.checkout.join(".git/objects")).unwrap();
    let reason = repository.proof_of_safety(&workspace).unwrap_err();
    assert!(reason.contains("could not be checked") || reason.contains("branch is gone"), "{reason}");
    assert!(!is_removed(&workspace));
}

#[test]
fn every_workspace_is_known_and_one_is_forgotten_only_when_its_folder_is_certainly_gone() {
    let scene = Scene::new();
    let repository = scene.open();
    assert_eq!(known_workspaces(&scene.path("elsewhere")).unwrap().len(), 0);
    let kept = scene::workspace(&repository, "kept");
    let gone = scene::workspace(&repository, "gone");
    scene.git(&["worktree", "remove", "-f", "-f", gone.path.to_str().unwrap()]);
    let known = known_workspaces(&scene.state()).unwrap();
    let named: Vec<_> = known.iter().map(|it| it.workspace.as_ref().unwrap()).collect();
    assert_eq!(named, [&gone, &kept]);
    assert!(!forget_removed(&known[1]).unwrap() && kept.path.exists());

    // A repository that is out of sight proves nothing.
    let away = scene.path("away");
    fs::rename(&scene.checkout, &away).unwrap();
    assert!(!forget_removed(&known[0]).unwrap());
    fs::rename(&away, &scene.checkout).unwrap();
    assert!(forget_removed(&known[0]).unwrap());
    assert_eq!(known_workspaces(&scene.state()).unwrap().len(), 1);
    // The branch is the operator's: it stays.
    assert!(!scene.git(&["branch", "--list", "hostler/gone"]).is_empty());
}
