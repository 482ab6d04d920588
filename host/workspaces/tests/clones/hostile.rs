//! An agent that makes something else of its git directory. Each attack comes with a
//! control: what plain git makes of it.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use hostler_workspaces::{CollectError, Repository, Workspace};

use crate::scene::{self, Scene, command, git, write};
use crate::{branch, commit, made};

/// Nothing was taken over, the folder is still there, and the sentence says why.
fn assert_refused(scene: &Scene, repository: &Repository, workspace: &Workspace, attack: &str, why: &str) {
    let before = (scene.git(&["for-each-ref"]), scene.git(&["count-objects", "-v"]));
    let error = repository.collect(workspace).expect_err(attack).to_string();
    assert!(error.contains(why), "{attack}: {error}");
    assert_eq!((scene.git(&["for-each-ref"]), scene.git(&["count-objects", "-v"])), before, "{attack}");
    assert!(workspace.path.exists(), "{attack}");
}

type Swap = fn(&Workspace, &Path);

/// A git program as a person runs it, with a time limit; the exit code.
fn plain(folder: &Path, arguments: &[&str]) -> Option<i32> {
    let git = command(folder, arguments);
    let mut limited = Command::new("timeout");
    limited.args(["1", "git"]).args(arguments).current_dir(folder);
    limited.envs(git.get_envs().filter_map(|(name, value)| Some((name, value?))));
    limited.output().unwrap().status.code()
}

fn append(path: &Path, text: &str) {
    let mut content = fs::read_to_string(path).unwrap_or_default();
    content.push_str(text);
    fs::write(path, content).unwrap();
}

#[test]
fn no_setting_or_hook_that_the_agent_planted_runs_while_its_work_is_taken_over() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = made(&repository, "a");
    let own = commit(&workspace, "work.txt");
    let (canary, script) = (scene.path("canary"), scene.path("trap.sh"));
    fs::write(&script, format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", canary.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let run = script.display();
    let settings = format!(
        "[core]\n\tfsmonitor = {run}\n\thooksPath = hooks\n\talternateRefsCommand = {run}\n\tpager = {run}\n\
         [uploadpack]\n\tpackObjectsHook = {run}\n[filter \"x\"]\n\tclean = {run}\n\tsmudge = {run}\n\
         [diff]\n\texternal = {run}\n[extensions]\n\tpartialClone = evil\n\
         [remote \"evil\"]\n\turl = ext::{run}\n\tpromisor = true\n"
    );
    append(&workspace.git_dir.join("config"), &settings);
    for hook in ["reference-transaction", "post-index-change", "pre-push"] {
        fs::create_dir_all(workspace.git_dir.join("hooks")).unwrap();
        fs::copy(&script, workspace.git_dir.join("hooks").join(hook)).unwrap();
    }
    write(&workspace.path.join(".gitattributes"), "* filter=x diff=x\n");
    let _ = plain(&workspace.path, &["status"]);
    assert!(canary.exists(), "the control: plain git springs the trap");
    fs::remove_file(&canary).unwrap();

    assert_eq!(repository.collect(&workspace).unwrap().head.unwrap().to_string(), own);
    repository.changes(&workspace).unwrap();
    repository.commit_remaining(&workspace, "Rest").unwrap();
    repository.collect(&workspace).unwrap();
    assert!(repository.proof_of_safety(&workspace).is_err());
    assert!(!canary.exists(), "{:?}", fs::read_to_string(&canary));
}

#[test]
fn a_git_directory_that_leads_to_another_repository_is_refused() {
    let other = Scene::new();
    other.write("secret.txt", "secret\n");
    other.commit_all("secret");
    let swaps: [(&str, Swap); 3] = [
        ("a file that names it", |it, other| {
            write(&it.git_dir, &format!("gitdir: {}\n", other.join(".git").display()));
        }),
        ("a link to it", |it, other| symlink(other.join(".git"), &it.git_dir).unwrap()),
        ("nothing", |it, _| fs::create_dir_all(it.git_dir.with_file_name("x")).unwrap()),
    ];
    for (name, swap) in swaps {
        let scene = Scene::new();
        let repository = scene.open();
        let workspace = made(&repository, "a");
        fs::rename(&workspace.git_dir, scene.path("own")).unwrap();
        swap(&workspace, &other.checkout);
        if name != "nothing" {
            let seen = git(&workspace.path, &["rev-parse", "HEAD"]);
            assert_eq!(seen, other.git(&["rev-parse", "HEAD"]), "the control: plain git goes there");
        }
        assert_refused(&scene, &repository, &workspace, name, ".git is not a folder");
    }
}

#[test]
fn a_git_directory_that_leads_to_the_worktree_of_another_run_is_refused() {
    let scene = Scene::new();
    let repository = scene.open();
    let (workspace, other) = (made(&repository, "a"), scene::workspace(&repository, "b"));
    let theirs = commit(&other, "theirs.txt");
    fs::remove_dir_all(&workspace.git_dir).unwrap();
    write(&workspace.git_dir, &format!("gitdir: {}\n", other.git_dir.display()));
    assert_eq!(git(&workspace.path, &["rev-parse", "HEAD"]), theirs, "the control");
    assert_refused(&scene, &repository, &workspace, "another worktree", ".git is not a folder");
    assert_eq!(branch(&scene, &other), theirs);
}

#[test]
fn a_common_directory_elsewhere_is_not_looked_at() {
    let other = Scene::new();
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = made(&repository, "a");
    let own = commit(&workspace, "work.txt");
    let elsewhere = other.checkout.join(".git");
    other.git(&["branch", "hostler/a"]);
    write(&workspace.git_dir.join("commondir"), &format!("{}\n", elsewhere.display()));
    let seen = git(&workspace.path, &["rev-parse", "HEAD"]);
    assert_eq!(seen, other.git(&["rev-parse", "HEAD"]), "the control: plain git goes there");
    assert_eq!(repository.collect(&workspace).unwrap().head.unwrap().to_string(), own);
}

#[test]
fn a_head_that_is_a_fifo_a_link_or_no_ref_is_refused_at_once() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = made(&repository, "a");
    let head = workspace.git_dir.join("HEAD");
    fs::remove_file(&head).unwrap();
    assert!(Command::new("mkfifo").arg(&head).status().unwrap().success());
    assert_eq!(plain(&workspace.path, &["rev-parse", "HEAD"]), Some(124), "the control: plain git waits");
    assert_refused(&scene, &repository, &workspace, "a FIFO", "HEAD is not a regular file");
    fs::remove_file(&head).unwrap();
    let outside = scene.path("outside");
    write(&outside, "ref: refs/heads/main\n");
    symlink(&outside, &head).unwrap();
    assert_refused(&scene, &repository, &workspace, "a link", "HEAD is not a regular file");
    fs::remove_file(&head).unwrap();
    for odd in ["ref: refs/heads/.invalid", "ref: ../../../../outside", "--upload-pack=x", "ref: HEAD"] {
        fs::write(&head, odd).unwrap();
        assert_refused(&scene, &repository, &workspace, odd, "is no ref");
    }
    fs::write(&head, "x".repeat(5000)).unwrap();
    assert_refused(&scene, &repository, &workspace, "a long one", "is larger than 4096 bytes");
}

#[test]
fn a_ref_behind_a_link_is_refused() {
    let scene = Scene::new();
    scene.git(&["commit", "-q", "--allow-empty", "-m", "later"]);
    let later = scene.git(&["rev-parse", "HEAD"]);
    let repository = scene.open();
    let workspace = made(&repository, "a");
    scene.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let outside = scene.path("outside");
    write(&outside.join("a"), &format!("{later}\n"));
    let folder = workspace.git_dir.join("refs/heads/hostler");
    fs::create_dir_all(&folder).unwrap();
    symlink(outside.join("a"), folder.join("a")).unwrap();
    assert_eq!(git(&workspace.path, &["rev-parse", "hostler/a"]), later, "the control: plain git follows");
    assert_refused(&scene, &repository, &workspace, "a linked ref", "a is not a regular file");
    fs::remove_dir_all(&folder).unwrap();
    symlink(&outside, &folder).unwrap();
    assert_refused(&scene, &repository, &workspace, "a linked folder", "hostler is not a folder");
}

#[test]
fn refs_with_odd_names_are_values_and_nothing_else() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = made(&repository, "a");
    for (number, name) in ["-x", "--upload-pack=touch", "a;b", "$(touch)", "ä/ö"].into_iter().enumerate() {
        let name = format!("refs/heads/{name}");
        git(&workspace.path, &["update-ref", &name, "HEAD"]);
        git(&workspace.path, &["symbolic-ref", "HEAD", &name]);
        let own = commit(&workspace, &format!("{number}.txt"));
        let collected = repository.collect(&workspace).unwrap();
        assert_eq!(collected.head.unwrap().to_string(), own, "{name}");
        git(&workspace.path, &["checkout", "-q", "--detach"]);
    }
    write(&workspace.git_dir.join("refs/heads/line\nbreak"), "x");
    repository.collect(&workspace).unwrap();
    assert!(!scene.git(&["for-each-ref"]).contains("touch"));
}

#[test]
fn a_run_whose_name_is_a_path_keeps_its_refs_in_its_own_place() {
    let scene = Scene::new();
    let repository = scene.open();
    let order =
        hostler_workspaces::Order { run: "../../heads/main".to_owned(), ..crate::cloned(&repository, "a") };
    let workspace = repository.prepare(&order).unwrap();
    git(&workspace.path, &["checkout", "-q", "--orphan", "new"]);
    commit(&workspace, "orphan.txt");
    let main = scene.git(&["rev-parse", "main"]);
    assert!(repository.collect(&workspace).unwrap().note.unwrap().contains("refs/hostler/"));
    assert_eq!(scene.git(&["rev-parse", "main"]), main);
}

#[test]
fn an_error_says_that_the_folder_stays_and_that_git_must_not_run_in_it() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = made(&repository, "a");
    fs::remove_dir_all(&workspace.git_dir).unwrap();
    let error = repository.collect(&workspace).unwrap_err();
    assert!(matches!(error, CollectError::Odd(_)));
    assert!(error.to_string().ends_with("the folder stays, look at it by hand without running git in it"));
}
