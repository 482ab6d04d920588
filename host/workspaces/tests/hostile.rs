//! An agent that leaves every trap it can think of. Each trap runs the same
//! command, which writes to a canary file; the host must work on in the same
//! repository, see the true changes, and set off none of them.
#![allow(clippy::unwrap_used)]

mod scene;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use hostler_workspaces::{
    Base, Changes, Isolation, Lines, Order, Place, Removal, RemovalProof, Repository, Workspace,
};
use scene::{Scene, command, git, write};

struct Trap {
    script: PathBuf,
    canary: PathBuf,
}

impl Trap {
    fn new(scene: &Scene) -> Self {
        let canary = scene.path("canary");
        let script = scene.path("trap.sh");
        let text = format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", canary.display());
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        Self { script, canary }
    }

    fn is_sprung(&self) -> bool {
        self.canary.exists()
    }

    /// Every setting known to make git run a command.
    fn configuration(&self) -> String {
        let run = self.script.display();
        let hooks = self.script.with_file_name("hooks");
        format!(
            "[core]\n\tfsmonitor = {run}\n\thooksPath = {hooks}\n\tsshCommand = {run}\n\
             \teditor = {run}\n\tpager = {run}\n\taskPass = {run}\n\tgitProxy = {run}\n\
             \talternateRefsCommand = {run}\n\tattributesFile = {attributes}\n\
             [diff]\n\texternal = {run}\n\tignoreSubmodules = none\n\
             [diff \"evil\"]\n\tcommand = {run}\n\ttextconv = {run}\n\tcachetextconv = false\n\
             [filter \"evil\"]\n\tclean = {run}\n\tsmudge = {run}\n\tprocess = {run}\n\trequired = true\n\
             [merge \"evil\"]\n\tdriver = {run}\n\
             [gpg]\n\tprogram = {run}\n[commit]\n\tgpgSign = true\n\
             [credential]\n\thelper = {run}\n\
             [sequence]\n\teditor = {run}\n\
             [interactive]\n\tdiffFilter = {run}\n\
             [uploadpack]\n\tpackObjectsHook = {run}\n\
             [alias]\n\tstatus = !{run}\n\tread-tree = !{run}\n\tdiff-files = !{run}\n\
             [remote \"evil\"]\n\turl = ext::{run}\n\tpromisor = true\n\tuploadpack = {run}\n\
             [submodule]\n\trecurse = true\n\
             [trace2]\n\teventTarget = {trace}\n\
             [index]\n\tsparse = true\n\
             [status]\n\tsubmoduleSummary = true\n",
            hooks = hooks.display(),
            attributes = self.script.with_file_name("attributes").display(),
            trace = self.canary.display(),
        )
    }

    fn plant_hooks(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        for name in [
            "post-checkout",
            "post-index-change",
            "reference-transaction",
            "pre-commit",
            "post-commit",
            "pre-auto-gc",
            "fsmonitor-watchman",
            "pre-push",
            "post-merge",
        ] {
            fs::copy(&self.script, folder.join(name)).unwrap();
        }
    }

    /// A git directory of the agent's own making.
    fn plant_repository(&self, work_tree: &Path) {
        git(work_tree, &["init", "-q"]);
        git(work_tree, &["commit", "-q", "--allow-empty", "-m", "x"]);
        append(&work_tree.join(".git/config"), &self.configuration());
        self.plant_hooks(&work_tree.join(".git/hooks"));
    }
}

fn append(path: &Path, text: &str) {
    let mut content = fs::read_to_string(path).unwrap_or_default();
    content.push_str(text);
    fs::write(path, content).unwrap();
}

fn hostile_scene() -> (Scene, Repository, Workspace, Trap) {
    let scene = Scene::new();
    let inner = Scene::new();
    let url = inner.checkout.to_str().unwrap();
    let add = ["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", url, "sub"];
    scene.git(&add);
    scene.write("filtered.evil", "one\n");
    scene.commit_all("submodule");
    let trap = Trap::new(&scene);
    fs::write(scene.path("attributes"), "* filter=evil diff=evil\n").unwrap();
    trap.plant_hooks(&scene.path("hooks"));
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    (scene, repository, workspace, trap)
}

fn spring_everything(scene: &Scene, workspace: &Workspace, trap: &Trap) {
    let root = &workspace.path;
    // Honest work first, so that there is something to see.
    write(&root.join("committed.txt"), "1\n");
    git(root, &["add", "committed.txt"]);
    git(root, &["commit", "-q", "-m", "work"]);
    write(&root.join("README.md"), "one\n2\nthree\n");
    fs::remove_file(root.join("src/gone.txt")).unwrap();

    write(&root.join(".gitattributes"), "* filter=evil diff=evil merge=evil -diff\n");
    write(&root.join("src/.gitattributes"), "* filter=evil diff=evil -diff\n");
    write(&root.join("filtered.evil"), "two\n");
    symlink("/etc/passwd", root.join("link")).unwrap();
    // Repositories inside: in a new folder, in a tracked one, in the submodule.
    for folder in ["nested", "src", "sub"] {
        fs::create_dir_all(root.join(folder)).unwrap();
        trap.plant_repository(&root.join(folder));
        write(&root.join(folder).join("inside.txt"), "x\n");
    }
    // The shared repository's configuration, hooks and attributes.
    let common = &workspace.common_dir;
    append(&common.join("config"), &trap.configuration());
    append(&common.join("config"), "[extensions]\n\tworktreeConfig = true\n");
    append(&common.join("config.worktree"), &trap.configuration());
    append(&workspace.git_dir.join("config.worktree"), &trap.configuration());
    let elsewhere = format!("[core]\n\tworktree = {}\n", scene.path("elsewhere").display());
    append(&common.join("config"), &elsewhere);
    trap.plant_hooks(&common.join("hooks"));
    write(&common.join("info/attributes"), "* filter=evil diff=evil -diff\n");
    append(&common.join("info/exclude"), "*\n");
    // The worktree record and the pointer to it lead to a repository of the agent's.
    fs::remove_file(root.join(".git")).unwrap();
    trap.plant_repository(root);
    let own = root.join(".git");
    write(&workspace.git_dir.join("commondir"), &format!("{}\n", own.display()));
    write(&workspace.git_dir.join("gitdir"), &format!("{}\n", own.display()));
    fs::write(workspace.git_dir.join("index"), "garbage").unwrap();
}

fn assert_true_changes(changes: &Changes) {
    let of = |path: &str| changes.files.iter().find(|it| it.path == Path::new(path));
    let edit = Some(Lines { added: 1, removed: 1 });
    assert_eq!(of("README.md").unwrap().lines, edit);
    assert_eq!(of("filtered.evil").unwrap().lines, edit);
    for path in ["committed.txt", "src/gone.txt", ".gitattributes", "link"] {
        assert!(of(path).is_some(), "{path} in {changes:#?}");
    }
    let omitted: Vec<&str> = changes.omitted.iter().filter_map(|it| it.path.to_str()).collect();
    assert!(omitted.contains(&"nested") && omitted.contains(&"sub"), "{omitted:?}");
    assert_eq!(changes.commits, 1);
    assert!(changes.uncommitted);
}

#[test]
fn the_traps_are_real_a_plain_git_status_springs_them() {
    let (scene, _repository, workspace, trap) = hostile_scene();
    spring_everything(&scene, &workspace, &trap);
    let _ = command(&workspace.path, &["status"]).output().unwrap();
    assert!(trap.is_sprung());
}

#[test]
fn no_operation_of_the_host_springs_a_trap_and_the_changes_are_true() {
    let (scene, repository, workspace, trap) = hostile_scene();
    spring_everything(&scene, &workspace, &trap);
    fs::create_dir(scene.path("elsewhere")).unwrap();
    let _ = fs::remove_file(&trap.canary);

    assert_true_changes(&repository.changes(&workspace).unwrap());
    let patch = repository.patch(&workspace, 1 << 20).unwrap();
    let text = String::from_utf8_lossy(&patch.text);
    assert!(text.contains("-two\n+2\n") && text.contains("b/committed.txt"), "{text}");
    assert!(!trap.is_sprung(), "by changes or patch");

    let kept = repository.preserve(&workspace).unwrap().unwrap();
    assert!(!trap.is_sprung(), "by preserve");

    // A host that starts now, and the next run in the same repository.
    let fresh = scene.open();
    assert_eq!(fresh.checkout(), scene.checkout);
    assert_eq!(fresh.workspace_root(), repository.workspace_root());
    fresh.condition().unwrap();
    let start = fresh.resolve(&Base::Head).unwrap();
    fresh.branch_name("next", &[]).unwrap();
    let next = fresh
        .prepare(&Order {
            run: "next".to_owned(),
            attempt: 1,
            folder: "next".to_owned(),
            place: Place::default(),
            branch: "next".to_owned(),
            start,
            isolation: Isolation::Worktree,
        })
        .unwrap();
    assert_eq!(fs::read_to_string(next.path.join("filtered.evil")).unwrap(), "one\n");
    assert!(!trap.is_sprung(), "by open or prepare");
    assert_true_changes(&fresh.changes(&workspace).unwrap());

    assert!(matches!(fresh.remove(&workspace, &RemovalProof::NoChanges), Removal::Kept { .. }));
    let into = kept.reference;
    assert!(matches!(fresh.remove(&workspace, &RemovalProof::Merged { into }), Removal::Kept { .. }));
    assert!(matches!(fresh.remove(&workspace, &RemovalProof::OperatorSaid), Removal::Removed { .. }));
    assert!(!trap.is_sprung(), "by remove");
}

#[test]
fn filters_the_repository_itself_asks_for_run_no_command() {
    let scene = Scene::new();
    let trap = Trap::new(&scene);
    scene.write(".gitattributes", "*.txt filter=evil diff=evil\n");
    scene.commit_all("attributes");
    append(&scene.checkout.join(".git/config"), &trap.configuration());
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    write(&workspace.path.join("src/main.txt"), "b\n");
    assert_eq!(repository.changes(&workspace).unwrap().files.len(), 1);
    repository.patch(&workspace, 1000).unwrap();
    assert!(repository.condition().is_ok());
    assert!(!trap.is_sprung());
}

#[test]
fn replaced_objects_and_a_forged_exclude_file_change_nothing() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let root = &workspace.path;
    write(&root.join("README.md"), "one\nbackdoor\nthree\n");
    git(root, &["commit", "-q", "-a", "-m", "x"]);
    write(&root.join("hidden.txt"), "x\n");
    append(&workspace.common_dir.join("info/exclude"), "hidden.txt\n");
    // To any git that honours replacements the work looks like the start.
    let head = git(root, &["rev-parse", "HEAD"]);
    git(root, &["replace", &head, &workspace.order.start.to_string()]);
    let changes = repository.changes(&workspace).unwrap();
    let paths: Vec<&Path> = changes.files.iter().map(|it| it.path.as_path()).collect();
    assert_eq!(paths, [Path::new("README.md"), Path::new("hidden.txt")]);
    assert_eq!(changes.commits, 1);
}

#[test]
fn marks_in_the_agents_index_hide_no_edit() {
    let scene = Scene::new();
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    let root = &workspace.path;
    git(root, &["update-index", "--assume-unchanged", "README.md"]);
    git(root, &["update-index", "--skip-worktree", "data.bin"]);
    write(&root.join("README.md"), "edited\n");
    write(&root.join("data.bin"), "edited\n");
    assert_eq!(git(root, &["status", "--porcelain"]), "");
    assert_eq!(repository.changes(&workspace).unwrap().files.len(), 2);
    assert!(matches!(repository.remove(&workspace, &RemovalProof::NoChanges), Removal::Kept { .. }));
}

#[test]
fn a_program_called_git_in_the_workspace_is_not_run() {
    let scene = Scene::new();
    let trap = Trap::new(&scene);
    let repository = scene.open();
    let workspace = scene::workspace(&repository, "a");
    fs::copy(&trap.script, workspace.path.join("git")).unwrap();
    repository.changes(&workspace).unwrap();
    assert!(!trap.is_sprung());
}
