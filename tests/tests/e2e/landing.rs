//! Finished work: judged by a command, and brought where its task says — also when the
//! command, the remote or the host breaks off in the middle.

mod follow_up;

use std::path::{Path, PathBuf};

use hostler_tests::scripted_agent::{Installed, Script, Step, transcript};
use hostler_tests::{PATIENCE, wait_until};
use standin_forge::{Call, Fault, Forge, Harm, Part};

use crate::stage::{LONG, Stage};

const REPOSITORY: &str = "acme/api";

const TOKEN: &str = "forge-token-of-the-operator";

/// A machine whose checkout has its `origin` on a forge.
struct Scene {
    stage: Stage,
    agent: Installed,
    forge: Forge,
    bare: PathBuf,
}

fn work(files: &[&str]) -> Vec<Step> {
    let mut steps = vec![Step::read_stdin()];
    steps.extend(files.iter().map(|file| Step::write(*file, "done\n")));
    steps.push(Step::transcript(transcript("claude-success")));
    steps
}

impl Scene {
    /// The operator has a token for the forge, and the agent writes `hello.txt`.
    fn new() -> Self {
        Self::with(&Script::always(work(&["hello.txt"])))
    }

    fn with(script: &Script) -> Self {
        let scene = Self::without_token(script);
        let authority = scene.forge.authority();
        scene
            .stage
            .sandbox
            .configure(&format!("[forge.\"{authority}\"]\nkind = \"github\"\ntoken-env = \"FORGE_TOKEN\"\n"));
        Self { stage: scene.stage.variable("FORGE_TOKEN", TOKEN), ..scene }
    }

    fn without_token(script: &Script) -> Self {
        let (stage, agent) = Stage::with_claude(script);
        let root = stage.sandbox.folder().join("forge");
        std::fs::create_dir_all(&root).unwrap();
        let forge = Forge::start(&root, 0).unwrap();
        let bare = forge.create_repository(REPOSITORY).unwrap();
        stage.name_the_operator();
        stage.repository.git(&["remote", "add", "origin", &forge.url(REPOSITORY)]);
        stage.repository.git(&["push", "--quiet", "origin", "main"]);
        Self { stage, agent, forge, bare }
    }

    fn task(&self, fields: &str) {
        self.stage.task("hello", &format!("---\n{fields}\n---\nWrite hello.txt\n"));
    }

    fn run_once(&self, more: &[&str]) {
        let output = self.stage.run_once(more);
        assert_eq!(output.code, Some(0), "{output:?}");
    }

    /// There is one pull request, and the task file names it once.
    fn assert_proposed_once(&self) {
        self.stage.assert_reported_once("hello", "done");
        let requests = self.forge.pull_requests(REPOSITORY);
        assert_eq!(requests.len(), 1, "{requests:?}");
        let link = format!("Pull request: [#1]({}/{REPOSITORY}/pull/1)", self.forge.origin());
        let text = self.stage.task_file("hello").text;
        assert_eq!(text.matches(&link).count(), 1, "{text}");
        assert_eq!(self.at_forge(&requests[0].head, "hello.txt"), "done\n");
    }

    /// Waits until somebody has asked the forge for this.
    fn wait_for_call(&self, asked: impl Fn(&Call) -> bool) {
        wait_until(PATIENCE, "the forge is asked", || {
            let calls = self.forge.calls();
            if calls.iter().any(&asked) { Ok(()) } else { Err(format!("{calls:?}")) }
        });
    }

    /// A file as a branch at the forge has it.
    fn at_forge(&self, branch: &str, file: &str) -> String {
        let shown = self.stage.repository.try_git(&self.bare, &["show", &format!("{branch}:{file}")]);
        String::from_utf8(shown.stdout).unwrap()
    }

    fn assert_worktree_gone_and_branch_kept(&self) {
        let run = self.stage.run("hello");
        assert!(!Path::new(run["workspace"].as_str().unwrap()).exists(), "{run}");
        let branch = run["branch"].as_str().unwrap().to_owned();
        assert!(self.stage.repository.branches().contains(&branch), "{branch} is gone");
    }
}

const PULL_REQUEST: &str = "landing: pull-request";

#[test]
fn work_that_passes_its_test_becomes_a_pull_request_and_its_worktree_goes() {
    let scene = Scene::new();
    scene.task("verify: test -f hello.txt\nlanding: pull-request");
    scene.run_once(&[]);
    scene.assert_proposed_once();
    scene.assert_worktree_gone_and_branch_kept();
    let run = scene.stage.run("hello");
    assert_eq!((&run["verified"]["passed"], &run["landed"]["kind"]), (&true.into(), &"pull-request".into()));
    let shown = scene.stage.sandbox.host(&["show", "hello"]).stdout;
    assert!(shown.contains("The verify command passed.") && shown.contains("/pull/1"), "{shown}");
    let request = &scene.forge.pull_requests(REPOSITORY)[0];
    assert!(request.body.contains("Made by Hostler for the task hello."), "{}", request.body);
}

#[test]
fn work_in_a_clone_becomes_a_pull_request_and_the_clone_goes() {
    let mut steps = work(&["hello.txt"]);
    steps.insert(2, Step::commit("Write hello.txt"));
    steps.insert(3, Step::write("loose.txt", "done\n"));
    let scene = Scene::with(&Script::always(steps));
    let scene = Scene { stage: scene.stage.variable("HOSTLER_ISOLATION", "clone"), ..scene };
    scene.task("verify: test -d .git\nlanding: pull-request");
    scene.run_once(&[]);
    scene.assert_proposed_once();
    scene.assert_worktree_gone_and_branch_kept();
    let request = &scene.forge.pull_requests(REPOSITORY)[0];
    assert_eq!(scene.at_forge(&request.head, "loose.txt"), "done\n");
    assert_eq!(scene.stage.run("hello")["verified"]["passed"], true);
}

#[test]
fn gh_opens_the_pull_request_where_it_is_signed_in() {
    let scene = Scene::without_token(&Script::always(work(&["hello.txt"])));
    let authority = scene.forge.authority();
    scene.stage.sandbox.configure(&format!("[forge.\"{authority}\"]\nkind = \"github\"\n"));
    scene.forge.install_gh(&scene.stage.sandbox.bin_folder()).unwrap();
    scene.task(PULL_REQUEST);
    scene.run_once(&[]);
    scene.assert_proposed_once();
    assert!(scene.forge.calls().iter().all(|call| !call.path.starts_with("/api/")));
}

#[test]
fn a_failed_test_goes_back_to_the_agent_and_what_then_passes_lands() {
    let scene = Scene::with(&Script::new().attempt(work(&["hello.txt"])).attempt(work(&["fixed.txt"])));
    scene.task("verify: echo needs fixed.txt; test -f fixed.txt\nverify-retries: 1\nlanding: pull-request");
    scene.run_once(&[]);
    scene.assert_proposed_once();
    let starts = scene.agent.starts().unwrap();
    assert_eq!(starts.len(), 2);
    assert_eq!(starts[0].cwd, starts[1].cwd, "in the same worktree");
}

#[test]
fn work_that_fails_its_test_lands_nowhere_and_the_report_says_why() {
    let scene = Scene::new();
    scene.task("verify: echo the login is broken; exit 3\nlanding: pull-request");
    let output = scene.stage.run_once(&[]);
    assert_ne!(output.code, Some(0), "{output:?}");
    scene.stage.assert_reported_once("hello", "failed");
    let text = scene.stage.task_file("hello").text;
    assert!(text.contains("verify-failed") && text.contains("    the login is broken\n"), "{text}");
    let shown = scene.stage.sandbox.host(&["show", "hello"]).stdout;
    assert!(shown.contains("exit code 3") && shown.contains("the login is broken"), "{shown}");
    assert!(scene.forge.pull_requests(REPOSITORY).is_empty());
    let run = scene.stage.run("hello");
    assert!(Path::new(run["workspace"].as_str().unwrap()).exists(), "the work is kept");
}

#[test]
fn a_test_that_takes_too_long_is_ended_with_all_that_it_started() {
    let scene = Scene::new();
    scene.task("verify: setsid sleep 300 & sleep 300\nlanding: pull-request");
    let output = scene.stage.run_once(&["--verify-limit", "1s"]);
    assert_ne!(output.code, Some(0), "{output:?}");
    scene.stage.assert_reported_once("hello", "failed");
    let text = scene.stage.task_file("hello").text;
    assert!(text.contains("its limit"), "{text}");
    assert!(scene.forge.pull_requests(REPOSITORY).is_empty());
}

#[test]
fn a_test_that_the_operator_refuses_is_not_run_and_neither_is_the_agent() {
    let scene = Scene::new();
    let trace = scene.stage.sandbox.folder().join("trace");
    scene.task(&format!("verify: touch {}\nlanding: push", trace.display()));
    scene.stage.run_once(&["--verify", "refuse"]);
    scene.stage.assert_reported_once("hello", "failed");
    assert!(!trace.exists() && scene.agent.starts().unwrap_or_default().is_empty());
}

#[test]
fn a_landing_that_the_operator_does_not_allow_leaves_the_work_on_its_branch() {
    let scene = Scene::new();
    scene.task(PULL_REQUEST);
    let before = scene.forge.calls().len();
    scene.run_once(&["--landing", "leave"]);
    scene.stage.assert_reported_once("hello", "done");
    assert_eq!(scene.forge.calls().len(), before, "nobody spoke to the forge");
    assert_eq!(scene.stage.in_worktree("hello", "hello.txt"), "done\n");
    let text = scene.stage.task_file("hello").text;
    assert!(text.contains("`pull-request`, which is not allowed here"), "{text}");
}

/// The first pause of a landing is three seconds.
#[test]
fn a_remote_that_is_away_for_a_moment_gets_the_work_when_it_is_back() {
    let scene = Scene::new();
    scene.task(PULL_REQUEST);
    scene.forge.inject(Fault { part: Part::Refs, harm: Harm::Status(503), times: 1 });
    scene.run_once(&[]);
    scene.assert_proposed_once();
}

fn killed_while_the_forge_hangs(part: Part, harm: Harm, asked: impl Fn(&Call) -> bool) {
    let scene = Scene::new();
    scene.task(PULL_REQUEST);
    scene.forge.inject(Fault { part, harm, times: 1 });
    let mut host = scene.stage.start_once(&[]);
    scene.wait_for_call(asked);
    host.kill_9();
    scene.run_once(&[]);
    scene.assert_proposed_once();
    assert_eq!(scene.agent.starts().unwrap().len(), 1);
}

#[test]
fn a_host_killed_between_push_and_pull_request_opens_one() {
    let reads = |call: &Call| call.method == "GET" && call.path.starts_with("/api/");
    killed_while_the_forge_hangs(Part::Read, Harm::Hang, reads);
}

#[test]
fn a_host_killed_between_pull_request_and_report_opens_no_second_one() {
    let writes = |call: &Call| call.method == "POST" && call.path.starts_with("/api/");
    killed_while_the_forge_hangs(Part::Write, Harm::HangAnswer(0), writes);
}

#[test]
fn a_host_killed_while_the_test_runs_runs_it_again_and_leaves_nothing_of_the_first() {
    let scene = Scene::new();
    let folder = scene.stage.sandbox.folder();
    let (runs, go) = (folder.join("runs.txt"), folder.join("go"));
    let verify = format!("echo run >> {}; test -f {} || sleep 300", runs.display(), go.display());
    scene.task(&format!("verify: {verify}\nlanding: pull-request"));
    let mut host = scene.stage.start_once(&[]);
    wait_until(PATIENCE, "the test runs", || std::fs::read_to_string(&runs).map(drop));
    host.kill_9();
    std::fs::write(&go, "").unwrap();
    scene.run_once(&[]);
    scene.assert_proposed_once();
    assert_eq!(std::fs::read_to_string(&runs).unwrap(), "run\nrun\n");
    assert_eq!(scene.agent.starts().unwrap().len(), 1, "the agent is not asked again");
}

#[test]
fn a_host_that_is_stopped_while_the_forge_is_silent_ends_soon_and_lands_at_the_next_start() {
    let scene = Scene::new();
    scene.task(PULL_REQUEST);
    scene.forge.inject(Fault { part: Part::Refs, harm: Harm::Hang, times: 1 });
    let mut host = scene.stage.start_once(&[]);
    scene.wait_for_call(|call| call.path.ends_with("/info/refs") && call.status.is_none());
    host.terminate();
    host.wait_for_stdout("No new tasks are taken", PATIENCE);
    host.terminate();
    host.wait(LONG);
    scene.run_once(&[]);
    scene.assert_proposed_once();
}

#[test]
fn work_is_merged_into_an_integration_branch_on_this_machine() {
    let scene = Scene::new();
    scene.stage.repository.git(&["branch", "next"]);
    scene.task("landing: merge:next");
    let before = scene.forge.calls().len();
    scene.run_once(&[]);
    scene.stage.assert_reported_once("hello", "done");
    assert_eq!(scene.stage.repository.git(&["show", "next:hello.txt"]), "done");
    assert_eq!(scene.stage.run("hello")["landed"]["kind"], "merged");
    assert_eq!(scene.forge.calls().len(), before);
    scene.assert_worktree_gone_and_branch_kept();
}

#[test]
fn the_token_reaches_the_forge_and_nobody_else() {
    let notes = |name: &str| vec!["/bin/sh".to_owned(), "-c".to_owned(), format!("env > {name}.txt")];
    let mut steps = work(&["hello.txt"]);
    steps.insert(1, Step::Run { argv: notes("agent") });
    let scene = Scene::with(&Script::always(steps));
    scene.task("verify: env > verify.txt\nlanding: pull-request");
    let output = scene.stage.run_once(&["-v"]);
    scene.assert_proposed_once();
    let head = scene.forge.pull_requests(REPOSITORY)[0].head.clone();
    for seen in ["agent.txt", "verify.txt"].map(|file| scene.at_forge(&head, file)) {
        assert!(seen.contains("PATH=") && !seen.contains(TOKEN), "{seen}");
    }
    for call in scene.forge.calls() {
        assert_eq!(call.authorized, call.path.starts_with("/api/"), "{call:?}");
    }
    assert!(!output.stdout.contains(TOKEN) && !output.stderr.contains(TOKEN));
    let settings = scene.stage.sandbox.host(&["config", "show"]).stdout;
    assert!(settings.contains("FORGE_TOKEN") && !settings.contains(TOKEN), "{settings}");
    let state = scene.stage.sandbox.state_folder();
    let found = std::process::Command::new("grep").args(["-rlF", TOKEN]).arg(&state).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&found.stdout), "", "in the state of the host");
}

#[test]
fn an_agent_starts_from_what_is_at_the_remote_now() {
    let scene = Scene::new();
    let colleague = scene.stage.sandbox.folder().join("colleague");
    let (bare, folder) = (scene.bare.to_str().unwrap().to_owned(), colleague.to_str().unwrap());
    let git = |folder: &Path, words: &[&str]| {
        let output = scene.stage.repository.try_git(folder, words);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    git(scene.stage.repository.path(), &["clone", "--quiet", &bare, folder]);
    git(&colleague, &["commit", "--quiet", "--allow-empty", "-m", "By a colleague"]);
    git(&colleague, &["push", "--quiet", "origin", "main"]);
    // The first try finds the remote away.
    scene.forge.inject(Fault { part: Part::Refs, harm: Harm::Status(503), times: 1 });
    scene.task("base: remote\nlanding: pull-request");
    scene.run_once(&[]);
    scene.assert_proposed_once();
    assert_eq!(scene.stage.run("hello")["base"], git(&colleague, &["rev-parse", "HEAD"]));
}
