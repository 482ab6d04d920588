//! What all tests of real processes need: a start, a wait with a deadline, and a
//! look at who still lives.
#![allow(clippy::unwrap_used, dead_code, reason = "each test binary uses its part")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostler_agents::{
    Agent, AgentRecord, Agents, Containment, Exit, Launch, Limits, Output, Sandbox, Stdin, Stream,
};
use tempfile::TempDir;

#[cfg(target_os = "linux")]
pub mod machine;

pub const FIXTURE: &str = env!("CARGO_BIN_EXE_hostler-agents-fixture");

/// Longer than anything a test waits for, and within what a test may take.
pub const PATIENCE: Duration = Duration::from_secs(9);

pub struct Bench {
    pub home: TempDir,
    pub agents: Agents,
    /// Unique to this test: other tests run at the same time.
    pub run: String,
    pub folder_name: PathBuf,
}

impl Bench {
    pub fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    pub fn at(home: TempDir) -> Self {
        let run = format!("run-{}", home.path().file_name().unwrap().to_string_lossy());
        let folder_name = home.path().join("attempt");
        Self { home, agents: Agents::new(FIXTURE.into(), vec!["shim".into()]), run, folder_name }
    }

    pub fn folder(&self) -> PathBuf {
        self.folder_name.clone()
    }

    pub fn record(&self) -> AgentRecord {
        serde_json::from_slice(&std::fs::read(self.folder().join(hostler_agents::RECORD_FILE)).unwrap())
            .unwrap()
    }

    /// A shell script as an agent.
    pub fn launch(&self, script: &str) -> Launch {
        Launch {
            run: self.run.clone(),
            attempt: 1,
            program: "sh".into(),
            args: vec!["-c".into(), script.into()],
            env: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
            cwd: self.home.path().to_owned(),
            folder: self.folder(),
            stdin: Stdin::Closed,
            limits: Limits::default(),
            containment: Containment::Auto,
            sandbox: Sandbox::None,
            secrets: Vec::new(),
        }
    }

    pub async fn start(&self, script: &str) -> Agent {
        self.agents.start(self.launch(script)).await.unwrap()
    }

    /// Every live process that carries this test's marker.
    pub fn marked(&self) -> Vec<i32> {
        let wanted = format!("HOSTLER_RUN={}", self.run);
        pids()
            .filter(|pid| is_alive(*pid) && environ(*pid).split('\0').any(|entry| entry == wanted))
            .collect()
    }
}

impl Drop for Bench {
    /// Whatever a failed test leaves behind.
    fn drop(&mut self) {
        for pid in self.marked() {
            kill(pid);
        }
    }
}

pub fn pids() -> impl Iterator<Item = i32> {
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

fn environ(pid: i32) -> String {
    String::from_utf8_lossy(&std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()).into_owned()
}

/// Runs, and is not a zombie.
pub fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

pub fn kill(pid: i32) {
    send(pid, rustix::process::Signal::KILL);
}

pub fn send(pid: i32, signal: rustix::process::Signal) {
    let _ = rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal);
}

/// Waits for a condition, never for a time.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Everything an agent gives from now on.
#[derive(Debug, Default)]
pub struct Heard {
    pub stdout: Vec<String>,
    pub stderr: Vec<String>,
    pub cut: usize,
    /// Where each batch ended in its log, and how many lines it had.
    pub ends: Vec<(Stream, u64, usize)>,
    pub warnings: Vec<String>,
    pub exits: Vec<Exit>,
}

impl Heard {
    pub fn exit(&self) -> &Exit {
        assert_eq!(self.exits.len(), 1, "one exit, and only one");
        &self.exits[0]
    }
}

pub async fn hear(agent: &mut Agent) -> Heard {
    let mut heard = Heard::default();
    let listening = async {
        while let Some(output) = agent.next().await {
            match output {
                Output::Lines { source, lines, end, last } => {
                    assert!(!lines.is_empty() || last);
                    heard.ends.push((source, end, lines.len()));
                    heard.cut += lines.iter().filter(|line| line.cut).count();
                    let lines = lines.into_iter().map(|line| line.text);
                    match source {
                        Stream::Stdout => heard.stdout.extend(lines),
                        Stream::Stderr => heard.stderr.extend(lines),
                    }
                }
                Output::Warning(warning) => heard.warnings.push(warning.to_string()),
                Output::Exited(exit) => heard.exits.push(exit),
            }
        }
    };
    tokio::time::timeout(PATIENCE, listening).await.expect("the agent should have ended by now");
    heard
}

/// Waits for a line on standard output; everything before it is dropped.
pub async fn hear_line(agent: &mut Agent, wanted: &str) {
    let listening = async {
        while let Some(output) = agent.next().await {
            if let Output::Lines { lines, .. } = output
                && lines.iter().any(|line| line.text == wanted)
            {
                return;
            }
        }
        panic!("it ended without saying `{wanted}`");
    };
    tokio::time::timeout(PATIENCE, listening).await.expect("the line should have come by now");
}

pub fn read_exit(folder: &Path) -> Exit {
    serde_json::from_slice(&std::fs::read(folder.join(hostler_agents::EXIT_FILE)).unwrap()).unwrap()
}
