//! A machine with a repository, a folder of tasks and allowed plugins.

use std::path::{Path, PathBuf};
use std::time::Duration;

use hostler_tests::scripted_agent::{Installed, Script, Step};
use hostler_tests::{HostProcess, HostSandbox, Output, PATIENCE, ScratchRepository, built, wait_until};
use serde_json::Value;

/// How long a host may take for everything it is asked in one test.
pub const LONG: Duration = Duration::from_mins(1);

/// Tracker and provider of most tests.
const USUAL: [&str; 4] = ["--plugin", "folder", "--provider", "claude-code"];

/// A machine, and on it a repository whose tasks lie in `tasks/`.
pub struct Stage {
    pub sandbox: HostSandbox,
    pub repository: ScratchRepository,
}

impl Stage {
    /// Nothing is allowed yet, and no CLI is there.
    pub fn bare() -> Self {
        // Compiling plugins anew for every test would be most of the work.
        let cache = built::target_folder().join("tmp/e2e-cache");
        std::fs::create_dir_all(&cache).unwrap();
        let mut sandbox = HostSandbox::new().variable("XDG_CACHE_HOME", &cache.to_string_lossy());
        let plugins = sandbox.folder().join("data/hostler/plugins");
        std::fs::create_dir_all(&plugins).unwrap();
        for name in ["claude-code", "codex", "command", "folder", "opencode"] {
            std::os::unix::fs::symlink(plugin(name), plugins.join(format!("{name}.wasm"))).unwrap();
        }
        let repository = sandbox.repository("app");
        sandbox.stand_in(repository.path());
        std::fs::create_dir_all(repository.path().join("tasks")).unwrap();
        Self { sandbox, repository }
    }

    /// The folder tracker and Claude Code are allowed; the CLI is not there.
    pub fn allowed() -> Self {
        let stage = Self::bare();
        stage.allow("folder");
        stage.allow("claude-code");
        stage
    }

    /// Claude Code is there and plays a script.
    pub fn with_claude(script: &Script) -> (Self, Installed) {
        let stage = Self::allowed();
        let agent = stage.sandbox.install_agent("claude", script);
        (stage, agent)
    }

    /// Allows a plugin what it asks for.
    pub fn allow(&self, plugin: &str) {
        let output = self.sandbox.host(&["plugin", "allow", plugin, "--yes"]);
        assert_eq!(output.code, Some(0), "{output:?}");
    }

    /// Adds a variable for every later `host`.
    pub fn variable(self, name: &str, value: &str) -> Self {
        Self { sandbox: self.sandbox.variable(name, value), ..self }
    }

    /// Agents share the machine's process numbers, so that the test and other agents can
    /// see whether they live. In a namespace of their own they could not.
    pub fn in_sight(self) -> Self {
        self.variable("HOSTLER_CONTAINMENT", "sweep")
    }

    /// Whoever works here has a name, by which commits can be made.
    pub fn name_the_operator(&self) {
        let names = "[user]\n\tname = Ann Operator\n\temail = ann@example.invalid\n";
        std::fs::write(self.sandbox.folder().join("home/.gitconfig"), names).unwrap();
    }

    /// Under a policy of its own for every later `host`.
    pub fn under_policy(self, text: &str) -> Self {
        let path = self.sandbox.folder().join("policy.toml").display().to_string();
        let stage = self.variable("HOSTLER_POLICY", &path);
        stage.write_policy(text);
        stage
    }

    /// Replaces the policy, whole or not at all, as a good administrator does.
    pub fn write_policy(&self, text: &str) {
        let path = self.sandbox.folder().join("policy.toml");
        std::fs::write(path.with_extension("new"), text).unwrap();
        std::fs::rename(path.with_extension("new"), path).unwrap();
    }

    /// Writes a task and commits it, so that the checkout is clean.
    pub fn task(&self, key: &str, text: &str) {
        self.repository.write(&format!("tasks/{key}.md"), text);
        self.repository.commit("Add a task");
    }

    /// What the task's file says now.
    pub fn task_file(&self, key: &str) -> TaskFile {
        TaskFile { text: self.repository.read(&format!("tasks/{key}.md")).unwrap() }
    }

    /// Runs until there is nothing left to do.
    pub fn run_once(&self, more: &[&str]) -> Output {
        self.sandbox.host(&arguments(&["--once"], more))
    }

    /// Starts a host that ends when there is nothing left to do.
    pub fn start_once(&self, more: &[&str]) -> HostProcess {
        self.sandbox.spawn_host(&arguments(&["--once"], more))
    }

    /// Starts a host that goes on.
    pub fn start(&self, more: &[&str]) -> HostProcess {
        self.sandbox.spawn_host(&arguments(&[], more))
    }

    /// A run as `host show --json` tells it.
    pub fn run(&self, key: &str) -> Value {
        self.try_run(key).unwrap()
    }

    /// The same, of a run that may not be there yet.
    pub fn try_run(&self, key: &str) -> Result<Value, String> {
        let output = self.sandbox.host(&["show", key, "--json"]);
        serde_json::from_str(&output.stdout).map_err(|_| format!("{output:?}"))
    }

    /// Waits until a run is in a state.
    pub fn wait_for_state(&self, key: &str, state: &str) -> Value {
        wait_until(PATIENCE, &format!("{key} is {state}"), || match self.try_run(key) {
            Ok(run) if run["state"] == state => Ok(run),
            other => Err(format!("{other:?}")),
        })
    }

    /// The folder of an attempt's records.
    pub fn attempt_folder(&self, key: &str, attempt: u32) -> PathBuf {
        let id = self.run(key)["id"].as_str().unwrap().to_owned();
        self.sandbox.state_folder().join("runs").join(id).join(format!("attempt-{attempt}"))
    }

    /// A file as a run's branch has it.
    pub fn on_branch(&self, key: &str, file: &str) -> String {
        let run = self.run(key);
        self.repository.git(&["show", &format!("{}:{file}", run["branch"].as_str().unwrap())])
    }

    /// A file of a run's worktree.
    pub fn in_worktree(&self, key: &str, file: &str) -> String {
        let run = self.run(key);
        let path = Path::new(run["workspace"].as_str().unwrap()).join(file);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Waits until nothing that was started on this machine lives.
    pub fn wait_until_nothing_lives(&self) {
        wait_until(PATIENCE, "nothing lives", || {
            let left = self.sandbox.processes();
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        });
    }

    /// The run is over, its task file tells about it once, and no process is left.
    pub fn assert_reported_once(&self, key: &str, status: &str) {
        let file = self.task_file(key);
        assert_eq!((file.status().as_deref(), file.reports()), (Some(status), 1), "{}", file.text);
        self.wait_until_nothing_lives();
    }
}

/// An agent has a shell do this.
pub fn shell(text: &str) -> Step {
    Step::Run { argv: vec!["/bin/bash".to_owned(), "-c".to_owned(), text.to_owned()] }
}

/// The command line of `host run` with the usual plugins, unless others are named.
fn arguments<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let mut words = vec!["run"];
    words.extend(first);
    for pair in USUAL.chunks(2) {
        if !more.contains(&pair[0]) {
            words.extend(pair);
        }
    }
    words.extend(more);
    words
}

/// A bundled plugin.
pub fn plugin(name: &str) -> PathBuf {
    built::plugin(name).unwrap_or_else(|error| panic!("{error}"))
}

/// A task file after the host had it.
pub struct TaskFile {
    pub text: String,
}

impl TaskFile {
    /// A field of the front matter.
    pub fn field(&self, name: &str) -> Option<String> {
        let head = self.text.strip_prefix("---\n")?.split("\n---\n").next()?;
        let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))?;
        Some(line.to_owned())
    }

    pub fn status(&self) -> Option<String> {
        self.field("status")
    }

    /// How many reports it has.
    pub fn reports(&self) -> usize {
        self.text.matches("## Report\n\n<!-- hostler run ").count()
    }
}

/// A step that leaves the file `overlap` if another start of the same agent still
/// lives: no agent may meet another one of its task.
pub fn overlap_alarm(stage: &Stage) -> Step {
    let bin = stage.sandbox.bin_folder();
    let script = format!(
        r#"for pid in $(sed -n 's/.*"entry":"started".*"pid":\([0-9]*\).*/\1/p' '{bin}/claude.starts.jsonl'); do
            if [ "$pid" != "$PPID" ] && ps -o args= -p "$pid" | grep -qF '{bin}/claude'; then
                touch '{bin}/overlap'
            fi
        done"#,
        bin = bin.display()
    );
    Step::Run { argv: vec!["/bin/sh".to_owned(), "-c".to_owned(), script] }
}

/// No agent met another one.
pub fn assert_no_overlap(agent: &Installed) {
    assert!(!agent.shared("overlap").exists(), "two agents of one task lived at once: {:?}", agent.starts());
}

/// One sentence for a person: `host: …`, on one line, without a backtrace.
pub fn assert_one_sentence(stderr: &str) {
    assert_eq!(stderr.trim_end().lines().count(), 1, "more than one line: {stderr}");
    assert!(stderr.starts_with("host: "), "{stderr}");
    for noise in ["panicked", "Error {", "Os {", "backtrace"] {
        assert!(!stderr.contains(noise), "{stderr}");
    }
}
