//! Where workspaces are, what is linked into them, and making them again.
#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
mod scene;

use std::fs;
use std::path::Path;

use hostler_workspaces::{
    Linked, Order, Place, Removal, RemovalProof, Repository, Restored, Workspace, WorkspaceError,
};
use scene::{Scene, git, write};

fn beside_others(repository: &Repository, folder: &str) -> Order {
    Order { place: Place::Folder(".trakkar-worktrees".to_owned()), ..scene::order(repository, folder) }
}

#[test]
fn a_place_of_ones_own_is_hidden_once_and_without_touching_gitignore() {
    let scene = Scene::new();
    let repository = scene.open();
    for folder in ["t_1", "t_2"] {
        let workspace = repository.prepare(&beside_others(&repository, folder)).unwrap();
        assert_eq!(workspace.path, scene.checkout.join(".trakkar-worktrees").join(folder));
    }
    assert_eq!(scene.git(&["status", "--porcelain"]), "");
    let exclude = fs::read_to_string(scene.checkout.join(".git/info/exclude")).unwrap();
    assert_eq!(exclude.lines().filter(|line| *line == "/.trakkar-worktrees/").count(), 1);
    assert_eq!(fs::read_to_string(scene.checkout.join(".gitignore")).unwrap(), "*.log\n");
}

#[test]
fn from_a_linked_worktree_the_place_and_its_exclude_line_are_the_main_checkouts() {
    let scene = Scene::new();
    let linked = scene.path("linked");
    scene.git(&["worktree", "add", "-q", linked.to_str().unwrap(), "-b", "linked"]);
    let repository = Repository::open(&linked, &scene.state()).unwrap();
    let workspace = repository.prepare(&beside_others(&repository, "t_1")).unwrap();
    assert!(workspace.path.starts_with(scene.checkout.join(".trakkar-worktrees")));
    assert_eq!(scene.git(&["status", "--porcelain"]), "");
}

#[test]
fn a_workspace_in_a_place_of_ones_own_is_removed_like_any_other() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = repository.prepare(&beside_others(&repository, "t_1")).unwrap();
    let removal = repository.remove(&workspace, &RemovalProof::NoChanges);
    assert_eq!(removal, Removal::Removed { branch_deleted: true, leftover: None });
    assert!(!workspace.path.exists());
}

#[test]
fn a_record_from_before_places_is_read_as_the_default_place() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let mut record = serde_json::to_value(&workspace).unwrap();
    record["order"].as_object_mut().unwrap().remove("place").unwrap();
    assert_eq!(serde_json::from_value::<Workspace>(record).unwrap(), workspace);
}

fn with_modules() -> (Scene, Repository, Workspace) {
    let scene = Scene::new();
    scene.write(".gitignore", "node_modules/\n");
    scene.commit_all("ignore");
    scene.write("node_modules/left-pad/index.js", "precious\n");
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    (scene, repository, workspace)
}

#[test]
fn ignored_folders_are_linked_and_the_link_is_no_change_not_even_for_git_add() {
    let (scene, repository, workspace) = with_modules();
    assert_eq!(repository.link_ignored(&workspace, &["node_modules"]).unwrap(), [Linked::Made]);
    assert!(workspace.path.join("node_modules/left-pad/index.js").exists());
    assert_eq!(repository.changes(&workspace).unwrap().files, []);
    git(&workspace.path, &["add", "-A"]);
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), "");
    assert_eq!(repository.link_ignored(&workspace, &["node_modules"]).unwrap(), [Linked::Present]);
    assert_eq!(scene.git(&["status", "--porcelain"]), "");
}

#[test]
fn removing_the_workspace_removes_the_link_and_nothing_behind_it() {
    let (scene, repository, workspace) = with_modules();
    repository.link_ignored(&workspace, &["node_modules"]).unwrap();
    let removal = repository.remove(&workspace, &RemovalProof::NoChanges);
    assert_eq!(removal, Removal::Removed { branch_deleted: true, leftover: None });
    let kept = scene.checkout.join("node_modules/left-pad/index.js");
    assert_eq!(fs::read_to_string(kept).unwrap(), "precious\n");
}

#[test]
fn what_is_missing_tracked_or_in_the_way_is_not_linked() {
    let (scene, repository, workspace) = with_modules();
    scene.write("not-ignored/x", "x\n");
    scene.write("sub/node_modules/x", "x\n");
    let results = repository
        .link_ignored(&workspace, &["missing", "src", "not-ignored", "README.md", "sub/node_modules"])
        .unwrap();
    assert_eq!(
        results,
        [Linked::NoSource, Linked::NotIgnored, Linked::NotIgnored, Linked::NotIgnored, Linked::NoFolder]
    );
    write(&workspace.path.join("node_modules/own.js"), "own\n");
    assert_eq!(repository.link_ignored(&workspace, &["node_modules"]).unwrap(), [Linked::Present]);
    let error = repository.link_ignored(&workspace, &["../other"]).unwrap_err();
    assert!(matches!(error, WorkspaceError::InvalidName { .. }), "{error}");
}

#[test]
fn a_folder_that_an_agent_turned_into_a_link_is_not_written_through() {
    let (scene, repository, workspace) = with_modules();
    scene.write("sub/node_modules/x", "x\n");
    let outside = scene.path("outside");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, workspace.path.join("sub")).unwrap();
    assert_eq!(repository.link_ignored(&workspace, &["sub/node_modules"]).unwrap(), [Linked::NoFolder]);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
}

#[test]
fn a_deleted_folder_is_made_again_from_its_branch() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    assert_eq!(repository.restore(&workspace).unwrap(), Restored::Present);
    write(&workspace.path.join("done.txt"), "done\n");
    fs::remove_file(workspace.path.join("src/gone.txt")).unwrap();
    git(&workspace.path, &["add", "-A"]);
    git(&workspace.path, &["commit", "-q", "-m", "work"]);
    let tip = scene.git(&["rev-parse", "hostler/a"]).parse().unwrap();
    fs::remove_dir_all(&workspace.path).unwrap();
    // A crash in the middle of an earlier try.
    write(&scene.checkout.join(".hostler/worktrees/.restoring-a/half.txt"), "half\n");

    assert_eq!(repository.restore(&workspace).unwrap(), Restored::FromBranch(tip));
    assert_eq!(git(&workspace.path, &["status", "--porcelain", "--branch"]), "## hostler/a");
    assert!(!workspace.path.join("half.txt").exists());
    let changes = repository.changes(&workspace).unwrap();
    let paths: Vec<&Path> = changes.files.iter().map(|it| it.path.as_path()).collect();
    assert_eq!(paths, [Path::new("done.txt"), Path::new("src/gone.txt")]);
    assert!(!changes.uncommitted);
}

#[test]
fn a_deleted_folder_whose_branch_is_gone_is_made_from_the_start_and_says_so() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    fs::remove_dir_all(&workspace.path).unwrap();
    scene.git(&["update-ref", "-d", "refs/heads/hostler/a"]);
    assert_eq!(repository.restore(&workspace).unwrap(), Restored::FromStart);
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), "");
}

#[test]
fn a_folder_of_somebody_else_is_not_made_again_over() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    fs::remove_dir_all(&workspace.path).unwrap();
    fs::write(&workspace.path, "mine").unwrap();
    assert!(matches!(repository.restore(&workspace), Err(WorkspaceError::UnsafePath { .. })));
    assert_eq!(fs::read_to_string(&workspace.path).unwrap(), "mine");
}

#[test]
fn the_addresses_of_a_remote_are_told_without_what_is_secret_in_them() {
    let scene = Scene::new();
    let repository = scene.open();
    let told = || repository.remote_addresses("origin").unwrap();
    assert!(told().is_empty(), "there is no such remote");
    scene.git(&["remote", "add", "origin", "https://ann:s3cr3t@example.com/acme/app.git"]);
    assert_eq!(told(), ["https://example.com/acme/app.git"]);
    scene.git(&["remote", "set-url", "--push", "origin", "git@elsewhere.example:acme/app"]);
    assert_eq!(told().len(), 2, "work may go elsewhere than it comes from: {:?}", told());
}
