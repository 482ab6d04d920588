//! Opening repositories and making workspaces.
#![allow(clippy::unwrap_used)]

mod scene;

use std::fs;
use std::os::unix::fs::symlink;

use hostler_workspaces::{Base, Repository, WorkspaceError};
use scene::{Scene, git};

#[test]
fn a_workspace_is_a_working_git_worktree() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "APP-1");
    assert_eq!(workspace.path, scene.checkout.join(".hostler/worktrees/APP-1"));
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), "");
    assert_eq!(git(&workspace.path, &["branch", "--show-current"]), "hostler/APP-1");
    git(&workspace.path, &["commit", "-q", "--allow-empty", "-m", "x"]);
    assert_eq!(scene.git(&["status", "--porcelain"]), "");
    assert!(scene.git(&["worktree", "list"]).contains("APP-1"));
    scene.git(&["worktree", "prune", "--expire=now"]);
    scene.git(&["fsck", "--strict"]);
    assert_eq!(git(&workspace.path, &["log", "--oneline"]).lines().count(), 2);
    // The branch has no upstream to push to by accident.
    assert_eq!(scene.git(&["config", "--list", "--local"]).matches("branch.").count(), 0);
}

#[test]
fn the_exclude_line_is_written_once() {
    let scene = Scene::new();
    let exclude = scene.checkout.join(".git/info/exclude");
    fs::write(&exclude, "mine").unwrap();
    let repository = scene.open();
    scene::workspace(&repository, "a");
    scene::workspace(&repository, "b");
    assert_eq!(fs::read_to_string(exclude).unwrap(), "mine\n/.hostler/worktrees/\n");
}

#[test]
fn the_same_order_gives_the_same_workspace_with_the_agents_work_in_it() {
    let scene = Scene::new();
    let repository = scene.open();
    let order = scene::order(&repository, "a");
    let first = repository.prepare(&order).unwrap();
    scene::write(&first.path.join("work.txt"), "mine");
    let second = scene.open().prepare(&order).unwrap();
    assert_eq!(first, second);
    assert_eq!(fs::read_to_string(first.path.join("work.txt")).unwrap(), "mine");
    assert_eq!(scene.open().reopen(first.clone()).unwrap(), first);
}

#[test]
fn a_git_command_killed_in_the_middle_does_not_lock_the_next_attempt_out() {
    let scene = Scene::new();
    let repository = scene.open();
    let order = scene::order(&repository, "a");
    let workspace = repository.prepare(&order).unwrap();
    let branch = workspace.common_dir.join("refs/heads/hostler/a.lock");
    for lock in [workspace.git_dir.join("index.lock"), workspace.git_dir.join("HEAD.lock"), branch] {
        fs::write(lock, "").unwrap();
    }
    repository.prepare(&order).unwrap();
    git(&workspace.path, &["commit", "-q", "--allow-empty", "-m", "goes on"]);
}

#[test]
fn a_lock_behind_a_link_is_not_ours_to_remove() {
    let scene = Scene::new();
    let repository = scene.open();
    let order = scene::order(&repository, "a");
    let workspace = repository.prepare(&order).unwrap();
    let elsewhere = scene.path("elsewhere");
    fs::rename(&workspace.git_dir, &elsewhere).unwrap();
    fs::write(elsewhere.join("index.lock"), "").unwrap();
    symlink(&elsewhere, &workspace.git_dir).unwrap();
    repository.prepare(&order).unwrap();
    assert!(elsewhere.join("index.lock").exists());
}

#[test]
fn a_workspace_cut_off_by_a_crash_at_any_step_is_completed() {
    type Damage = fn(&hostler_workspaces::Workspace, &Scene);
    let damages: [(&str, Damage); 7] = [
        ("nothing but the receipt", |it, scene| {
            fs::remove_dir_all(&it.path).unwrap();
            fs::remove_dir_all(&it.git_dir).unwrap();
            scene.git(&["update-ref", "-d", &format!("refs/heads/{}", it.order.branch)]);
        }),
        ("the lock of a branch that was being made", |it, scene| {
            let branch = format!("refs/heads/{}", it.order.branch);
            scene.git(&["update-ref", "-d", &branch]);
            let lock = it.common_dir.join(format!("{branch}.lock"));
            fs::create_dir_all(lock.parent().unwrap()).unwrap();
            fs::write(lock, "").unwrap();
        }),
        ("no record", |it, _| fs::remove_dir_all(&it.git_dir).unwrap()),
        ("no head", |it, _| fs::remove_file(it.git_dir.join("HEAD")).unwrap()),
        ("no pointer", |it, _| fs::remove_file(it.path.join(".git")).unwrap()),
        ("half the files", |it, _| {
            fs::remove_dir_all(it.path.join("src")).unwrap();
            fs::write(it.path.join("README.md"), "on").unwrap();
            fs::remove_file(it.git_dir.join("index")).unwrap();
        }),
        ("a lock of a killed git", |it, scene| {
            let found = find(&scene.state(), "index.base");
            fs::write(found.with_file_name("index.scratch.lock"), "").unwrap();
            fs::remove_dir_all(it.path.join("src")).unwrap();
        }),
    ];
    for (name, damage) in damages {
        let scene = Scene::new();
        let repository = scene.open();
        let order = scene::order(&repository, "a");
        let workspace = repository.prepare(&order).unwrap();
        damage(&workspace, &scene);
        let receipt = find(&scene.state(), "receipt.json");
        let text = fs::read_to_string(&receipt).unwrap();
        fs::write(&receipt, text.replace("\"ready\"", "\"started\"")).unwrap();

        let again = scene.open().prepare(&order).unwrap();
        assert_eq!(again, workspace, "{name}");
        assert_eq!(git(&again.path, &["status", "--porcelain"]), "", "{name}");
        assert!(again.path.join("src/main.txt").exists(), "{name}");
        assert_eq!(scene.git(&["worktree", "list"]).lines().count(), 2, "{name}");
        assert!(repository.changes(&again).unwrap().files.is_empty(), "{name}");
    }
}

fn find(folder: &std::path::Path, name: &str) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name() == name {
                return entry.path();
            }
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
            }
        }
    }
    panic!("no {name}");
}

#[test]
fn a_folder_that_is_not_ours_is_left_alone() {
    let scene = Scene::new();
    let repository = scene.open();
    let theirs = repository.workspace_root().join("a/work.txt");
    scene::write(&theirs, "precious");
    let error = repository.prepare(&scene::order(&repository, "a")).unwrap_err();
    assert!(matches!(error, WorkspaceError::FolderTaken { .. }), "{error}");
    assert_eq!(fs::read_to_string(theirs).unwrap(), "precious");
    assert_eq!(scene.git(&["branch", "--list", "hostler/*"]), "");
}

#[test]
fn a_branch_that_is_not_ours_is_left_alone() {
    let scene = Scene::new();
    let repository = scene.open();
    scene.git(&["branch", "hostler/a"]);
    let error = repository.prepare(&scene::order(&repository, "a")).unwrap_err();
    assert!(matches!(error, WorkspaceError::BranchTaken { .. }), "{error}");
    assert!(!repository.workspace_root().join("a").exists());
}

#[test]
fn a_branch_is_taken_where_another_one_stands_above_or_below_it() {
    for (there, wished) in [("fix", "fix/a"), ("fix", "fix/deep/a"), ("fix/a", "fix"), ("fix/deep/a", "fix")]
    {
        let scene = Scene::new();
        let repository = scene.open();
        scene.git(&["branch", there]);
        let mut order = scene::order(&repository, "a");
        order.branch = wished.to_owned();
        let error = repository.prepare(&order).unwrap_err();
        assert!(matches!(error, WorkspaceError::BranchTaken { .. }), "{there}, {wished}: {error}");
        assert!(!repository.workspace_root().join("a").exists());
    }
}

#[test]
fn another_order_cannot_take_a_folder_in_use() {
    let scene = Scene::new();
    let repository = scene.open();
    scene::workspace(&repository, "a");
    let mut other = scene::order(&repository, "a");
    other.attempt = 2;
    other.branch = "other".to_owned();
    let error = repository.prepare(&other).unwrap_err().to_string();
    assert!(error.contains("run run-a attempt 1"), "{error}");
}

#[test]
fn a_workspace_deleted_by_someone_is_reported_and_not_made_anew() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    fs::remove_dir_all(&workspace.path).unwrap();
    assert!(matches!(repository.prepare(&workspace.order), Err(WorkspaceError::Missing { .. })));
}

#[test]
fn a_record_the_host_does_not_know_is_refused() {
    let scene = Scene::new();
    let repository = scene.open();
    let mut workspace = scene::workspace(&repository, "a");
    workspace.path = scene.path("elsewhere");
    fs::create_dir(&workspace.path).unwrap();
    assert!(matches!(repository.changes(&workspace), Err(WorkspaceError::NotOurs { .. })));
}

#[test]
fn a_link_in_place_of_the_workspace_root_is_refused() {
    let scene = Scene::new();
    let repository = scene.open();
    let outside = scene.path("outside");
    fs::create_dir(&outside).unwrap();
    symlink(&outside, scene.checkout.join(".hostler")).unwrap();
    let error = repository.prepare(&scene::order(&repository, "a")).unwrap_err();
    assert!(matches!(error, WorkspaceError::UnsafePath { .. }), "{error}");
    assert_eq!(fs::read_dir(outside).unwrap().count(), 0);
}

#[test]
fn thirty_two_workspaces_are_made_at_once() {
    let scene = Scene::new();
    scene.at_once(|repository, name| {
        let order = scene::order(repository, name);
        repository.prepare(&order).map(|_| ()).map_err(|error| error.to_string())
    });
    assert_eq!(scene.git(&["worktree", "list"]).lines().count(), 33);
    assert_eq!(scene.git(&["branch", "--list", "hostler/*"]).lines().count(), 32);
    let exclude = fs::read_to_string(scene.checkout.join(".git/info/exclude")).unwrap();
    assert_eq!(exclude.matches("/.hostler/worktrees/").count(), 1);
}

#[test]
fn spaces_and_unicode_in_the_path_do_no_harm() {
    let scene = Scene::named("mein Projekt ünïcödé 日本");
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    scene::write(&workspace.path.join("neu ä.txt"), "x\n");
    let changes = repository.changes(&workspace).unwrap();
    assert_eq!(changes.files[0].path.to_str(), Some("neu ä.txt"));
    assert_eq!(changes.files.len(), 1);
}

#[test]
fn opened_in_a_linked_worktree_work_starts_from_its_head_and_stays_in_the_main_checkout() {
    let scene = Scene::new();
    let linked = scene.path("linked");
    scene.git(&["worktree", "add", "-q", "-b", "side", linked.to_str().unwrap()]);
    scene::write(&linked.join("side.txt"), "side\n");
    git(&linked, &["add", "-A"]);
    git(&linked, &["commit", "-q", "-m", "side"]);
    let repository = Repository::open(&linked.join("src"), &scene.state()).unwrap();
    assert_eq!(repository.checkout(), linked);
    let workspace = scene::workspace(&repository, "a");
    assert!(workspace.path.join("side.txt").exists());
    assert!(workspace.path.starts_with(&scene.checkout));
    let condition = repository.condition().unwrap();
    assert_eq!(condition.head_branch.as_deref(), Some("side"));
    assert!(!condition.dirty);
}

#[test]
fn worktrees_of_a_bare_repository_work() {
    let scene = Scene::new();
    let bare = scene.path("bare.git");
    scene.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    let linked = scene.path("linked");
    git(&bare, &["worktree", "add", "-q", linked.to_str().unwrap(), "-b", "side"]);
    let repository = Repository::open(&linked, &scene.state()).unwrap();
    let workspace = scene::workspace(&repository, "a");
    assert!(workspace.path.starts_with(&linked));
    assert_eq!(git(&linked, &["status", "--porcelain"]), "");
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), "");
}

#[test]
fn every_unusable_place_has_an_error_of_its_own() {
    let scene = Scene::new();
    let plain = scene.path("plain");
    fs::create_dir(&plain).unwrap();
    let open = |path| Repository::open(path, &scene.state()).unwrap_err();
    assert!(matches!(open(&plain), WorkspaceError::NotARepository { .. }));

    git(&plain, &["init", "-q"]);
    assert!(matches!(open(&plain), WorkspaceError::Empty { .. }));

    let bare = scene.path("bare.git");
    scene.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
    assert!(matches!(open(&bare), WorkspaceError::Bare { .. }));

    let modern = scene.path("sha256");
    fs::create_dir(&modern).unwrap();
    git(&modern, &["init", "-q", "--object-format=sha256"]);
    git(&modern, &["commit", "-q", "--allow-empty", "-m", "x"]);
    let error = open(&modern);
    assert!(matches!(error, WorkspaceError::Unsupported { .. }), "{error:?}");
}

#[test]
fn a_dirty_or_detached_checkout_is_fine_and_said() {
    let scene = Scene::new();
    let repository = scene.open();
    let clean = repository.condition().unwrap();
    assert!(!clean.dirty && !clean.detached);
    assert_eq!(clean.head_branch.as_deref(), Some("main"));
    scene.git(&["checkout", "-q", "--detach"]);
    scene.write("README.md", "changed\n");
    let condition = repository.condition().unwrap();
    assert!(condition.dirty && condition.detached);
    assert_eq!(condition.head_branch, None);
    let workspace = scene::workspace(&repository, "a");
    let text = fs::read_to_string(workspace.path.join("README.md")).unwrap();
    assert_eq!(text, "one\ntwo\nthree\n");
}

#[test]
fn bases_resolve_to_full_ids_by_the_documented_order() {
    let scene = Scene::new();
    let repository = scene.open();
    let start = scene.git(&["rev-parse", "HEAD"]);
    scene.git(&["tag", "-a", "v1", "-m", "v1"]);
    scene.git(&["checkout", "-q", "-b", "work"]);
    scene.git(&["commit", "-q", "--allow-empty", "-m", "two"]);
    let work = scene.git(&["rev-parse", "HEAD"]);
    let resolve = |base: &Base| repository.resolve(base).map(|id| id.to_string());
    let named = |name: &str| resolve(&Base::Revision(name.to_owned()));
    assert_eq!(resolve(&Base::Head).unwrap(), work);
    assert_eq!(resolve(&Base::DefaultBranch).unwrap(), start);
    assert_eq!(named("v1").unwrap(), start);
    assert_eq!(named("work").unwrap(), work);
    assert_eq!(named("refs/heads/main").unwrap(), start);
    assert_eq!(named(&work[..7]).unwrap(), work);
    assert_eq!(named(&work).unwrap(), work);

    scene.git(&["update-ref", "refs/remotes/origin/trunk", &work]);
    scene.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk"]);
    assert_eq!(resolve(&Base::DefaultBranch).unwrap(), work);
    assert_eq!(named("trunk").unwrap(), work);

    for odd in ["", "HEAD~1", ":/start", "@{-1}", "-x", "nowhere", &work[..6], "HEAD^{/start}"] {
        let error = named(odd).unwrap_err();
        assert!(matches!(error, WorkspaceError::UnknownRevision { .. }), "{odd}");
    }
}

#[test]
fn branch_names_avoid_what_exists_and_what_is_reserved() {
    let scene = Scene::new();
    let repository = scene.open();
    scene.git(&["branch", "task/one"]);
    scene.git(&["pack-refs", "--all"]);
    let name = |wish| repository.branch_name(wish, &["held".to_owned()]).unwrap();
    assert_eq!(name("task/one"), "task/one-2");
    assert_eq!(name("main"), "main-2");
    assert_eq!(name("held"), "held-2");
    assert_eq!(name("task"), "task-2");
    assert_eq!(name("Fix: the login?"), "Fix-the-login");
}

#[test]
fn a_submodule_is_left_empty_and_is_no_change() {
    let scene = Scene::new();
    let inner = Scene::new();
    let url = inner.checkout.to_str().unwrap();
    scene.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, "sub"]);
    scene.commit_all("submodule");
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    assert!(workspace.path.join("sub").is_dir());
    let changes = repository.changes(&workspace).unwrap();
    assert!(changes.files.is_empty() && changes.omitted.is_empty(), "{changes:?}");
}

#[test]
fn a_shallow_clone_can_be_worked_on() {
    let scene = Scene::new();
    scene.git(&["commit", "-q", "--allow-empty", "-m", "two"]);
    let shallow = scene.path("shallow");
    let url = format!("file://{}", scene.checkout.display());
    scene.git(&["clone", "-q", "--depth=1", &url, shallow.to_str().unwrap()]);
    let repository = Repository::open(&shallow, &scene.state()).unwrap();
    let workspace = scene::workspace(&repository, "a");
    git(&workspace.path, &["commit", "-q", "--allow-empty", "-m", "x"]);
    assert_eq!(repository.changes(&workspace).unwrap().commits, 1);
}
