//! Diffs, patches and preserved work.
#![allow(clippy::unwrap_used)]

mod scene;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use hostler_workspaces::{ChangeKind, Changes, FileChange, Lines, MAX_FILE_BYTES, Omission};
use scene::{Scene, git, write};

fn file<'a>(changes: &'a Changes, path: &str) -> &'a FileChange {
    let found = changes.files.iter().find(|it| it.path == Path::new(path));
    found.unwrap_or_else(|| panic!("no {path} in {changes:#?}"))
}

fn lines(added: u32, removed: u32) -> Option<Lines> {
    Some(Lines { added, removed })
}

#[test]
fn committed_staged_unstaged_and_untracked_work_is_all_in_the_changes() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let root = &workspace.path;
    write(&root.join("committed.txt"), "1\n2\n");
    git(root, &["mv", "src/main.txt", "src/renamed.txt"]);
    git(root, &["add", "committed.txt"]);
    git(root, &["commit", "-q", "-m", "one"]);
    git(root, &["commit", "-q", "--allow-empty", "-m", "two"]);
    write(&root.join("staged.txt"), "s\n");
    git(root, &["add", "staged.txt"]);
    write(&root.join("README.md"), "one\n2\nthree\n");
    write(&root.join("deep/er/untracked.txt"), "u\n");
    fs::remove_file(root.join("src/gone.txt")).unwrap();
    fs::write(root.join("data.bin"), [0_u8, 9, 9, 0]).unwrap();
    write(&root.join("ignored.log"), "noise\n");

    let changes = repository.changes(&workspace).unwrap();
    assert_eq!(changes.commits, 2);
    assert!(changes.uncommitted);
    let head = git(root, &["rev-parse", "HEAD"]);
    assert_eq!(changes.head.map(|id| id.to_string()), Some(head));
    assert_eq!(file(&changes, "committed.txt").lines, lines(2, 0));
    assert_eq!(file(&changes, "staged.txt").kind, ChangeKind::Added);
    assert_eq!(file(&changes, "README.md").lines, lines(1, 1));
    assert_eq!(file(&changes, "deep/er/untracked.txt").kind, ChangeKind::Added);
    assert_eq!(file(&changes, "src/gone.txt").kind, ChangeKind::Deleted);
    assert_eq!(file(&changes, "data.bin").lines, None);
    assert_eq!(file(&changes, "data.bin").kind, ChangeKind::Modified);
    let from = "src/main.txt".into();
    assert_eq!(file(&changes, "src/renamed.txt").kind, ChangeKind::Renamed { from });
    assert_eq!(changes.files.len(), 7);
    assert!(changes.omitted.is_empty());
    // The agent's own view was not touched.
    assert!(git(root, &["status", "--porcelain"]).contains("A  staged.txt"));
}

#[test]
fn an_untouched_workspace_has_no_changes() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let changes = repository.changes(&workspace).unwrap();
    assert_eq!(changes.files, []);
    assert_eq!(changes.commits, 0);
    assert!(!changes.uncommitted);
    assert_eq!(changes.head, Some(workspace.order.start));
}

#[test]
fn an_edit_of_the_same_length_right_after_checkout_is_seen() {
    let scene = Scene::new();
    let repository = scene.open();
    for number in 0..10 {
        let workspace = scene::workspace(&repository, &format!("w{number}"));
        write(&workspace.path.join("README.md"), "one\nTWO\nthree\n");
        let changes = repository.changes(&workspace).unwrap();
        assert_eq!(file(&changes, "README.md").lines, lines(1, 1));
    }
}

/// Git tells such an edit by the time of the index alone, which must survive a commit
/// and a deletion beside it, also if the look comes a second later.
#[test]
fn an_edit_of_the_same_length_is_seen_beside_commits_and_deletions_however_late_the_look() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let root = &workspace.path;
    write(&root.join("README.md"), "one\nTWO\nthree\n");
    write(&root.join("committed.txt"), "1\n");
    git(root, &["add", "committed.txt"]);
    git(root, &["commit", "-q", "-m", "work"]);
    fs::remove_file(root.join("src/gone.txt")).unwrap();
    let edited = root.join("README.md").metadata().unwrap().modified().unwrap();
    while edited.elapsed().unwrap() < Duration::from_millis(1100) {
        std::thread::sleep(Duration::from_millis(50));
    }
    let changes = repository.changes(&workspace).unwrap();
    assert_eq!(file(&changes, "README.md").lines, lines(1, 1));
    assert_eq!(file(&changes, "src/gone.txt").kind, ChangeKind::Deleted);
}

#[test]
fn a_review_is_the_changes_and_the_patch_of_one_moment() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    write(&workspace.path.join("README.md"), "other\n");
    write(&workspace.path.join("new.txt"), "1\n");
    let (changes, patch) = repository.review(&workspace, 10_000).unwrap();
    assert_eq!(changes.files.len(), 2);
    assert_eq!(changes, repository.changes(&workspace).unwrap());
    assert_eq!(patch, repository.patch(&workspace, 10_000).unwrap());
    assert!(repository.review(&workspace, 10).unwrap().1.truncated);
}

#[test]
fn commits_that_the_agent_took_back_in_its_files_are_shown_as_the_files_are() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    write(&workspace.path.join("README.md"), "changed\n");
    git(&workspace.path, &["commit", "-q", "-a", "-m", "x"]);
    write(&workspace.path.join("README.md"), "one\ntwo\nthree\n");
    let changes = repository.changes(&workspace).unwrap();
    assert_eq!(changes.files, []);
    assert_eq!(changes.commits, 1);
    assert!(changes.uncommitted);
}

#[test]
fn a_committed_file_that_is_ignored_is_still_seen() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    write(&workspace.path.join("forced.log"), "x\n");
    git(&workspace.path, &["add", "-f", "forced.log"]);
    git(&workspace.path, &["commit", "-q", "-m", "x"]);
    let changes = repository.changes(&workspace).unwrap();
    assert_eq!(file(&changes, "forced.log").kind, ChangeKind::Added);
    assert!(!changes.uncommitted);
}

#[test]
fn links_file_types_and_modes_are_compared() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let root = &workspace.path;
    fs::remove_file(root.join("README.md")).unwrap();
    symlink("/nowhere/at/all", root.join("README.md")).unwrap();
    symlink("/etc", root.join("outside")).unwrap();
    fs::set_permissions(root.join("data.bin"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_dir_all(root.join("src")).unwrap();
    write(&root.join("src"), "now a file\n");
    let changes = repository.changes(&workspace).unwrap();
    assert_eq!(file(&changes, "README.md").kind, ChangeKind::TypeChanged);
    assert_eq!(file(&changes, "outside").lines, lines(1, 0));
    assert_eq!(file(&changes, "data.bin").kind, ChangeKind::Modified);
    assert_eq!(file(&changes, "src").kind, ChangeKind::Added);
    assert_eq!(file(&changes, "src/main.txt").kind, ChangeKind::Deleted);
    assert_eq!(changes.files.len(), 6);
}

#[test]
fn a_folder_replaced_by_a_link_to_outside_is_not_followed() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let outside = scene.path("outside");
    write(&outside.join("main.txt"), "secret\n");
    write(&outside.join("other.txt"), "secret\n");
    fs::remove_dir_all(workspace.path.join("src")).unwrap();
    symlink(&outside, workspace.path.join("src")).unwrap();
    let changes = repository.changes(&workspace).unwrap();
    assert_eq!(file(&changes, "src/main.txt").kind, ChangeKind::Deleted);
    assert_eq!(file(&changes, "src").kind, ChangeKind::Added);
    let patch = repository.patch(&workspace, 1 << 20).unwrap();
    assert!(!String::from_utf8_lossy(&patch.text).contains("secret"));
}

#[test]
fn odd_names_are_kept_byte_for_byte() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let names: [&[u8]; 7] =
        [b"new\nline", b"tab\there", b"\xff\xfe", b":(top)magic", b"-rf", b"GIT~1", b"back\\slash"];
    for name in names {
        fs::write(workspace.path.join(OsStr::from_bytes(name)), "x\n").unwrap();
    }
    let changes = repository.changes(&workspace).unwrap();
    let mut expected: Vec<&Path> = names.iter().map(|name| Path::new(OsStr::from_bytes(name))).collect();
    expected.sort();
    let found: Vec<&Path> = changes.files.iter().map(|it| it.path.as_path()).collect();
    assert_eq!(found, expected);
}

#[test]
fn what_no_commit_can_hold_is_named() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let root = &workspace.path;
    fs::remove_file(root.join("README.md")).unwrap();
    fifo(&root.join("README.md"));
    fifo(&root.join("untracked-fifo"));
    let huge = fs::File::create(root.join("huge.img")).unwrap();
    huge.set_len(MAX_FILE_BYTES + 1).unwrap();
    fs::create_dir(root.join("nested")).unwrap();
    git(&root.join("nested"), &["init", "-q"]);
    write(&root.join("nested/work.txt"), "work\n");
    git(&root.join("nested"), &["add", "-A"]);
    git(&root.join("nested"), &["commit", "-q", "-m", "x"]);
    write(&root.join("odd/.GIT/config"), "x\n");
    let changes = repository.changes(&workspace).unwrap();
    let omitted: Vec<(&str, Omission)> =
        changes.omitted.iter().map(|it| (it.path.to_str().unwrap(), it.reason)).collect();
    assert_eq!(
        omitted,
        [
            ("README.md", Omission::SpecialFile),
            ("huge.img", Omission::TooLarge),
            ("nested", Omission::NestedRepository),
            ("odd/.GIT/config", Omission::UnstorableName),
        ]
    );
    assert_eq!(file(&changes, "README.md").kind, ChangeKind::Deleted);
}

fn fifo(path: &Path) {
    let status = std::process::Command::new("mkfifo").arg(path).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_file_replaced_by_a_folder_is_both_changes() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    fs::remove_file(workspace.path.join("README.md")).unwrap();
    write(&workspace.path.join("README.md/inside.txt"), "completely other\n");
    let changes = repository.changes(&workspace).unwrap();
    assert_eq!(file(&changes, "README.md").kind, ChangeKind::Deleted);
    assert_eq!(file(&changes, "README.md/inside.txt").kind, ChangeKind::Added);
}

#[test]
fn an_edit_of_a_file_that_was_committed_in_between_is_seen() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    write(&workspace.path.join("README.md"), "one\n2\nthree\n");
    git(&workspace.path, &["commit", "-q", "-a", "-m", "x"]);
    let committed = repository.changes(&workspace).unwrap();
    assert!(!committed.uncommitted);
    assert_eq!(file(&committed, "README.md").lines, lines(1, 1));
    write(&workspace.path.join("README.md"), "one\n2\n3\n");
    let edited = repository.changes(&workspace).unwrap();
    assert!(edited.uncommitted);
    assert_eq!(file(&edited, "README.md").lines, lines(2, 2));
}

#[test]
fn what_the_host_may_not_read_is_named() {
    // The superuser may read everything.
    if rustix::process::geteuid().is_root() {
        return;
    }
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    write(&workspace.path.join("folder/file"), "x\n");
    write(&workspace.path.join("README.md"), "x\n");
    for path in ["folder", "README.md"] {
        let closed = fs::Permissions::from_mode(0o000);
        fs::set_permissions(workspace.path.join(path), closed).unwrap();
    }
    let changes = repository.changes(&workspace).unwrap();
    let omitted: Vec<_> = changes.omitted.iter().map(|it| (it.path.to_str(), it.reason)).collect();
    assert_eq!(omitted, [(Some("."), Omission::Unreadable), (Some("README.md"), Omission::Unreadable)]);
}

#[test]
fn a_nested_repository_does_not_hide_the_files_around_it() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let src = workspace.path.join("src");
    git(&src, &["init", "-q"]);
    write(&src.join("main.txt"), "changed\n");
    write(&src.join("new.txt"), "new\n");
    let changes = repository.changes(&workspace).unwrap();
    assert_eq!(file(&changes, "src/main.txt").lines, lines(1, 8));
    let seen = changes.files.iter().any(|it| it.path == Path::new("src/new.txt"))
        || changes.omitted.iter().any(|it| it.path == Path::new("src"));
    assert!(seen, "{changes:#?}");
}

#[test]
fn files_in_a_submodule_are_named_as_left_out() {
    let scene = Scene::new();
    let inner = Scene::new();
    let url = inner.checkout.to_str().unwrap();
    scene.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, "sub"]);
    scene.commit_all("submodule");
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    write(&workspace.path.join("sub/work.txt"), "work\n");
    let changes = repository.changes(&workspace).unwrap();
    assert_eq!(changes.omitted.len(), 1, "{changes:#?}");
    assert_eq!(changes.omitted[0].path, Path::new("sub"));
}

#[test]
fn line_ends_follow_the_attributes_of_the_start() {
    let scene = Scene::new();
    scene.write(".gitattributes", "*.bat text eol=crlf\n");
    scene.write("run.bat", "echo\n");
    scene.commit_all("attributes");
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let bat = workspace.path.join("run.bat");
    assert_eq!(fs::read(&bat).unwrap(), b"echo\r\n");
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), "");
    assert_eq!(repository.changes(&workspace).unwrap().files, []);
    fs::write(&bat, "echo\r\nmore\r\n").unwrap();
    let changes = repository.changes(&workspace).unwrap();
    assert_eq!(file(&changes, "run.bat").lines, lines(1, 0));
}

#[test]
fn attributes_the_agent_wrote_hide_nothing_from_the_diff() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    write(&workspace.path.join(".gitattributes"), "* -diff -text binary\n");
    write(&workspace.path.join("README.md"), "one\nbackdoor\nthree\n");
    let changes = repository.changes(&workspace).unwrap();
    assert_eq!(file(&changes, "README.md").lines, lines(1, 1));
    let patch = repository.patch(&workspace, 1 << 20).unwrap();
    assert!(String::from_utf8_lossy(&patch.text).contains("+backdoor"));
}

#[test]
fn a_patch_at_the_limit_is_whole_and_one_byte_less_is_cut() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    write(&workspace.path.join("README.md"), "one\n2\nthree\n");
    write(&workspace.path.join("new.txt"), "new\n");
    let whole = repository.patch(&workspace, 1 << 20).unwrap();
    assert!(!whole.truncated);
    let text = String::from_utf8(whole.text.clone()).unwrap();
    assert!(text.contains("-two\n+2\n") && text.contains("+++ b/new.txt"), "{text}");
    let exact = repository.patch(&workspace, whole.text.len()).unwrap();
    assert_eq!(exact, whole);
    let cut = repository.patch(&workspace, whole.text.len() - 1).unwrap();
    assert!(cut.truncated);
    assert_eq!(cut.text, whole.text[..whole.text.len() - 1]);
}

#[test]
fn a_deleted_branch_is_said_and_the_files_are_still_compared() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    write(&workspace.path.join("new.txt"), "x\n");
    git(&workspace.path, &["checkout", "-q", "--detach"]);
    git(&workspace.path, &["branch", "-D", "-q", "hostler/a"]);
    let changes = repository.changes(&workspace).unwrap();
    assert_eq!(changes.head, None);
    assert_eq!(changes.files.len(), 1);
    scene.git(&["symbolic-ref", "refs/heads/hostler/a", "refs/heads/main"]);
    assert_eq!(repository.changes(&workspace).unwrap().head, None);
}

#[test]
fn preserved_work_survives_removal_of_everything_else() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    write(&workspace.path.join("committed.txt"), "c\n");
    git(&workspace.path, &["add", "-A"]);
    git(&workspace.path, &["commit", "-q", "-m", "x"]);
    write(&workspace.path.join("work.txt"), "work\n");
    let status = git(&workspace.path, &["status", "--porcelain"]);
    let kept = repository.preserve(&workspace).unwrap().unwrap();
    assert_eq!(kept.reference, "refs/hostler/kept/run-a-1");
    assert_eq!(git(&workspace.path, &["status", "--porcelain"]), status);
    assert_eq!(repository.preserve(&workspace).unwrap().unwrap(), kept);

    fs::remove_dir_all(scene.state()).unwrap();
    fs::remove_dir_all(&workspace.path).unwrap();
    let show = |path: &str| scene.git(&["show", &format!("{}:{path}", kept.reference)]);
    assert_eq!(show("work.txt"), "work");
    assert_eq!(show("committed.txt"), "c");
    scene.git(&["fsck", "--strict"]);
}

#[test]
fn nothing_is_preserved_where_nothing_was_done() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    assert_eq!(repository.preserve(&workspace).unwrap(), None);
    assert_eq!(scene.git(&["for-each-ref", "refs/hostler"]), "");
}
