//! The machine of a soak: a repository, allowed plugins, a scripted Claude Code, and
//! the stand-in server that hands out the tasks.

use std::path::PathBuf;

use standin_tale::board::{Agent, NewTask, PermissionMode, RunId, TaskId};
use standin_tale::{Clock, Options, Standin};

use super::work::Work;
use crate::host_clock::TEST_CLOCK;
use crate::scripted_agent::{Script, Start, read_starts};
use crate::{HostProcess, HostSandbox, ScratchRepository, built};

/// The variable by which an agent finds its script.
const SCRIPT: &str = "SCRIPTED_AGENT";

/// What takes part in a soak.
pub struct Machine {
    /// Where the host runs.
    pub sandbox: HostSandbox,
    /// Where the work is done.
    pub repository: ScratchRepository,
    /// Where it comes from.
    pub server: Standin,
    scripts: PathBuf,
}

impl Machine {
    /// Sets a host up for a new server. Both clocks run on and can be moved forward.
    ///
    /// # Panics
    ///
    /// If something is not built, or does not work, with the reason.
    pub fn set_up(seed: u64) -> Self {
        // Compiling plugins anew for every soak would be most of the work of a short one.
        let cache = built::target_folder().join("tmp/e2e-cache");
        std::fs::create_dir_all(&cache).expect("cannot make the folder for compiled plugins");
        let mut sandbox =
            HostSandbox::new().variable("XDG_CACHE_HOME", &cache.to_string_lossy()).variable(TEST_CLOCK, "1");
        link_plugins(&sandbox);
        let repository = sandbox.repository("app");
        sandbox.stand_in(repository.path());
        sandbox.install_agent("claude", &Script::new());
        let scripts = sandbox.folder().join("scripts");
        std::fs::create_dir(&scripts).expect("cannot make the folder for scripts");
        // The server's limits are for agents that take minutes: hundreds of tasks with
        // agents that take a moment would mostly wait for them.
        let options = Options { seed, clock: Clock::real(), rate_limits: false, ..Options::default() };
        let server = Standin::start(options).unwrap_or_else(|error| panic!("{error}"));
        let machine = Self { sandbox, repository, server, scripts };
        machine.connect();
        machine
    }

    fn connect(&self) {
        let repository = self.repository.path().to_string_lossy();
        #[rustfmt::skip]
        let output = self.sandbox.host(&[
            "setup", "tale", "--yes", "--url", &self.server.url(), "--key", self.server.key(),
            "--workspace", &repository, "--ceiling", "auto_edits",
        ]);
        assert_eq!(output.code, Some(0), "{output:?}");
    }

    /// Starts the host with so many slots.
    pub fn start(&self, parallel: u32) -> HostProcess {
        self.sandbox.spawn_host(&["run", "--plugin", "tale", "--slots", &parallel.to_string()])
    }

    /// The control socket of the host.
    pub fn socket(&self) -> PathBuf {
        self.sandbox.state_folder().join("host.sock")
    }

    /// Puts a task on the board and assigns it to an agent that plays the task's own script.
    pub fn assign(&self, work: &Work) -> (TaskId, RunId) {
        let path = self.script(work);
        let script = toml::to_string(&work.script()).expect("a script is TOML");
        std::fs::write(&path, script).expect("cannot write a script");
        let agent = work.key().to_lowercase();
        self.server.put_agent(
            Agent::bound(&agent, "claude_code")
                .permission(PermissionMode::AutoEdits)
                .variable(SCRIPT, &path.to_string_lossy()),
        );
        let task = self.server.create_task(NewTask::titled(&format!("A task that {}", work.kind)));
        let run = self.server.assign(&task, &agent).unwrap_or_else(|refusal| panic!("{refusal}"));
        (task, run)
    }

    /// How often the agent of a task was started, and how that ended.
    pub fn starts(&self, work: &Work) -> Vec<Start> {
        let log = self.scripts.join(format!("{}.starts.jsonl", work.key()));
        read_starts(&log).unwrap_or_else(|error| panic!("{error}"))
    }

    fn script(&self, work: &Work) -> PathBuf {
        self.scripts.join(format!("{}.script.toml", work.key()))
    }
}

fn link_plugins(sandbox: &HostSandbox) {
    let folder = sandbox.folder().join("data/hostler/plugins");
    std::fs::create_dir_all(&folder).expect("cannot make the folder for plugins");
    for name in ["claude-code", "tale"] {
        let file = built::plugin(name).unwrap_or_else(|error| panic!("{error}"));
        let link = folder.join(format!("{name}.wasm"));
        std::os::unix::fs::symlink(file, link).expect("cannot link a plugin");
    }
}
