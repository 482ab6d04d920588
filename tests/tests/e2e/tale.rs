//! The place of a Tale daemon, taken: runs of a board come in, and their results go
//! back to it, whatever becomes of the server, the key, the network and the host.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hostler_tests::scripted_agent::{Installed, Script, Step, imitations, transcript};
use hostler_tests::{HostProcess, PATIENCE, wait_until};
use standin_tale::board::{
    Agent, Author, Cancelled, Comment, NewTask, PermissionMode, Run, RunId, TaskId, TaskStatus,
};
use standin_tale::{Answered, Endpoint, Fault, Options, RecordedRequest, Standin};

use crate::secrets::files_with;
use crate::stage::{LONG, Stage, assert_no_overlap, assert_one_sentence, overlap_alarm, plugin};

/// What the board calls the first task of a stand-in.
const KEY: &str = "APP-1";

/// The session that the recorded transcript of a success tells.
const SESSION: &str = "bcec5d52-241e-4933-aa0b-d053c0b12faf";

/// How long the first sign of life of a run is held, so that what happens on the board
/// meanwhile is in its answer. The next one is 15 s away.
const HELD: Duration = Duration::from_secs(2);

/// A machine that was set up for a server, and a task of its board.
struct Scene {
    stage: Stage,
    agent: Installed,
    server: Standin,
    task: TaskId,
    run: RunId,
}

impl Scene {
    /// The usual agent of the board may edit, and so may the machine's.
    fn playing(script: &Script) -> Self {
        Self::new(script, Agent::bound("coder", "claude_code").permission(PermissionMode::AutoEdits))
    }

    /// The task is assigned to an agent of the board, which makes it wait for a host.
    fn new(script: &Script, coder: Agent) -> Self {
        let stage = Stage::bare();
        let plugins = stage.sandbox.folder().join("data/hostler/plugins");
        std::os::unix::fs::symlink(plugin("tale"), plugins.join("tale.wasm")).unwrap();
        let agent = stage.sandbox.install_agent("claude", script);
        let server = Standin::start(Options::default()).unwrap();
        server.put_agent(coder);
        let task = server.create_task(NewTask::titled("Write hello.txt").described("With a greeting."));
        let run = server.assign(&task, "coder").unwrap();
        let repository = stage.repository.path().to_str().unwrap();
        #[rustfmt::skip]
        let output = stage.sandbox.host(&[
            "setup", "tale", "--yes", "--url", &server.url(), "--key", server.key(),
            "--workspace", repository, "--ceiling", "auto_edits",
        ]);
        assert_eq!(output.code, Some(0), "{output:?}");
        Self { stage, agent, server, task, run }
    }

    fn start(&self) -> HostProcess {
        self.stage.sandbox.spawn_host(&["run", "--plugin", "tale"])
    }

    /// Waits until the board shows the run in a state.
    fn wait_for(&self, run: &RunId, state: &str, host: &HostProcess) -> Run {
        wait_until(PATIENCE, &format!("the board's run is {state}"), || match self.server.run(run) {
            Some(found) if found.state.name() == state => Ok(found),
            other => Err(format!("{other:?}\n{}\n{}", host.stdout(), host.stderr())),
        })
    }

    /// Every request to an endpoint so far.
    fn sent(&self, endpoint: Endpoint) -> Vec<RecordedRequest> {
        self.server.requests().into_iter().filter(|request| request.endpoint == Some(endpoint)).collect()
    }

    /// Lets the host end, and looks at all that is to be true in the end.
    fn drain(&self, mut host: HostProcess) {
        host.terminate();
        assert_eq!(host.wait(LONG).code(), Some(0), "{}", host.stderr());
        self.stage.wait_until_nothing_lives();
        self.server.assert_every_task_ended_exactly_once();
        self.assert_nothing_leaked();
    }

    /// No path of this machine was sent, and the key in no other place than its own.
    /// The stand-in masks keys in what it records.
    fn assert_nothing_leaked(&self) {
        let here = self.stage.sandbox.folder().to_str().unwrap().to_owned();
        for mut request in self.server.requests() {
            assert_eq!(request.headers.remove("authorization").as_deref(), Some("Bearer ***"));
            let sent = format!("{} {:?} {}", request.path, request.headers, request.body);
            assert!(!sent.contains(&here) && !sent.contains("***"), "{sent}");
        }
    }

    /// The comments that tell the end of a run.
    fn ends(&self) -> Vec<Comment> {
        let comments = self.server.task(&self.task).unwrap().comments;
        comments.into_iter().filter(|comment| comment.run.is_some()).collect()
    }

    fn task_status(&self) -> TaskStatus {
        self.server.task(&self.task).unwrap().status
    }
}

/// Works, tells the test, and finishes when the test lets it.
fn works_until_let_go() -> Script {
    Script::always([
        Step::read_stdin(),
        Step::write("hello.txt", "hello\n"),
        Step::commit("Write hello.txt"),
        Step::mark("working"),
        Step::wait_for("go"),
        Step::transcript(transcript("claude-success")),
    ])
}

#[test]
fn a_task_of_the_board_is_done_and_comes_back_in_review_with_all_it_cost() {
    let scene = Scene::playing(&imitations::does_its_task());
    let main = scene.stage.repository.revision("main");
    let host = scene.start();
    let run = scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);

    assert_eq!(scene.task_status(), TaskStatus::InReview);
    assert_eq!(run.attempts, 1);
    assert_eq!(run.summary.as_deref(), Some("All done: wrote hello.txt."));
    assert_eq!(run.session_ref.as_deref(), Some(SESSION));
    assert_eq!((run.usage.output_tokens, run.usage.cost_cents), (80, 1));
    assert!(run.usage.input_tokens >= 2400, "{:?}", run.usage);

    let branch = scene.stage.run(KEY)["branch"].as_str().unwrap().to_owned();
    assert!(branch.starts_with("tale/run-"), "{branch}");
    let [comment] = &scene.ends()[..] else { panic!("not one comment: {:?}", scene.ends()) };
    assert_eq!(comment.author, Author::Agent("coder".to_owned()));
    for part in ["All done: wrote hello.txt.", "hello.txt", "1 file changed", &branch] {
        assert!(comment.body.contains(part), "no {part:?} in {}", comment.body);
    }

    assert_eq!(scene.stage.on_branch(KEY, "hello.txt"), "hello");
    assert_eq!(scene.stage.repository.revision("main"), main, "nobody moved main");
    assert_eq!(scene.stage.repository.git(&["status", "--porcelain"]).trim(), "");
    let prompt = scene.agent.wait_for_start(1).stdin.unwrap();
    assert!(prompt.contains("[APP-1] Write hello.txt") && prompt.contains("With a greeting."), "{prompt}");
    let registered = &scene.sent(Endpoint::Register)[0].body;
    assert_eq!(registered["workspaceKeys"], serde_json::json!(["app"]), "{registered}");
    let adapter = &registered["adapters"][0];
    assert_eq!(adapter["adapterType"], "claude_code", "{registered}");
    assert!(adapter["version"].as_str().unwrap().contains("2.1.328"), "{registered}");
    let told: Vec<_> = scene.sent(Endpoint::Events).iter().map(|event| event.body["type"].clone()).collect();
    assert_eq!(told.iter().filter(|kind| **kind == "started").count(), 1, "{told:?}");
}

#[test]
fn the_environment_of_a_boards_agent_reaches_the_agent_and_no_file() {
    let coder = Agent::bound("coder", "claude_code")
        .permission(PermissionMode::AutoEdits)
        .variable("DEPLOY_TOKEN", "hidden-of-deploy-4711");
    let scene = Scene::new(&works_until_let_go(), coder);
    let host = scene.start();
    scene.agent.wait_for_mark("working");
    let started = scene.agent.wait_for_start(1);
    assert_eq!(started.env.get("DEPLOY_TOKEN").map(String::as_str), Some("hidden-of-deploy-4711"));
    assert!(!started.env.values().any(|value| value.contains(scene.server.key())), "the key stays outside");
    let kept = || files_with(&scene.stage.sandbox.state_folder(), "hidden-of-deploy-4711");
    assert_eq!(kept(), [""; 0], "while it runs");
    scene.agent.let_go("go").unwrap();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    assert_eq!(kept(), [""; 0], "afterwards");
}

#[test]
fn a_failed_run_comes_back_once_to_a_clean_worktree_and_then_is_over() {
    let scene = Scene::playing(&Script::always([
        Step::write("left.txt", "left\n"),
        Step::line("It broke down."),
        Step::exit(3),
    ]));
    let host = scene.start();
    let run = scene.wait_for(&scene.run, "failed", &host);
    scene.drain(host);

    assert_eq!((run.attempts, scene.task_status()), (2, TaskStatus::Todo));
    let failures: Vec<_> = scene.sent(Endpoint::Fail).into_iter().map(|request| request.body).collect();
    assert_eq!(failures.len(), 2, "{failures:?}");
    for failure in &failures {
        assert_eq!(failure["retryable"], true, "{failure}");
        let error = failure["error"].as_str().unwrap();
        assert!(error.contains('3') && error.contains("It broke down."), "{error}");
    }
    assert_eq!(scene.ends().len(), 1, "only the second failure ends it");

    let starts = scene.agent.starts().unwrap();
    let folders: BTreeSet<_> = starts.iter().map(|start| &start.cwd).collect();
    assert_eq!((starts.len(), folders.len()), (2, 2), "a folder for each: {starts:?}");
    assert!(folders.iter().all(|folder| *folder != scene.stage.repository.path()), "{folders:?}");
    assert!(scene.stage.repository.read("left.txt").is_none(), "nothing is left in the checkout");
    let branches = scene.stage.repository.git(&["branch", "--list", "tale/run-*"]);
    assert_eq!(branches.lines().count(), 2, "a branch for each: {branches}");
}

#[test]
fn a_run_cancelled_on_the_board_ends_its_agent_and_does_not_come_back() {
    let scene = Scene::playing(&Script::always([Step::mark("working"), Step::hang()]));
    scene.server.fault(Fault::slow(HELD).on(Endpoint::Events).once());
    let host = scene.start();
    scene.agent.wait_for_mark("working");
    assert_eq!(scene.server.cancel(&scene.run), Cancelled::Requested);
    scene.wait_for(&scene.run, "failed", &host);
    scene.drain(host);

    let failures = scene.sent(Endpoint::Fail);
    let [failure] = &failures[..] else { panic!("not one failure: {failures:?}") };
    assert_eq!(failure.body["retryable"], false, "{failure:?}");
    assert_eq!(failure.body["error"], "cancelled by server request");
    let starts = scene.agent.starts().unwrap();
    assert_eq!((starts.len(), &starts[0].ended), (1, &None), "it was ended in the middle");
}

/// What the agent is started with where the board allows this much and the machine
/// edits only.
fn arguments_where_the_board_allows(mode: PermissionMode) -> Vec<String> {
    let coder = Agent::bound("coder", "claude_code").permission(mode);
    let scene = Scene::new(&imitations::does_its_task(), coder);
    let host = scene.start();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    scene.agent.wait_for_start(1).argv
}

#[test]
fn the_machine_does_not_allow_more_than_its_ceiling() {
    let argv = arguments_where_the_board_allows(PermissionMode::FullAuto).join(" ");
    assert!(argv.contains("acceptEdits"), "{argv}");
    assert!(!argv.contains("dangerously") && !argv.contains("bypass"), "{argv}");
}

#[test]
fn the_machine_does_not_allow_more_than_the_board() {
    let argv = arguments_where_the_board_allows(PermissionMode::Safe).join(" ");
    for more in ["acceptEdits", "dangerously", "bypass"] {
        assert!(!argv.contains(more), "{argv}");
    }
}

#[test]
fn a_result_whose_acknowledgement_was_lost_is_told_once_more_and_counts_once() {
    let scene = Scene::playing(&imitations::does_its_task());
    scene.server.fault(Fault::lost_reply().on(Endpoint::Complete).once());
    let host = scene.start();
    scene.wait_for(&scene.run, "completed", &host);
    scene.stage.wait_for_state(KEY, "closed");
    scene.drain(host);
    let told = scene.sent(Endpoint::Complete);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((&told[0].answer, &told[0].body), (&Answered::Cut, &told[1].body));
    assert_eq!(scene.ends().len(), 1);
    assert_eq!(scene.stage.run(KEY)["result"], "succeeded");
}

#[test]
fn a_result_that_did_not_arrive_is_told_again() {
    let scene = Scene::playing(&imitations::does_its_task());
    scene.server.fault(Fault::cut().on(Endpoint::Complete).once());
    let host = scene.start();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    assert_eq!(scene.sent(Endpoint::Complete).len(), 2);
    assert_eq!(scene.ends().len(), 1);
}

#[test]
fn a_result_waits_for_a_server_that_is_away_and_can_be_seen_waiting() {
    let scene = Scene::playing(&works_until_let_go());
    let host = scene.start();
    scene.agent.wait_for_mark("working");
    scene.server.go_down();
    scene.agent.let_go("go").unwrap();
    scene.stage.wait_for_state(KEY, "reporting");
    let shown = scene.stage.sandbox.host(&["show", KEY]).stdout;
    assert!(shown.contains("report"), "{shown}");
    let listed = scene.stage.sandbox.host(&["runs"]).stdout;
    assert!(listed.contains(KEY) && listed.contains("report"), "{listed}");
    scene.server.come_up();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    assert_eq!(scene.ends().len(), 1);
}

/// The host ends with the sentence that tells how to get a new key.
fn assert_ends_for_want_of_a_key(scene: &Scene) {
    let mut host = scene.start();
    let code = host.wait(LONG).code();
    assert!(code.is_some_and(|code| code != 0), "{code:?}");
    let said = host.stderr();
    for part in ["generate a new key", "TALE_DAEMON_API_KEY"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert_one_sentence(&said);
    assert!(!said.contains(scene.server.key()), "{said}");
    assert_eq!(scene.agent.starts().unwrap().len(), 0);
}

#[test]
fn a_revoked_key_ends_the_host_which_says_how_to_get_a_new_one() {
    let scene = Scene::playing(&imitations::does_its_task());
    scene.server.change(|board, _| board.revoke_key("tale-standin-key"));
    assert_ends_for_want_of_a_key(&scene);
}

#[test]
fn a_key_revoked_while_the_host_asks_for_runs_ends_it_too() {
    let scene = Scene::playing(&imitations::does_its_task());
    scene.server.fault(Fault::unauthorized().on(Endpoint::Claim));
    assert_ends_for_want_of_a_key(&scene);
}

#[test]
fn a_busy_server_is_asked_again_when_it_says() {
    let scene = Scene::playing(&imitations::does_its_task());
    let pause = Duration::from_secs(2);
    let busy = Fault::too_many_requests(Some(pause.as_secs()));
    scene.server.fault(busy.on(Endpoint::Claim).once());
    let begun = Instant::now();
    let host = scene.start();
    scene.wait_for(&scene.run, "completed", &host);
    assert!(begun.elapsed() >= pause, "{:?}", begun.elapsed());
    scene.drain(host);
    assert!(matches!(scene.sent(Endpoint::Claim)[0].answer, Answered::Reply { status: 429, .. }));
}

#[test]
fn a_run_for_a_workspace_that_is_not_here_fails_for_good() {
    let coder = Agent::bound("coder", "claude_code").workspace("elsewhere");
    let scene = Scene::new(&imitations::does_its_task(), coder);
    let host = scene.start();
    let run = scene.wait_for(&scene.run, "failed", &host);
    scene.drain(host);
    assert_eq!((run.attempts, scene.agent.starts().unwrap().len()), (1, 0));
    let failure = &scene.sent(Endpoint::Fail)[0].body;
    assert_eq!(failure["retryable"], false, "{failure}");
    assert!(failure["error"].as_str().unwrap().contains("elsewhere"), "{failure}");
}

#[test]
fn a_revision_goes_on_in_the_session_and_the_worktree_of_the_first_run() {
    let scene = Scene::playing(&imitations::does_its_task());
    let host = scene.start();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    let revision = scene.server.request_revision(&scene.task, "Greet in French.").unwrap();
    let script = Script::always([
        Step::read_stdin(),
        Step::write("hello.txt", "bonjour\n"),
        Step::commit("Greet in French"),
        Step::transcript(transcript("claude-success")),
    ]);
    scene.stage.sandbox.install_agent("claude", &script);
    let host = scene.start();
    scene.wait_for(&revision, "completed", &host);
    scene.drain(host);

    let starts = scene.agent.starts().unwrap();
    let [first, second] = &starts[..] else { panic!("not two starts: {starts:?}") };
    assert!(!first.argv.iter().any(|word| word.starts_with("--resume")), "{:?}", first.argv);
    assert!(second.argv.contains(&format!("--resume={SESSION}")), "{:?}", second.argv);
    assert_eq!(first.cwd, second.cwd);
    assert!(second.stdin.as_ref().unwrap().contains("Greet in French."));
    let branch = scene.stage.run(KEY)["branch"].as_str().unwrap().to_owned();
    assert_eq!(scene.stage.repository.git(&["show", &format!("{branch}:hello.txt")]), "bonjour");
    assert_eq!(scene.ends().len(), 2, "one for each run");
}

#[test]
fn a_host_that_was_killed_ends_its_run_once_and_its_agents_never_meet() {
    let scene = Scene::playing(&Script::new());
    let alarm = overlap_alarm(&scene.stage);
    let script = Script::new().attempt([
        alarm.clone(),
        Step::first_lines(3, transcript("claude-success")),
        Step::write("hello.txt", "hello\n"),
        Step::commit("Write hello.txt"),
        Step::mark("working"),
        Step::hang(),
    ]);
    let script = script.attempt([alarm, Step::transcript(transcript("claude-success"))]);
    scene.stage.sandbox.install_agent("claude", &script);
    let mut host = scene.start();
    scene.agent.wait_for_mark("working");
    host.kill_9();
    let host = scene.start();
    let run = scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);

    assert_no_overlap(&scene.agent);
    assert_eq!((run.attempts, scene.ends().len()), (1, 1), "one claim, one end");
    assert_eq!(scene.sent(Endpoint::Complete).len(), 1);
    let starts = scene.agent.starts().unwrap();
    assert_eq!((starts.len(), &starts[0].cwd), (2, &starts[1].cwd), "{starts:?}");
    assert_eq!(scene.stage.on_branch(KEY, "hello.txt"), "hello", "no work is lost");
    assert!(run.diff_stat.unwrap().contains("hello.txt"));
}
