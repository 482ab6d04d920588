//! A machine that was set up for a Tale server, a board with tasks, and two clocks.

use std::time::{Duration, Instant};

use hostler_tests::scripted_agent::{Installed, Script, Step, transcript};
use hostler_tests::{HostProcess, PATIENCE, host_clock, wait_until};
use standin_tale::board::{Agent, Comment, NewTask, PermissionMode, Run, RunId, TaskId, TaskStatus};
use standin_tale::{Answered, Endpoint, Options, RecordedRequest, Standin};

use crate::stage::{LONG, Stage, plugin};

/// What the board calls the first task of a stand-in.
pub const KEY: &str = "APP-1";

/// Signs of life are this far apart, so each such step brings one of each kind.
pub const STEP: Duration = Duration::from_secs(15);

/// What a step leads to has happened within this time, unless the machine is very busy.
const FOR_ONE_STEP: Duration = Duration::from_secs(1);

/// A CLI: the program, what Tale calls it, and the session its recorded success tells.
#[derive(Clone, Copy)]
pub struct Cli {
    pub program: &'static str,
    pub adapter: &'static str,
    pub session: &'static str,
}

/// The CLI of most tests.
pub const CLAUDE: Cli =
    Cli { program: "claude", adapter: "claude_code", session: "bcec5d52-241e-4933-aa0b-d053c0b12faf" };

/// A machine that was set up for a server, and a task of its board.
pub struct Scene {
    pub stage: Stage,
    pub agent: Installed,
    pub server: Standin,
    pub task: TaskId,
    pub run: RunId,
}

impl Scene {
    /// The usual agent of the board may edit, and so may the machine's.
    pub fn playing(script: &Script) -> Self {
        Self::of(CLAUDE, script)
    }

    /// The same with another CLI.
    pub fn of(cli: Cli, script: &Script) -> Self {
        Self::with(cli, script, Agent::bound("coder", cli.adapter).permission(PermissionMode::AutoEdits))
    }

    /// The same with an agent of the board that is set up otherwise.
    pub fn new(script: &Script, coder: Agent) -> Self {
        Self::with(CLAUDE, script, coder)
    }

    /// The task is assigned to an agent of the board, which makes it wait for a host.
    fn with(cli: Cli, script: &Script, coder: Agent) -> Self {
        let stage = Stage::bare().in_sight().variable(host_clock::TEST_CLOCK, "1");
        let plugins = stage.sandbox.folder().join("data/hostler/plugins");
        std::os::unix::fs::symlink(plugin("tale"), plugins.join("tale.wasm")).unwrap();
        let agent = stage.sandbox.install_agent(cli.program, script);
        let server = Standin::start(Options::default()).unwrap();
        server.put_agent(coder);
        let task = server.create_task(NewTask::titled("Write hello.txt").described("With a greeting."));
        let run = server.assign(&task, "coder").unwrap();
        let scene = Self { stage, agent, server, task, run };
        scene.set_up(scene.stage.repository.path().to_str().unwrap());
        scene
    }

    /// Sets the machine up for the server and one workspace.
    pub fn set_up(&self, workspace: &str) {
        #[rustfmt::skip]
        let output = self.stage.sandbox.host(&[
            "setup", "tale", "--yes", "--url", &self.server.url(), "--key", self.server.key(),
            "--workspace", workspace, "--ceiling", "auto_edits",
        ]);
        assert_eq!(output.code, Some(0), "{output:?}");
    }

    /// One more task that waits for a host.
    pub fn another(&self, title: &str) -> RunId {
        let task = self.server.create_task(NewTask::titled(title));
        self.server.assign(&task, "coder").unwrap()
    }

    pub fn start(&self) -> HostProcess {
        self.start_with(&[])
    }

    pub fn start_with(&self, more: &[&str]) -> HostProcess {
        let words = ["run", "--plugin", "tale"].iter().chain(more).copied().collect::<Vec<_>>();
        self.stage.sandbox.spawn_host(&words)
    }

    /// Waits until the board shows the run in a state; time passes meanwhile, so that
    /// nobody waits for the next sign of life.
    pub fn wait_for(&self, run: &RunId, state: &str, host: &HostProcess) -> Run {
        let mut next = Instant::now() + FOR_ONE_STEP;
        wait_until(PATIENCE, &format!("the board's run is {state}"), || {
            let found = self.server.run(run);
            if let Some(found) = found.as_ref().filter(|found| found.state.name() == state) {
                return Ok(found.clone());
            }
            // A host that is just starting does not listen yet.
            if Instant::now() >= next && host_clock::advance(&self.stage.sandbox, STEP).is_ok() {
                self.server.advance(STEP);
                next = Instant::now() + FOR_ONE_STEP;
            }
            Err(format!("{found:?}\n{}\n{}", host.stdout(), host.stderr()))
        })
    }

    /// Every request to an endpoint so far.
    pub fn sent(&self, endpoint: Endpoint) -> Vec<RecordedRequest> {
        self.server.requests().into_iter().filter(|request| request.endpoint == Some(endpoint)).collect()
    }

    /// Waits until so many requests to an endpoint have been answered, or cut.
    pub fn wait_for_answers(&self, endpoint: Endpoint, count: usize) {
        wait_until(PATIENCE, &format!("{count} requests to {endpoint:?} are answered"), || {
            match self.answered(endpoint) {
                answered if answered >= count => Ok(()),
                answered => Err(answered),
            }
        });
    }

    fn answered(&self, endpoint: Endpoint) -> usize {
        self.sent(endpoint).iter().filter(|request| request.answer != Answered::Pending).count()
    }

    /// The machine sleeps: the world goes on, and then the host finds itself later.
    pub fn sleep(&self, time: Duration) {
        self.server.advance(time);
        self.advance_host(time);
    }

    /// Moves the host's clock only.
    pub fn advance_host(&self, time: Duration) {
        let answer = host_clock::advance(&self.stage.sandbox, time).unwrap();
        assert_eq!(answer, "HTTP/1.1 200 OK");
    }

    /// The same for a host that has just been started.
    pub fn advance_host_when_it_listens(&self, time: Duration) {
        let answer = wait_until(PATIENCE, "the host listens", || {
            host_clock::advance(&self.stage.sandbox, time).map_err(|error| error.to_string())
        });
        assert_eq!(answer, "HTTP/1.1 200 OK");
    }

    /// Time passes while the host is awake, and in each step it speaks to an endpoint.
    pub fn pass(&self, time: Duration, endpoint: Endpoint) {
        let begun = self.server.now();
        while self.server.now().since(begun) < time {
            self.step_until(endpoint, self.answered(endpoint) + 1, || self.sleep(STEP));
        }
    }

    /// Time passes for the host alone until so many requests to an endpoint are answered.
    pub fn pass_for_the_host_until(&self, endpoint: Endpoint, count: usize) {
        self.step_until(endpoint, count, || self.advance_host(STEP));
    }

    /// One step, and another one whenever a step has brought nothing for a while: the
    /// host may have begun its pause after the step.
    fn step_until(&self, endpoint: Endpoint, count: usize, step: impl Fn()) {
        let mut next = Instant::now();
        wait_until(PATIENCE, &format!("{count} requests to {endpoint:?} are answered"), || {
            if self.answered(endpoint) >= count {
                return Ok(());
            }
            if Instant::now() >= next {
                step();
                next = Instant::now() + FOR_ONE_STEP;
            }
            Err(self.answered(endpoint))
        });
    }

    /// Waits until the agent's process of a start is gone.
    pub fn wait_until_ended(&self, start: usize) {
        let pid = self.agent.wait_for_start(start).pid;
        wait_until(PATIENCE, &format!("the agent of start {start} is gone"), || {
            if self.stage.sandbox.processes().iter().any(|process| process.pid == pid) {
                Err(format!("{pid} lives"))
            } else {
                Ok(())
            }
        });
    }

    /// Lets the host end, and looks at all that is to be true in the end.
    pub fn drain(&self, mut host: HostProcess) {
        host.terminate();
        assert_eq!(host.wait(LONG).code(), Some(0), "{}", host.stderr());
        self.assert_all_is_well();
    }

    /// What is true whenever a host has ended in peace.
    pub fn assert_all_is_well(&self) {
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
    pub fn ends(&self) -> Vec<Comment> {
        let comments = self.server.task(&self.task).unwrap().comments;
        comments.into_iter().filter(|comment| comment.run.is_some()).collect()
    }

    pub fn task_status(&self) -> TaskStatus {
        self.server.task(&self.task).unwrap().status
    }
}

/// Works, tells the test, and finishes when the test lets it.
pub fn works_until_let_go() -> Script {
    Script::always([
        Step::read_stdin(),
        Step::write("hello.txt", "hello\n"),
        Step::commit("Write hello.txt"),
        Step::mark("working"),
        Step::wait_for("go"),
        Step::transcript(transcript("claude-success")),
    ])
}
