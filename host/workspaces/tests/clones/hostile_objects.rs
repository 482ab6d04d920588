//! An agent whose objects lie, lead elsewhere, or are bombs. Each attack comes with a
//! control: what plain git makes of it.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use hostler_workspaces::{CollectError, Repository, Workspace};

use crate::scene::{Scene, command, git, write};
use crate::{commit, made};

type Attack = fn(&Stage, &Path);

struct Stage {
    scene: Scene,
    repository: Repository,
    workspace: Workspace,
}

impl Stage {
    fn new() -> Self {
        let scene = Scene::new();
        let repository = scene.open();
        let workspace = made(&repository, "a");
        Self { scene, repository, workspace }
    }

    fn objects(&self) -> PathBuf {
        self.workspace.git_dir.join("objects")
    }

    fn file_of(&self, id: &str) -> PathBuf {
        self.objects().join(&id[..2]).join(&id[2..])
    }

    fn git(&self, arguments: &[&str]) -> String {
        git(&self.workspace.path, arguments)
    }

    /// Git with input, as an agent runs it.
    fn feed(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut git = command(&self.workspace.path, arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        git.stdin.take().unwrap().write_all(input).unwrap();
        let output = git.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments:?}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// A commit of a tree with these entries, without any check, on the run's branch.
    fn commit_tree(&self, entries: &[u8]) -> String {
        let tree = self.feed(&["hash-object", "-w", "-t", "tree", "--stdin", "--literally"], entries);
        self.commit_of(&tree)
    }

    fn commit_of(&self, tree: &str) -> String {
        let id = self.git(&["commit-tree", tree, "-p", "HEAD", "-m", "x"]);
        self.git(&["update-ref", "HEAD", &id]);
        id
    }

    /// Nothing of the attack is in the repository; gives back why not.
    fn assert_refused(&self, attack: &str, objects: &[&str]) -> String {
        let refs = self.scene.git(&["for-each-ref"]);
        let error = self.repository.collect(&self.workspace).expect_err(attack);
        assert!(!matches!(error, CollectError::Workspace(_)), "{attack}: {error}");
        assert_eq!(self.scene.git(&["for-each-ref"]), refs, "{attack}");
        for id in objects {
            let there = command(&self.scene.checkout, &["cat-file", "-e", id]).output().unwrap();
            assert!(!there.status.success(), "{attack}: {id} is in the repository");
        }
        let left = fs::read_dir(self.scene.checkout.join(".git/objects")).unwrap().flatten();
        assert!(left.into_iter().all(|it| !it.file_name().to_string_lossy().starts_with("tmp_")), "{attack}");
        error.to_string()
    }

    /// The control: plain git brings it over.
    fn assert_plain_git_takes(&self, attack: &str, object: &str) {
        let copy = self.scene.path("copy");
        if !copy.exists() {
            let (from, to) = (self.scene.checkout.to_str().unwrap(), copy.to_str().unwrap());
            self.scene.git(&["clone", "-q", "--bare", from, to]);
        }
        let path = self.workspace.path.to_str().unwrap();
        let fetched = command(&copy, &["fetch", "-q", path, "HEAD"]).output().unwrap();
        assert!(fetched.status.success(), "{attack}: {}", String::from_utf8_lossy(&fetched.stderr));
        git(&copy, &["cat-file", "-e", object]);
    }
}

fn tree_entry(mode: &str, name: &[u8], id: &str) -> Vec<u8> {
    let digits = id.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    let id = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap());
    [mode.as_bytes(), b" ", name, b"\0"].concat().into_iter().chain(id).collect()
}

/// A loose object file of this content, with whatever header.
fn loose(header: &str, content: &[u8]) -> Vec<u8> {
    let data = [header.as_bytes(), b"\0", content].concat();
    let (mut a, mut b) = (1_u32, 0_u32);
    for byte in &data {
        a = (a + u32::from(*byte)) % 65521;
        b = (b + a) % 65521;
    }
    let length = u16::try_from(data.len()).unwrap();
    let mut file = vec![0x78, 0x01, 0x01];
    file.extend(length.to_le_bytes());
    file.extend((!length).to_le_bytes());
    file.extend(&data);
    file.extend((b << 16 | a).to_be_bytes());
    file
}

fn replace(path: &Path, content: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let _ = fs::remove_file(path);
    fs::write(path, content).unwrap();
}

/// Another repository on this machine, with something that is nobody's business.
fn secret() -> (Scene, String, String) {
    let other = Scene::new();
    other.write("secret.txt", "the key\n");
    other.commit_all("secret");
    let (tree, blob) =
        (other.git(&["rev-parse", "HEAD^{tree}"]), other.git(&["rev-parse", "HEAD:secret.txt"]));
    (other, tree, blob)
}

#[test]
fn objects_of_other_folders_are_not_brought_over_by_alternates() {
    let (other, tree, blob) = secret();
    for file in ["alternates", "http-alternates"] {
        let stage = Stage::new();
        let alternates = stage.objects().join("info/alternates");
        let own = fs::read_to_string(&alternates).unwrap();
        let both = format!("{own}{}\n", other.checkout.join(".git/objects").display());
        fs::write(&alternates, &both).unwrap();
        let commit = stage.commit_of(&tree);
        stage.assert_plain_git_takes(file, &blob);
        if file != "alternates" {
            fs::rename(&alternates, stage.objects().join("info").join(file)).unwrap();
        }
        stage.assert_refused(file, &[&commit, &tree, &blob]);
    }
}

#[test]
fn objects_behind_links_are_not_brought_over() {
    let (other, tree, blob) = secret();
    other.git(&["gc", "-q"]);
    let theirs = other.checkout.join(".git/objects");
    let attacks: [(&str, Attack); 3] = [
        ("the folder of packs", |stage, theirs| {
            fs::remove_dir_all(stage.objects().join("pack")).unwrap();
            symlink(theirs.join("pack"), stage.objects().join("pack")).unwrap();
        }),
        ("each pack", |stage, theirs| {
            for file in fs::read_dir(theirs.join("pack")).unwrap().flatten() {
                symlink(file.path(), stage.objects().join("pack").join(file.file_name())).unwrap();
            }
        }),
        ("all objects", |stage, theirs| {
            fs::rename(stage.objects(), stage.scene.path("own")).unwrap();
            symlink(theirs, stage.objects()).unwrap();
        }),
    ];
    for (name, attack) in attacks {
        let stage = Stage::new();
        attack(&stage, &theirs);
        if name == "all objects" {
            stage.git(&["cat-file", "-e", &blob]);
            fs::write(stage.workspace.git_dir.join("HEAD"), other.git(&["rev-parse", "HEAD"])).unwrap();
        } else {
            stage.commit_of(&tree);
            stage.assert_plain_git_takes(name, &blob);
        }
        let why = stage.assert_refused(name, &[&tree, &blob]);
        assert!(why.contains("is not a"), "{name}: {why}");
    }
}

#[test]
fn one_object_behind_a_link_is_not_brought_over() {
    let (other, _, blob) = secret();
    let stage = Stage::new();
    let source = other.checkout.join(".git/objects").join(&blob[..2]).join(&blob[2..]);
    fs::create_dir_all(stage.file_of(&blob).parent().unwrap()).unwrap();
    symlink(source, stage.file_of(&blob)).unwrap();
    stage.commit_tree(&tree_entry("100644", b"mine.txt", &blob));
    stage.assert_plain_git_takes("a linked object", &blob);
    let why = stage.assert_refused("a linked object", &[&blob]);
    assert!(why.contains("is not a regular file"), "{why}");
}

#[test]
fn objects_that_the_agent_deleted_are_missed_and_the_repository_loses_nothing() {
    let stage = Stage::new();
    stage.scene.git(&["repack", "-q", "-a", "-d"]);
    let own = commit(&stage.workspace, "work.txt");
    let blob = stage.git(&["rev-parse", "HEAD:work.txt"]);
    fs::remove_file(stage.file_of(&blob)).unwrap();
    let why = stage.assert_refused("a missing object", &[&own]);
    assert!(why.contains("strict check refused them"), "{why}");
    for folder in fs::read_dir(stage.objects()).unwrap().flatten() {
        fs::remove_dir_all(folder.path()).unwrap();
    }
    stage.assert_refused("no objects at all", &[&own]);
    stage.scene.git(&["fsck", "--strict", "--full"]);
}

#[test]
fn an_object_that_is_not_what_its_name_says_is_refused() {
    for kind in ["HEAD:work.txt", "HEAD^{tree}", "HEAD"] {
        let stage = Stage::new();
        let own = commit(&stage.workspace, "work.txt");
        let id = stage.git(&["rev-parse", kind]);
        replace(&stage.file_of(&id), &loose("blob 4", b"lies"));
        if kind == "HEAD:work.txt" {
            assert_eq!(stage.git(&["cat-file", "blob", &id]), "lies", "the control: plain git believes it");
        }
        stage.assert_refused(kind, &[&own]);
        replace(&stage.file_of(&id), b"garbage");
        stage.assert_refused(kind, &[&own]);
    }
}

#[test]
fn an_object_of_the_repository_cannot_be_given_another_content() {
    let stage = Stage::new();
    let readme = stage.git(&["rev-parse", "HEAD:README.md"]);
    let content = stage.scene.git(&["cat-file", "blob", &readme]);
    replace(&stage.file_of(&readme), &loose("blob 4", b"lies"));
    let own = commit(&stage.workspace, "work.txt");
    let collected = stage.repository.collect(&stage.workspace).unwrap();
    assert_eq!(collected.head.unwrap().to_string(), own);
    assert_eq!(stage.scene.git(&["cat-file", "blob", &readme]), content);
    stage.scene.git(&["fsck", "--strict", "--full"]);
}

#[test]
fn a_bomb_is_refused_before_it_is_unpacked() {
    let stage = Stage::new();
    let bomb = "1111111111111111111111111111111111111111";
    replace(&stage.file_of(bomb), &loose("blob 99999999999", b"x"));
    let own = stage.commit_tree(&tree_entry("100644", b"bomb", bomb));
    let size = stage.git(&["cat-file", "-s", bomb]);
    assert_eq!(size, "99999999999", "the control: plain git believes the size");
    let why = stage.assert_refused("a bomb", &[&own]);
    assert!(why.contains("more than 536870912 bytes in one object"), "{why}");
    // A tree must be read to know what it needs; git does not get the memory for it.
    let tree = "2222222222222222222222222222222222222222";
    replace(&stage.file_of(tree), &loose("tree 99999999999", b"x"));
    stage.git(&["update-ref", "HEAD", "HEAD~1"]);
    let commit = stage.feed(
        &["hash-object", "-w", "-t", "commit", "--stdin", "--literally"],
        format!("tree {tree}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n").as_bytes(),
    );
    stage.git(&["update-ref", "--no-deref", "HEAD", &commit]);
    let why = stage.assert_refused("a bomb of a tree", &[&commit]);
    assert!(why.contains("over limit"), "{why}");
}

#[test]
fn a_few_trees_that_stand_for_billions_of_files_are_refused() {
    let stage = Stage::new();
    let mut tree = stage.git(&["rev-parse", "HEAD^{tree}"]);
    for _ in 0..9 {
        let entries = (0..10).flat_map(|name| tree_entry("40000", name.to_string().as_bytes(), &tree));
        let entries: Vec<u8> = entries.collect();
        tree = stage.feed(&["hash-object", "-w", "-t", "tree", "--stdin"], &entries);
    }
    let own = stage.commit_of(&tree);
    stage.assert_plain_git_takes("a bomb of trees", &own);
    let why = stage.assert_refused("a bomb of trees", &[&own, &tree]);
    assert!(why.contains("more than 1000000 files in one commit"), "{why}");
}

#[test]
fn a_head_that_is_no_commit_is_refused() {
    let stage = Stage::new();
    for kind in ["hostler/a^{tree}", "hostler/a:README.md"] {
        let id = stage.git(&["rev-parse", kind]);
        fs::write(stage.workspace.git_dir.join("HEAD"), &id).unwrap();
        assert_eq!(stage.git(&["rev-parse", "HEAD"]), id, "the control: plain git has it as HEAD");
        let why = stage.assert_refused(kind, &[]);
        assert!(why.contains("`HEAD`"), "{why}");
    }
}

#[test]
fn names_that_would_become_a_git_directory_are_refused() {
    let stage = Stage::new();
    let start = stage.git(&["rev-parse", "HEAD"]);
    let blob = stage.feed(&["hash-object", "-w", "--stdin"], b"[core]\n\tfsmonitor = touch x\n");
    let config = tree_entry("100644", b"config", &blob);
    let folder = stage.feed(&["hash-object", "-w", "-t", "tree", "--stdin"], &config);
    let names: [&[u8]; 8] =
        [b".git", b".GIT", b"git~1", b".git ", b".git::$INDEX_ALLOCATION", b".g\xe2\x80\x8cit", b"..", b"."];
    for name in names {
        let label = String::from_utf8_lossy(name).into_owned();
        for entry in [tree_entry("40000", name, &folder), tree_entry("120000", name, &blob)] {
            let own = stage.commit_tree(&entry);
            stage.assert_plain_git_takes(&label, &own);
            let why = stage.assert_refused(&label, &[&own]);
            stage.git(&["update-ref", "HEAD", &start]);
            assert!(
                why.contains("contains '.'") || why.contains("'.git'") || why.contains("'..'"),
                "{label}: {why}"
            );
        }
    }
}

#[test]
fn submodule_settings_that_run_something_are_refused() {
    for (content, why) in [
        (&b"[submodule \"x\"]\n\tpath = x\n\turl = -u./payload\n"[..], "gitmodulesUrl"),
        (b"[submodule \"../../x\"]\n\tpath = x\n\turl = https://example.org\n", "gitmodulesName"),
        (b"[submodule \"x\"]\n\tpath = -x\n\turl = https://example.org\n", "gitmodulesPath"),
        (
            b"[submodule \"x\"]\n\tpath = x\n\tupdate = !touch x\n\turl = https://example.org\n",
            "gitmodulesUpdate",
        ),
    ] {
        let stage = Stage::new();
        let blob = stage.feed(&["hash-object", "-w", "--stdin"], content);
        let own = stage.commit_tree(&tree_entry("100644", b".gitmodules", &blob));
        stage.assert_plain_git_takes(why, &blob);
        let said = stage.assert_refused(why, &[&own, &blob]);
        assert!(said.contains(why), "{why}: {said}");
    }
    let stage = Stage::new();
    let blob = stage.feed(&["hash-object", "-w", "--stdin"], b"../outside");
    let own = stage.commit_tree(&tree_entry("120000", b".gitmodules", &blob));
    let said = stage.assert_refused("a link", &[&own]);
    assert!(said.contains("gitmodulesSymlink"), "{said}");
}

#[test]
fn history_that_the_agent_cut_off_or_replaced_is_seen_as_it_is() {
    let stage = Stage::new();
    let gone = "3333333333333333333333333333333333333333";
    let tree = stage.git(&["rev-parse", "HEAD^{tree}"]);
    let commit = stage.feed(
        &["hash-object", "-w", "-t", "commit", "--stdin", "--literally"],
        format!("tree {tree}\nparent {gone}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n")
            .as_bytes(),
    );
    write(&stage.workspace.git_dir.join("shallow"), &format!("{commit}\n"));
    stage.git(&["update-ref", "HEAD", &commit]);
    assert_eq!(stage.git(&["rev-list", "--count", "HEAD"]), "1", "the control: plain git sees no parent");
    stage.assert_refused("a cut history", &[&commit]);

    let stage = Stage::new();
    let own = crate::commit(&stage.workspace, "work.txt");
    let other = crate::commit(&stage.workspace, "other.txt");
    stage.git(&["replace", &own, &other]);
    stage.git(&["update-ref", "HEAD", &own]);
    let collected = stage.repository.collect(&stage.workspace).unwrap();
    assert_eq!(collected.head.unwrap().to_string(), own);
    assert!(!stage.scene.git(&["for-each-ref"]).contains("refs/replace"));
}

#[test]
fn a_worktree_must_write_to_the_users_repository_and_a_clone_must_not() {
    let scene = Scene::new();
    let repository = scene.open();
    let objects = || scene.git(&["count-objects"]);
    let (clone, worktree) = (made(&repository, "a"), crate::scene::workspace(&repository, "b"));
    let before = objects();
    commit(&clone, "work.txt");
    assert_eq!(objects(), before);
    commit(&worktree, "other.txt");
    assert_ne!(objects(), before, "the control");
}
