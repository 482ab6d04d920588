//! What an agent in a sandbox was not to change, exchanged all the same: an agent that is
//! root in a namespace of its own can do it to its own clone. Here the test does it, to
//! the same files, while the agent waits. People are told, and the host runs none of it.

use std::path::{Path, PathBuf};

use hostler_tests::scripted_agent::{Script, Step, transcript};
use hostler_tests::{HostProcess, PATIENCE, wait_until};

use crate::sandbox::possible;
use crate::stage::{LONG, Stage};

/// Says how far it got, and goes on when it is let.
const WAITS: &str = "touch $0-ready; until [ -e $0-go ]; do sleep 0.05; done";

/// Everything that makes git run a program, in the places that an agent was not to change.
fn planted(trap: &Path) -> String {
    let run = trap.display();
    format!(
        "[core]\n\trepositoryformatversion = 0\n\tfsmonitor = {run}\n\thooksPath = .git/hooks\n\tpager = {run}\n\
         \tsshCommand = {run}\n\talternateRefsCommand = {run}\n\teditor = {run}\n\
         [filter \"x\"]\n\tclean = {run}\n\tsmudge = {run}\n\tprocess = {run}\n\trequired = true\n\
         [diff]\n\texternal = {run}\n[diff \"x\"]\n\ttextconv = {run}\n\tcommand = {run}\n\
         [merge \"x\"]\n\tdriver = {run}\n[gpg]\n\tprogram = {run}\n[commit]\n\tgpgSign = true\n\
         [gc]\n\tauto = 1\n[fsck]\n\tskipList = /dev/null\n[uploadpack]\n\tpackObjectsHook = {run}\n\
         [remote \"origin\"]\n\turl = ext::{run}\n\tpromisor = true\n[extensions]\n\tpartialClone = origin\n\
         [credential]\n\thelper = {run}\n[include]\n\tpath = ../more\n"
    )
}

/// A machine with one task whose agent waits, and so does the command that judges it.
struct Scene {
    stage: Stage,
    /// Leaves a line wherever it is run.
    trap: PathBuf,
    canary: PathBuf,
}

impl Scene {
    /// `None` where this machine builds no such sandbox.
    fn new(verify: &str) -> Option<Self> {
        let stage = Stage::allowed().variable("HOSTLER_SANDBOX", "basic");
        if !possible(&stage, "basic") {
            return None;
        }
        let (folder, bin) = (stage.sandbox.folder(), stage.sandbox.bin_folder());
        let (canary, trap) = (folder.join("canary"), bin.join("trap"));
        std::fs::write(&trap, format!("#!/bin/sh\necho \"$0 $*\" >> '{}'\ncat\n", canary.display())).unwrap();
        executable(&trap);
        std::fs::copy(transcript("claude-success"), bin.join("recording.jsonl")).unwrap();
        let wait = ["/bin/sh", "-c", WAITS, "agent"].map(str::to_owned).into();
        let steps = [
            Step::read_stdin(),
            Step::write("hello.txt", "hello\n"),
            Step::write(".gitattributes", "* filter=x diff=x merge=x\n"),
            Step::commit("Write hello.txt"),
            Step::Run { argv: wait },
            Step::transcript(bin.join("recording.jsonl")),
        ];
        let script = Script { log: Some("/tmp/claude.starts.jsonl".into()), ..Script::always(steps) };
        stage.sandbox.install_agent("claude", &script);
        stage.task("hello", &format!("---\nverify: {verify}\n---\nWrite hello.txt\n"));
        Some(Self { stage, trap, canary })
    }

    /// The agent is done, and the command that judges its work waits.
    fn verifying() -> Option<(Self, HostProcess)> {
        let scene = Self::new(&WAITS.replace("$0", "verify"))?;
        let host = scene.stage.start_once(&[]);
        scene.wait_until_ready("agent");
        scene.let_go("agent");
        scene.wait_until_ready("verify");
        Some((scene, host))
    }

    fn workspace(&self) -> PathBuf {
        self.stage.run("hello")["workspace"].as_str().unwrap().into()
    }

    fn wait_until_ready(&self, who: &str) {
        self.stage.wait_for_state("hello", if who == "agent" { "running" } else { "verifying" });
        let ready = self.workspace().join(format!("{who}-ready"));
        wait_until(PATIENCE, &format!("{who} waits"), || std::fs::metadata(&ready).map(drop));
    }

    fn let_go(&self, who: &str) {
        std::fs::write(self.workspace().join(format!("{who}-go")), "").unwrap();
    }

    /// Puts other files where the settings and the hooks of the clone were.
    fn exchange(&self) {
        let git = self.workspace().join(".git");
        std::fs::remove_file(git.join("config")).unwrap();
        std::fs::write(git.join("config"), planted(&self.trap)).unwrap();
        std::fs::remove_dir_all(git.join("hooks")).unwrap();
        std::fs::create_dir(git.join("hooks")).unwrap();
        for hook in ["reference-transaction", "post-index-change", "post-checkout", "pre-auto-gc", "pre-push"]
        {
            std::fs::copy(&self.trap, git.join("hooks").join(hook)).unwrap();
        }
    }

    /// Looks at the run in every way there is; the trap has not been sprung, and would be
    /// by anybody's git.
    fn assert_nothing_was_run(&self) {
        for words in [&["show", "hello", "--diff"][..], &["runs"], &["doctor"], &["gc", "--yes"], &["disk"]] {
            let output = self.stage.sandbox.host(words);
            assert!(matches!(output.code, Some(0 | 1)), "{words:?}: {output:?}");
        }
        assert!(!self.canary.exists(), "{:?}", std::fs::read_to_string(&self.canary));
        self.stage.repository.try_git(&self.workspace(), &["status"]);
        assert!(self.canary.exists(), "this is no trap");
    }
}

fn executable(path: &Path) {
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
}

#[test]
fn what_an_agent_exchanged_is_told_and_never_run_also_by_a_host_that_comes_back() {
    let Some(scene) = Scene::new("test -e hello.txt") else { return };
    let mut host = scene.stage.start_once(&[]);
    scene.wait_until_ready("agent");
    host.kill_9();
    scene.exchange();
    scene.let_go("agent");
    scene.stage.wait_until_nothing_lives();
    let output = scene.stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.stdout.contains("hello: the agent exchanged"), "{output:?}");
    scene.stage.assert_reported_once("hello", "done");
    assert_eq!(scene.stage.on_branch("hello", "hello.txt"), "hello");
    scene.assert_nothing_was_run();
}

#[test]
fn what_the_verify_command_exchanged_is_told_too() {
    let Some((scene, mut host)) = Scene::verifying() else { return };
    scene.exchange();
    scene.let_go("verify");
    assert_eq!(host.wait(LONG).code(), Some(0), "{}", host.stderr());
    assert!(host.stdout().contains("hello: the verify command exchanged"), "{}", host.stdout());
    assert!(!host.stdout().contains("the agent exchanged"), "{}", host.stdout());
    scene.assert_nothing_was_run();
}

#[test]
fn of_a_verify_command_that_outlived_its_host_no_folder_of_its_own_is_left() {
    let Some((scene, mut host)) = Scene::verifying() else { return };
    let folder = |number: u32| scene.stage.attempt_folder("hello", 1).join(format!("verify-{number}"));
    assert!(folder(1).join("private/tmp").exists());
    host.kill_9();
    scene.let_go("verify");
    let output = scene.stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    for number in [1, 2] {
        assert!(folder(number).join("exit.json").exists(), "{number}");
        assert!(!folder(number).join("private").exists(), "{number}");
    }
}
