//! An agent that plants every setting known to run a command, and then has its
//! work fetched for, committed, pushed, proposed and merged.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use hostler_workspaces::{LandedKind, Landing, Workspace};

use crate::scene::{command, git, write};
use crate::stage::Stage;

const HOOKS: &[&str] = &[
    "pre-commit",
    "commit-msg",
    "prepare-commit-msg",
    "post-commit",
    "pre-push",
    "pre-merge-commit",
    "post-merge",
    "post-checkout",
    "post-index-change",
    "reference-transaction",
    "pre-auto-gc",
    "fsmonitor-watchman",
];

struct Trap {
    script: PathBuf,
    canary: PathBuf,
}

impl Trap {
    fn new(stage: &Stage) -> Self {
        let (script, canary) = (stage.scene.path("trap.sh"), stage.scene.path("canary"));
        write(&script, &format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", canary.display()));
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        Self { script, canary }
    }

    fn configuration(&self) -> String {
        let run = self.script.display();
        format!(
            "[core]\n\tfsmonitor = {run}\n\tsshCommand = {run}\n\taskPass = {run}\n\tgitProxy = {run}\n\
             \talternateRefsCommand = {run}\n\teditor = {run}\n\
             [credential]\n\thelper = {run}\n\
             [filter \"evil\"]\n\tclean = {run}\n\tsmudge = {run}\n\tprocess = {run}\n\trequired = true\n\
             [merge \"evil\"]\n\tdriver = {run} %A\n\
             [diff \"evil\"]\n\tcommand = {run}\n\ttextconv = {run}\n\
             [gpg]\n\tprogram = {run}\n[commit]\n\tgpgSign = true\n[push]\n\tgpgSign = if-asked\n\
             [remote \"origin\"]\n\tuploadpack = {run}\n\treceivepack = {run}\n\n\
             [uploadpack]\n\tpackObjectsHook = {run}\n\
             [submodule]\n\trecurse = true\n[push]\n\trecurseSubmodules = on-demand\n\
             [alias]\n\tpush = !{run}\n\tfetch = !{run}\n\tmerge-tree = !{run}\n\tls-remote = !{run}\n"
        )
    }

    fn plant_hooks(&self, folder: &Path) {
        fs::create_dir_all(folder).unwrap();
        for name in HOOKS {
            fs::copy(&self.script, folder.join(name)).unwrap();
        }
    }

    fn plant(&self, workspace: &Workspace) {
        let root = &workspace.path;
        write(&root.join(".gitattributes"), "* filter=evil diff=evil merge=evil\n");
        write(
            &root.join(".gitmodules"),
            "[submodule \"s\"]\n\tpath = s\n\turl = ext::sh -c id\n\tupdate = !id\n",
        );
        git(root, &["add", "-A"]);
        git(root, &["commit", "-q", "-m", "attributes"]);
        write(&root.join("README.md"), "one\nours\nthree\n");
        let common = &workspace.common_dir;
        for config in [common.join("config"), workspace.git_dir.join("config.worktree")] {
            let mut text = fs::read_to_string(&config).unwrap_or_default();
            text.push_str(&self.configuration());
            fs::write(&config, text).unwrap();
        }
        self.plant_hooks(&common.join("hooks"));
        write(&common.join("info/attributes"), "* filter=evil diff=evil merge=evil\n");
    }
}

#[test]
fn nothing_an_agent_planted_runs_while_its_work_lands_everywhere() {
    let stage = Stage::new();
    let trap = Trap::new(&stage);
    stage.forge.install_gh(&stage.scene.path("bin")).unwrap();
    stage.scene.git(&["branch", "integration"]);
    let (repository, workspace) = stage.worked("a");
    stage.commit_at_forge("main", "new.txt", "new\n");
    trap.plant(&workspace);
    assert!(!trap.canary.exists(), "the trap was sprung while it was laid");

    repository.fetch(&stage.fetch()).unwrap();
    assert!(!trap.canary.exists(), "by fetch");
    let landed =
        repository.land(&workspace, &crate::stage::pull_request("B"), "T", &stage.means(None)).unwrap();
    assert_eq!(landed.kind, LandedKind::PullRequest);
    assert!(!trap.canary.exists(), "by commit, push or pull request");
    let integration = Landing::Merge { into: "integration".to_owned() };
    repository.land(&workspace, &integration, "T", &stage.means(None)).unwrap();
    assert!(!trap.canary.exists(), "by merge");
    // A conflict would ask the merge driver.
    let other = repository
        .prepare(&hostler_workspaces::Order {
            folder: "b".into(),
            branch: "b".into(),
            ..workspace.order.clone()
        })
        .unwrap();
    write(&other.path.join("README.md"), "one\nothers\nthree\n");
    assert!(repository.land(&other, &integration, "T", &stage.means(None)).is_err());
    assert!(!trap.canary.exists(), "by a conflict");

    for plain in [&["status"][..], &["push", "origin", "HEAD"], &["merge", "integration"]] {
        let _ = fs::remove_file(&trap.canary);
        let _ = command(&workspace.path, plain).output().unwrap();
        assert!(trap.canary.exists(), "a plain git {plain:?} sprang no trap");
    }
}
