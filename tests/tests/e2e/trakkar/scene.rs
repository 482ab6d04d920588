//! A machine with a clone of a repository at a forge, a Trakkar server, and two clocks.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostler_tests::scripted_agent::{Installed, Script, Start, Step, transcript};
use hostler_tests::{HostProcess, PATIENCE, host_clock, wait_until};
use standin_forge::{Forge, PullRequest};
use standin_trakkar::board::{Agent, Finish, NewTask, Run};
use standin_trakkar::{Endpoint, Options, RecordedRequest, Standin};

use crate::stage::{LONG, Stage, plugin};

/// At the forge.
pub const REPOSITORY: &str = "acme/app";

/// The session that the recorded success of Claude Code tells.
pub const SESSION: &str = "bcec5d52-241e-4933-aa0b-d053c0b12faf";

/// The host asks about its runs this often, so each such step brings one question.
pub const STEP: Duration = Duration::from_secs(4);

/// What a step leads to has happened within this time, unless the machine is very busy.
const FOR_ONE_STEP: Duration = Duration::from_secs(2);

/// Code of the repository, and code that agents write: neither may reach the server.
const CODE: [&str; 3] = ["const answer = 42", "written by the agent", "hello from the fake model"];

/// A machine that works for an agent of a Trakkar server.
pub struct Scene {
    pub stage: Stage,
    pub agent: Installed,
    pub server: Standin,
    pub forge: Forge,
    /// The repository at the forge.
    pub bare: PathBuf,
}

impl Scene {
    /// Claude Code plays a script.
    pub fn playing(script: &Script) -> Self {
        Self::of("claude", "claude-code", script, Agent::default())
    }

    /// The same for an agent that is set up otherwise in Trakkar.
    pub fn with(agent: Agent, script: &Script) -> Self {
        Self::of("claude", "claude-code", script, agent)
    }

    /// Another CLI.
    pub fn of(program: &str, provider: &str, script: &Script, agent: Agent) -> Self {
        let scene = Self::bare(agent, script, program);
        scene.stage.allow("trakkar");
        scene.stage.allow(provider);
        scene
    }

    fn bare(agent: Agent, script: &Script, program: &str) -> Self {
        let server = Standin::start(Options { agent, ..Options::default() }).unwrap();
        for code in CODE {
            server.forbid(code);
        }
        let stage = Stage::bare()
            .in_sight()
            .variable(host_clock::TEST_CLOCK, "1")
            .variable("TRAKKAR_TOKEN", server.token())
            .variable("TRAKKAR_API_URL", &server.url());
        let sandbox = &stage.sandbox;
        let plugins = sandbox.folder().join("data/hostler/plugins");
        for name in ["trakkar", "cursor"] {
            std::os::unix::fs::symlink(plugin(name), plugins.join(format!("{name}.wasm"))).unwrap();
        }
        let agent = sandbox.install_agent(program, script);
        let root = sandbox.folder().join("forge");
        std::fs::create_dir_all(&root).unwrap();
        let forge = Forge::start(&root, 0).unwrap();
        let bare = forge.create_repository(REPOSITORY).unwrap();
        forge.install_gh(&sandbox.bin_folder()).unwrap();
        std::fs::write(
            sandbox.folder().join("home/.gitconfig"),
            "[user]\n\tname = Ann Operator\n\temail = ann@example.org\n",
        )
        .unwrap();
        sandbox.configure(&format!("[forge.\"{}\"]\nkind = \"github\"\n", forge.authority()));
        let scene = Self { stage, agent, server, forge, bare };
        scene.push_to_the_forge();
        scene
    }

    fn push_to_the_forge(&self) {
        let repository = &self.stage.repository;
        repository.write("src/answer.ts", "const answer = 42;\n");
        repository.commit("Add an answer");
        repository.git(&["remote", "add", "origin", &self.forge.url(REPOSITORY)]);
        repository.git(&["push", "--quiet", "origin", "main"]);
        repository.git(&["fetch", "--quiet", "origin"]);
        repository.git(&["remote", "set-head", "origin", "main"]);
    }

    // ── people ──────────────────────────────────────────────────────────────

    /// Delegates a task; gives its id and its run's.
    pub fn delegate(&self, title: &str) -> (String, String) {
        self.server.delegate(NewTask::titled(title))
    }

    /// Replies to a task whose run is over; gives the id of the run that continues.
    pub fn reply(&self, task: &str, body: &str) -> String {
        use standin_trakkar::board::Replied;
        match self.server.reply(task, body) {
            Ok(Replied::Continue(run)) => run,
            other => panic!("not a continuation: {other:?}"),
        }
    }

    /// Somebody else moves the default branch at the forge; gives the commit.
    pub fn commit_at_the_forge(&self, path: &str, text: &str) -> String {
        let clone = self.stage.sandbox.folder().join("colleague");
        let git = |folder: &Path, words: &[&str]| {
            let output = self.stage.repository.try_git(folder, words);
            assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        if !clone.exists() {
            let (bare, clone) = (self.bare.to_str().unwrap(), clone.to_str().unwrap());
            git(self.stage.sandbox.folder(), &["clone", "--quiet", bare, clone]);
        }
        std::fs::write(clone.join(path), text).unwrap();
        git(&clone, &["add", "--all"]);
        git(&clone, &["commit", "--quiet", "--message", "Move on"]);
        git(&clone, &["push", "--quiet", "origin", "HEAD:main"]);
        git(&clone, &["rev-parse", "HEAD"])
    }

    // ── the host ────────────────────────────────────────────────────────────

    /// As a person starts it, looking for tasks every second.
    pub fn start(&self, more: &[&str]) -> HostProcess {
        let words = ["run", "--plugin", "trakkar", "--set", "interval=1"];
        let usual: &[&str] =
            if more.contains(&"--permission") { &[] } else { &["--permission", "full-auto"] };
        self.stage.sandbox.spawn_host(&[&words, usual, more].concat())
    }

    /// Moves both clocks, as time passes for everybody.
    pub fn pass(&self, time: Duration) {
        self.server.advance(time);
        let answer = wait_until(PATIENCE, "the host listens", || {
            host_clock::advance(&self.stage.sandbox, time).map_err(|error| error.to_string())
        });
        assert_eq!(answer, "HTTP/1.1 200 OK");
    }

    /// Lets time pass in steps until something is true; says in the error what is seen.
    pub fn pass_until<T>(&self, what: &str, mut probe: impl FnMut() -> Result<T, String>) -> T {
        let mut next = Instant::now();
        wait_until(PATIENCE, what, || {
            let seen = probe();
            if seen.is_err() && Instant::now() >= next {
                self.pass(STEP);
                next = Instant::now() + FOR_ONE_STEP;
            }
            seen
        })
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

    /// Neither code nor a path of this machine was sent, and the checkout is as it was.
    pub fn assert_nothing_leaked(&self) {
        self.server.assert_nothing_leaked();
        let here = self.stage.sandbox.folder().to_str().unwrap().to_owned();
        for request in self.server.requests() {
            assert!(!format!("{request:?}").contains(&here), "{request:?}");
        }
        assert_eq!(self.stage.repository.git(&["status", "--porcelain"]), "");
    }

    // ── what the server has ─────────────────────────────────────────────────

    /// Waits until a run has ended so.
    pub fn wait_for(&self, run: &str, outcome: &str, host: &HostProcess) -> Finish {
        wait_until(LONG, &format!("{run} ends as {outcome}"), || match self.server.run(run) {
            Some(found) if found.ending().is_some_and(|ending| ending.outcome == outcome) => {
                Ok(found.ending().cloned().unwrap())
            }
            other => Err(format!("{other:?}\n{}\n{}", host.stdout(), host.stderr())),
        })
    }

    /// Every request to an endpoint so far.
    pub fn sent(&self, endpoint: Endpoint) -> Vec<RecordedRequest> {
        self.server.requests().into_iter().filter(|request| request.endpoint == Some(endpoint)).collect()
    }

    /// Waits until there were so many requests to an endpoint.
    pub fn wait_for_requests(&self, endpoint: Endpoint, count: usize, host: &HostProcess) {
        wait_until(PATIENCE, &format!("{count} requests to {endpoint:?}"), || {
            match self.sent(endpoint).len() {
                sent if sent >= count => Ok(()),
                sent => Err(format!("{sent}\n{}\n{}", host.stdout(), host.stderr())),
            }
        });
    }

    // ── what the forge and the disk have ────────────────────────────────────

    pub fn pull_requests(&self) -> Vec<PullRequest> {
        self.forge.pull_requests(REPOSITORY)
    }

    /// A file as a branch at the forge has it.
    pub fn at_the_forge(&self, branch: &str, file: &str) -> String {
        let output = self.stage.repository.try_git(&self.bare, &["show", &format!("{branch}:{file}")]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Branches at the forge, sorted.
    pub fn branches_at_the_forge(&self) -> Vec<String> {
        let words = ["for-each-ref", "--format=%(refname:short)", "refs/heads"];
        let output = self.stage.repository.try_git(&self.bare, &words);
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }

    /// Folders of tasks in the repository, sorted.
    pub fn worktrees(&self) -> Vec<String> {
        let folder = self.stage.repository.path().join(".trakkar-worktrees");
        let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// Waits until so many of them are left: the host tidies up after it has told the end.
    pub fn wait_for_worktrees(&self, count: usize) -> Vec<String> {
        wait_until(PATIENCE, &format!("{count} worktrees are left"), || match self.worktrees() {
            left if left.len() == count => Ok(left),
            left => Err(format!("{left:?}")),
        })
    }

    /// The starts of agents so far.
    pub fn starts(&self) -> Vec<Start> {
        self.agent.starts().unwrap()
    }
}

/// What a run showed in its task, as `type: text`.
pub fn shown(run: &Run) -> Vec<String> {
    run.events.iter().map(|event| format!("{}: {}", event.kind, event.text)).collect()
}

/// Writes a file with code, commits it, and says that it is done.
pub fn does_its_task() -> [Step; 4] {
    works_on("hello.txt")
}

/// The same with another file.
pub fn works_on(file: &str) -> [Step; 4] {
    [
        Step::read_stdin(),
        Step::write(file, "written by the agent\n"),
        Step::commit(format!("Write {file}")),
        Step::transcript(transcript("claude-success")),
    ]
}

/// Writes a file, tells the test, and hangs.
pub fn is_stuck() -> [Step; 4] {
    [
        Step::write("half.txt", "written by the agent\n"),
        Step::first_lines(3, transcript("claude-success")),
        Step::mark("working"),
        Step::hang(),
    ]
}

/// Tells the test, and does its task when the test lets it.
pub fn works_until_let_go() -> Vec<Step> {
    let waits =
        [Step::first_lines(3, transcript("claude-success")), Step::mark("working"), Step::wait_for("go")];
    waits.into_iter().chain(does_its_task()).collect()
}
