//! What becomes of commits, and when a clone may go.

use std::fs;

use hostler_workspaces::{
    Cancel, ForgeHosts, Landing, Means, PUSH_LIMIT, Removal, RemovalProof, Repository, Workspace,
};

use crate::scene::{self, Scene, command, git, write};
use crate::{branch, commit, made};

fn land(repository: &Repository, workspace: &Workspace) -> hostler_workspaces::Landed {
    let (hosts, cancel) = (ForgeHosts::default(), Cancel::new());
    let means = Means { http: None, hosts: &hosts, time_limit: PUSH_LIMIT, cancel: &cancel };
    repository.land(workspace, &Landing::Merge { into: "trunk".to_owned() }, "Work", &means).unwrap()
}

fn left_behind(scene: &Scene) -> Vec<String> {
    let refs = scene.git(&["for-each-ref", "--format=%(refname) %(objectname)", "refs/hostler"]);
    refs.lines().map(str::to_owned).collect()
}

fn assert_kept(repository: &Repository, workspace: &Workspace, proof: &RemovalProof, why: &str) {
    match repository.remove(workspace, proof) {
        Removal::Kept { reason } => assert!(reason.contains(why), "{reason}"),
        gone @ Removal::Removed { .. } => panic!("{gone:?}"),
    }
    assert!(workspace.path.exists());
}

#[test]
fn commits_and_uncommitted_work_are_in_the_changes_after_collecting() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = made(&repository, "a");
    let own = commit(&workspace, "work.txt");
    write(&workspace.path.join("loose.txt"), "x\n");
    assert_eq!(repository.changes(&workspace).unwrap().commits, 0);
    let collected = repository.collect(&workspace).unwrap();
    assert_eq!(collected.head.unwrap().to_string(), own);
    assert_eq!((collected.imported, collected.note), (3, None));
    let changes = repository.changes(&workspace).unwrap();
    assert_eq!((changes.commits, changes.uncommitted, changes.files.len()), (1, true, 2));
    assert_eq!(branch(&scene, &workspace), own);
    scene.git(&["fsck", "--strict", "--full"]);
    // Again, by a host that starts now: the same.
    let again = scene.open().collect(&workspace).unwrap();
    assert_eq!((again.head.unwrap().to_string(), again.imported, again.note), (own, 0, None));
}

#[test]
fn work_lands_and_the_clone_goes_on_from_what_the_host_committed() {
    let scene = Scene::new();
    scene.git(&["branch", "trunk"]);
    let repository = scene.open();
    let workspace = made(&repository, "a");
    commit(&workspace, "work.txt");
    write(&workspace.path.join("loose.txt"), "x\n");
    repository.collect(&workspace).unwrap();
    land(&repository, &workspace);
    assert!(scene.git(&["show", "trunk:loose.txt"]).contains('x'));
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), "");
    assert_eq!(git(&workspace.path, &["rev-parse", "HEAD"]), branch(&scene, &workspace));
    let next = commit(&workspace, "next.txt");
    let collected = repository.collect(&workspace).unwrap();
    assert_eq!((collected.head.unwrap().to_string(), collected.note), (next, None));
}

#[test]
fn a_host_that_died_between_any_two_steps_takes_the_same_over() {
    let scene = Scene::new();
    scene.git(&["branch", "trunk"]);
    let repository = scene.open();
    let workspace = made(&repository, "a");
    let start = branch(&scene, &workspace);
    let own = commit(&workspace, "work.txt");
    let desk = scene.state();
    let receipts = || {
        let found =
            fs::read_dir(&desk).unwrap().flatten().map(|it| it.path().join("workspaces/a/receipt.json"));
        found.into_iter().find(|it| it.is_file()).unwrap()
    };
    let before = fs::read(receipts()).unwrap();
    repository.collect(&workspace).unwrap();
    // The branch was moved, and the receipt does not know.
    fs::write(receipts(), &before).unwrap();
    assert_eq!(scene.open().collect(&workspace).unwrap().note, None);
    // The objects arrived, and the branch was not moved.
    fs::write(receipts(), &before).unwrap();
    scene.git(&["update-ref", "refs/heads/hostler/a", &start]);
    let objects = scene.checkout.join(".git/objects");
    fs::create_dir_all(objects.join("tmp_objdir-hostler-copied-a/pack")).unwrap();
    fs::write(objects.join("tmp_objdir-hostler-copied-a/pack/pack-0.pack"), "half").unwrap();
    let collected = scene.open().collect(&workspace).unwrap();
    assert_eq!((collected.head.unwrap().to_string(), collected.imported), (own, 0));
    // The host committed, and the clone does not know.
    let (head, refs) = (workspace.git_dir.join("HEAD"), workspace.git_dir.join("refs/heads/hostler/a"));
    let known = (fs::read(&head).unwrap(), fs::read(&refs).unwrap());
    write(&workspace.path.join("loose.txt"), "x\n");
    land(&repository, &workspace);
    fs::write(head, known.0).unwrap();
    fs::write(refs, known.1).unwrap();
    land(&scene.open(), &workspace);
    assert_eq!(git(&workspace.path, &["rev-parse", "HEAD"]), branch(&scene, &workspace));
}

#[test]
fn work_on_another_branch_or_none_goes_on_the_runs_branch() {
    for switch in [&["checkout", "-q", "-b", "own/name"][..], &["checkout", "-q", "--detach"]] {
        let scene = Scene::new();
        scene.git(&["branch", "trunk"]);
        let repository = scene.open();
        let workspace = made(&repository, "a");
        git(&workspace.path, switch);
        let own = commit(&workspace, "work.txt");
        let collected = repository.collect(&workspace).unwrap();
        assert_eq!((collected.head.unwrap().to_string(), collected.note), (own.clone(), None));
        assert_eq!(branch(&scene, &workspace), own);
        write(&workspace.path.join("loose.txt"), "x\n");
        land(&repository, &workspace);
        assert_eq!(git(&workspace.path, &["branch", "--show-current"]), "hostler/a");
    }
}

#[test]
fn rewritten_commits_replace_the_runs_own() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = made(&repository, "a");
    commit(&workspace, "work.txt");
    repository.collect(&workspace).unwrap();
    git(&workspace.path, &["commit", "-q", "--amend", "-m", "better"]);
    let collected = repository.collect(&workspace).unwrap();
    assert_eq!(collected.note, None);
    assert_eq!(branch(&scene, &workspace), git(&workspace.path, &["rev-parse", "HEAD"]));
}

#[test]
fn going_back_before_the_start_moves_nothing_and_other_history_is_kept_beside() {
    let scene = Scene::new();
    scene.write("second.txt", "x\n");
    scene.commit_all("second");
    let repository = scene.open();
    let workspace = made(&repository, "a");
    let own = commit(&workspace, "work.txt");
    repository.collect(&workspace).unwrap();
    git(&workspace.path, &["reset", "-q", "--hard", "HEAD~2"]);
    let back = repository.collect(&workspace).unwrap();
    assert_eq!((back.head.unwrap().to_string(), back.note), (own.clone(), None));
    let other = commit(&workspace, "other.txt");
    let beside = repository.collect(&workspace).unwrap();
    assert_eq!(beside.head.unwrap().to_string(), own);
    assert!(beside.note.unwrap().contains("`refs/hostler/run-a/left-behind`"));
    assert_eq!(left_behind(&scene), [format!("refs/hostler/run-a/left-behind {other}")]);
    git(&workspace.path, &["checkout", "-q", "--orphan", "new"]);
    let orphan = commit(&workspace, "orphan.txt");
    repository.collect(&workspace).unwrap();
    repository.collect(&workspace).unwrap();
    assert_eq!(left_behind(&scene).len(), 2);
    assert!(left_behind(&scene)[1].ends_with(&orphan));
}

#[test]
fn a_branch_that_somebody_else_moved_deleted_or_checked_out_is_left_alone_and_said() {
    for (damage, why) in [
        (&["update-ref", "refs/heads/hostler/a", "refs/heads/side"][..], "moved or deleted"),
        (&["branch", "-q", "-D", "hostler/a"], "moved or deleted"),
        (&["checkout", "-q", "hostler/a"], "checked out in"),
    ] {
        let scene = Scene::new();
        scene.git(&["checkout", "-q", "-b", "side"]);
        scene.git(&["commit", "-q", "--allow-empty", "-m", "side"]);
        scene.git(&["checkout", "-q", "main"]);
        let repository = scene.open();
        let workspace = made(&repository, "a");
        let own = commit(&workspace, "work.txt");
        scene.git(damage);
        let before = scene.git(&["for-each-ref", "refs/heads"]);
        let collected = repository.collect(&workspace).unwrap();
        assert!(collected.note.unwrap().contains(why), "{damage:?}");
        assert_eq!(scene.git(&["for-each-ref", "refs/heads"]), before);
        assert_eq!(left_behind(&scene), [format!("refs/hostler/run-a/left-behind {own}")]);
    }
}

#[test]
fn a_clone_goes_only_when_everything_in_it_is_elsewhere() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = made(&repository, "a");
    let into_main = RemovalProof::Merged { into: "refs/heads/main".to_owned() };
    commit(&workspace, "work.txt");
    assert_kept(&repository, &workspace, &RemovalProof::NoChanges, "nowhere else");
    assert!(repository.proof_of_safety(&workspace).unwrap_err().contains("nowhere else"));
    repository.collect(&workspace).unwrap();
    assert_kept(&repository, &workspace, &into_main, "not in `refs/heads/main`");
    scene.git(&["merge", "-q", "--ff-only", "hostler/a"]);
    // A branch, a stash and a tag that nobody else has.
    write(&workspace.path.join("loose.txt"), "x\n");
    assert_kept(&repository, &workspace, &into_main, "not committed");
    git(&workspace.path, &["stash", "-q", "-u"]);
    assert_kept(&repository, &workspace, &into_main, "`refs/stash` in its clone");
    git(&workspace.path, &["stash", "drop", "-q"]);
    git(&workspace.path, &["checkout", "-q", "-b", "aside"]);
    commit(&workspace, "aside.txt");
    git(&workspace.path, &["checkout", "-q", "hostler/a"]);
    git(&workspace.path, &["pack-refs", "--all"]);
    assert_kept(&repository, &workspace, &into_main, "`refs/heads/aside` in its clone");
    git(&workspace.path, &["branch", "-q", "-D", "aside"]);
    assert_eq!(repository.proof_of_safety(&workspace), Ok(into_main.clone()));
    assert_eq!(
        repository.remove(&workspace, &into_main),
        Removal::Removed { branch_deleted: true, leftover: None }
    );
    assert!(!workspace.path.exists());
}

#[test]
fn an_unchanged_clone_goes_and_one_that_cannot_be_read_stays_until_the_operator_says_so() {
    let scene = Scene::new();
    let repository = scene.open();
    let unchanged = made(&repository, "a");
    scene.git(&["tag", "later"]);
    assert!(matches!(repository.remove(&unchanged, &RemovalProof::NoChanges), Removal::Removed { .. }));
    let odd = made(&repository, "b");
    fs::remove_file(odd.git_dir.join("HEAD")).unwrap();
    assert_kept(&repository, &odd, &RemovalProof::NoChanges, "`HEAD`");
    assert!(matches!(repository.remove(&odd, &RemovalProof::OperatorSaid), Removal::Removed { .. }));
    assert!(hostler_workspaces::known_workspaces(&scene.state()).unwrap().is_empty());
}

#[test]
fn a_clone_is_put_away_when_its_work_is_elsewhere_and_made_again() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = made(&repository, "a");
    let own = commit(&workspace, "work.txt");
    assert!(matches!(repository.put_away(&workspace, "refs/heads/main"), Removal::Kept { .. }));
    repository.collect(&workspace).unwrap();
    scene.git(&["merge", "-q", "--ff-only", "hostler/a"]);
    assert!(matches!(repository.put_away(&workspace, "refs/heads/main"), Removal::Removed { .. }));
    assert!(!workspace.path.exists());
    repository.restore(&workspace).unwrap();
    assert_eq!(git(&workspace.path, &["rev-parse", "HEAD"]), own);
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), "");
}

#[test]
fn uncommitted_work_of_a_clone_is_preserved() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = made(&repository, "a");
    commit(&workspace, "work.txt");
    write(&workspace.path.join("loose.txt"), "x\n");
    repository.collect(&workspace).unwrap();
    let kept = repository.preserve(&workspace).unwrap().unwrap();
    assert_eq!(scene.git(&["show", &format!("{}:loose.txt", kept.reference)]), "x");
    assert!(matches!(
        repository.remove(&workspace, &RemovalProof::Preserved),
        Removal::Removed { branch_deleted: false, .. }
    ));
}

#[test]
fn collecting_from_a_worktree_has_nothing_to_do() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let own = commit(&workspace, "work.txt");
    let collected = repository.collect(&workspace).unwrap();
    assert_eq!((collected.head.unwrap().to_string(), collected.imported), (own, 0));
}

#[test]
fn packs_that_the_agent_made_are_taken_over() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = made(&repository, "a");
    for number in 0..3 {
        commit(&workspace, &format!("{number}.txt"));
    }
    git(&workspace.path, &["gc", "-q", "--prune=now"]);
    let own = commit(&workspace, "loose.txt");
    assert!(fs::read_dir(workspace.git_dir.join("objects/pack")).unwrap().count() > 0);
    let collected = repository.collect(&workspace).unwrap();
    assert_eq!((collected.head.unwrap().to_string(), collected.imported), (own, 12));
    let output = command(&scene.checkout, &["fsck", "--strict", "--full"]).output().unwrap();
    assert!(output.status.success());
}
