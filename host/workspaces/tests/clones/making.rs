//! Making clones, and making them again.

use std::fs;
use std::path::Path;

use hostler_workspaces::{Isolation, Linked, Restored, WorkspaceError};

use crate::scene::{self, Scene, git, write};
use crate::{branch, cloned, commit, made};

#[test]
fn a_clone_is_a_clean_repository_on_the_runs_branch_and_no_worktree_of_the_users() {
    let scene = Scene::new();
    scene.git(&["tag", "v1"]);
    scene.git(&["update-ref", "refs/remotes/origin/main", "HEAD"]);
    scene.git(&["remote", "add", "origin", "/nowhere"]);
    scene.git(&["config", "user.name", "Ann \"A\" Operator"]);
    scene.git(&["config", "core.hooksPath", "/nowhere"]);
    let before = scene.git(&["for-each-ref"]);
    let repository = scene.open();
    let workspace = made(&repository, "a");
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), "");
    assert_eq!(git(&workspace.path, &["branch", "--show-current"]), "hostler/a");
    assert_eq!(git(&workspace.path, &["diff", "origin/main", "main"]), "");
    assert_eq!(git(&workspace.path, &["describe", "--tags"]), "v1");
    assert_eq!(git(&workspace.path, &["remote"]), "");
    assert_eq!(git(&workspace.path, &["config", "--local", "user.name"]), "Ann \"A\" Operator");
    assert_eq!(git(&workspace.path, &["config", "--local", "gc.auto"]), "0");
    let settings = git(&workspace.path, &["config", "--local", "--list"]);
    assert!(!settings.contains("hookspath"), "{settings}");
    git(&workspace.path, &["fsck", "--strict"]);
    assert_eq!(scene.git(&["worktree", "list"]).lines().count(), 1);
    assert!(!scene.checkout.join(".git/worktrees").exists());
    assert_eq!(scene.git(&["status", "--porcelain"]), "");
    let branch = format!("{} commit\trefs/heads/hostler/a", branch(&scene, &workspace));
    let after = scene.git(&["for-each-ref"]);
    let added: Vec<&str> = after.lines().filter(|line| !before.contains(line)).collect();
    assert_eq!(added, [branch]);
}

#[test]
fn a_commit_works_where_nothing_but_the_folder_can_be_written() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = made(&repository, "a");
    let listing = |folder: &Path| {
        let mut files = Vec::new();
        let mut open = vec![folder.to_owned()];
        while let Some(folder) = open.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                if entry.file_type().unwrap().is_dir() {
                    open.push(entry.path());
                } else {
                    files.push((entry.path(), fs::read(entry.path()).unwrap()));
                }
            }
        }
        files.sort();
        files
    };
    let git_dir = scene.checkout.join(".git");
    let before = listing(&git_dir);
    commit(&workspace, "work.txt");
    git(&workspace.path, &["stash", "list"]);
    git(&workspace.path, &["checkout", "-q", "-b", "other"]);
    git(&workspace.path, &["commit", "-q", "--amend", "-m", "again"]);
    assert_eq!(listing(&git_dir), before);
}

#[test]
fn the_same_order_gives_the_same_clone_and_the_other_kind_gives_it_too() {
    let scene = Scene::new();
    let repository = scene.open();
    let (clone, worktree) = (made(&repository, "a"), scene::workspace(&repository, "b"));
    write(&clone.path.join("work.txt"), "mine");
    assert_eq!(scene.open().prepare(&cloned(&repository, "a")).unwrap(), clone);
    assert_eq!(repository.prepare(&scene::order(&repository, "a")).unwrap(), clone);
    assert_eq!(repository.prepare(&cloned(&repository, "b")).unwrap(), worktree);
    assert_eq!(worktree.order.isolation, Isolation::Worktree);
    assert_eq!(fs::read_to_string(clone.path.join("work.txt")).unwrap(), "mine");
}

#[test]
fn a_clone_cut_off_by_a_crash_at_any_step_is_completed() {
    type Damage = fn(&hostler_workspaces::Workspace, &Scene);
    let damages: [(&str, Damage); 6] = [
        ("nothing but the receipt", |it, scene| {
            fs::remove_dir_all(&it.path).unwrap();
            scene.git(&["update-ref", "-d", &format!("refs/heads/{}", it.order.branch)]);
        }),
        ("no git directory", |it, _| fs::remove_dir_all(&it.git_dir).unwrap()),
        ("no head", |it, _| fs::remove_file(it.git_dir.join("HEAD")).unwrap()),
        ("no objects", |it, _| fs::remove_dir_all(it.git_dir.join("objects")).unwrap()),
        ("no refs", |it, _| fs::remove_file(it.git_dir.join("packed-refs")).unwrap()),
        ("half the files", |it, _| {
            fs::remove_dir_all(it.path.join("src")).unwrap();
            fs::remove_file(it.git_dir.join("index")).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let scene = Scene::new();
        let repository = scene.open();
        let workspace = made(&repository, "a");
        damage(&workspace, &scene);
        let receipt = receipt(&scene);
        let text = fs::read_to_string(&receipt).unwrap();
        fs::write(&receipt, text.replace("\"ready\"", "\"started\"")).unwrap();
        let again = scene.open().prepare(&cloned(&repository, "a")).unwrap();
        assert_eq!(again, workspace, "{name}");
        assert_eq!(git(&again.path, &["status", "--porcelain"]), "", "{name}");
        assert!(again.path.join("src/main.txt").exists(), "{name}");
    }
}

/// The only receipt there is.
fn receipt(scene: &Scene) -> std::path::PathBuf {
    let repositories = fs::read_dir(scene.state()).unwrap().flatten();
    let receipts = repositories.map(|it| it.path().join("workspaces/a/receipt.json"));
    receipts.into_iter().find(|it| it.is_file()).unwrap()
}

#[test]
fn locks_that_a_killed_git_left_in_the_clone_are_removed() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = made(&repository, "a");
    fs::create_dir_all(workspace.git_dir.join("refs/heads/hostler")).unwrap();
    for lock in ["index.lock", "HEAD.lock", "refs/heads/hostler/a.lock"] {
        fs::write(workspace.git_dir.join(lock), "").unwrap();
    }
    let again = repository.prepare(&cloned(&repository, "a")).unwrap();
    commit(&again, "work.txt");
}

#[test]
fn thirty_two_clones_are_made_and_collected_at_once() {
    let scene = Scene::new();
    scene.at_once(|repository, name| {
        let workspace = made(repository, name);
        let own = commit(&workspace, &format!("own-{name}.txt"));
        let collected = repository.collect(&workspace).map_err(|error| error.to_string())?;
        let head = collected.head.unwrap().to_string();
        if head == own { Ok(()) } else { Err(format!("{name} is on {head} and not on {own}")) }
    });
    assert_eq!(scene.git(&["worktree", "list"]).lines().count(), 1);
    assert_eq!(scene.git(&["branch", "--list", "hostler/*"]).lines().count(), 32);
    let exclude = fs::read_to_string(scene.checkout.join(".git/info/exclude")).unwrap();
    assert_eq!(exclude.matches("/.hostler/worktrees/").count(), 1);
    scene.git(&["fsck", "--strict", "--full"]);
    let left = fs::read_dir(scene.checkout.join(".git/objects")).unwrap().flatten();
    let left: Vec<_> = left.filter(|it| it.file_name().to_string_lossy().starts_with("tmp_")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_deleted_clone_is_made_again_from_what_was_collected() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = made(&repository, "a");
    commit(&workspace, "work.txt");
    let head = repository.collect(&workspace).unwrap().head.unwrap();
    fs::remove_dir_all(&workspace.path).unwrap();
    assert_eq!(repository.restore(&workspace).unwrap(), Restored::FromBranch(head));
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), "");
    assert_eq!(git(&workspace.path, &["rev-parse", "hostler/a"]), head.to_string());
    let more = commit(&workspace, "more.txt");
    assert_eq!(repository.collect(&workspace).unwrap().head.unwrap().to_string(), more);
    assert_eq!(scene.git(&["worktree", "list"]).lines().count(), 1);
}

#[test]
fn ignored_folders_are_linked_into_a_clone_and_are_no_change_for_its_git() {
    let scene = Scene::new();
    scene.write(".gitignore", "node_modules/\n");
    scene.commit_all("ignore");
    scene.write("node_modules/x.js", "x\n");
    let repository = scene.open();
    let workspace = made(&repository, "a");
    assert_eq!(repository.link_ignored(&workspace, &["node_modules"]).unwrap(), [Linked::Made]);
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), "");
    git(&workspace.path, &["add", "-A"]);
    assert!(repository.changes(&workspace).unwrap().files.is_empty());
}

#[test]
fn a_clone_of_a_shallow_clone_has_its_history() {
    let scene = Scene::new();
    scene.write("more.txt", "x\n");
    scene.commit_all("more");
    let shallow = scene.path("shallow");
    let url = format!("file://{}", scene.checkout.display());
    scene.git(&["clone", "-q", "--depth", "1", &url, shallow.to_str().unwrap()]);
    let repository = hostler_workspaces::Repository::open(&shallow, &scene.state()).unwrap();
    let workspace = made(&repository, "a");
    assert_eq!(git(&workspace.path, &["log", "--oneline"]).lines().count(), 1);
    let own = commit(&workspace, "work.txt");
    assert_eq!(repository.collect(&workspace).unwrap().head.unwrap().to_string(), own);
}

#[test]
fn a_clone_whose_folder_is_gone_is_missing_and_nothing_is_taken_over() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = made(&repository, "a");
    fs::remove_dir_all(&workspace.path).unwrap();
    let error = repository.collect(&workspace).unwrap_err();
    assert!(
        matches!(error, hostler_workspaces::CollectError::Workspace(WorkspaceError::Missing { .. })),
        "{error}"
    );
}
