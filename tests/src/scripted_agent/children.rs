//! Processes the agent leaves behind. Each is this program again in another
//! role, so that it is found by its executable and needs nothing else installed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::player::PlayError;
use super::starts::{StartLog, read_starts};
use super::step::ChildKind;

/// First argument of a process that was left behind; the second describes it.
pub(super) const ROLE: &str = "--scripted-child";

/// Nothing the agent starts lives longer, even if the test that should end it crashes.
pub(super) const LONGEST_LIFE: Duration = Duration::from_mins(5);

/// How long a re-forker stays one process: shorter than reading `/proc` and acting on it.
const GENERATION: Duration = Duration::from_millis(10);

/// How often a process left behind looks whether its test is over.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Sets SIGTERM aside before this program begins. A handler installed later would
/// leave a moment in which the signal ends it, and would not be inherited.
const IGNORING_TERM: &str = r#"trap "" TERM; exec "$0" "$@""#;

/// A started process says it is ready within this time, or the machine is stuck.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// What a process left behind is to be; carried in its arguments.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Child {
    kind: ChildKind,
    ignores_term: bool,
    log: PathBuf,
    number: usize,
    /// Milliseconds since 1970 after which it ends by itself.
    until_ms: u64,
    stage: Stage,
}

/// How far along its line a process stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// Starts the process that stays, and ends.
    Between,
    /// Tells the log that it is there, and stays.
    First,
    /// Continues a re-forker's line.
    Later,
}

/// Leaves a process behind and returns once it runs as described.
pub(super) fn leave_behind(
    log: &StartLog,
    kind: ChildKind,
    holds_stdout: bool,
    ignores_term: bool,
) -> Result<(), PlayError> {
    let before = children_of(log)?;
    let child = Child {
        kind,
        ignores_term: ignores_term || kind == ChildKind::Reforker,
        log: log.path().to_owned(),
        number: log.number(),
        until_ms: now_ms() + u64::try_from(LONGEST_LIFE.as_millis()).unwrap_or(u64::MAX),
        stage: if kind.has_stages() { Stage::Between } else { Stage::First },
    };
    let stdout = if holds_stdout { Stdio::inherit() } else { Stdio::null() };
    let mut process = child.command()?.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::null()).spawn()?;
    if child.stage == Stage::Between {
        process.wait()?;
    }
    let asked = Instant::now();
    while children_of(log)? == before {
        if asked.elapsed() > READY_WITHIN {
            return Err(PlayError::ChildNotReady { kind });
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// The whole life of a process that was left behind.
pub(super) fn live(description: &str) -> Result<(), PlayError> {
    let child: Child = serde_json::from_str(description).map_err(std::io::Error::other)?;
    if child.stage == Stage::Between {
        child.next(Stage::First).command()?.spawn()?;
        return Ok(());
    }
    if child.stage == Stage::First {
        if child.kind != ChildKind::Plain {
            rustix::process::setsid().map_err(std::io::Error::from)?;
        }
        StartLog::of(child.log.clone(), child.number).child(child.kind)?;
    }
    if child.kind != ChildKind::Reforker {
        linger(&child.log, Duration::from_millis(child.until_ms.saturating_sub(now_ms())));
        return Ok(());
    }
    std::thread::sleep(GENERATION);
    if child.log.exists() && now_ms() < child.until_ms {
        child.next(Stage::Later).command()?.spawn()?;
    }
    Ok(())
}

/// Does nothing for as long as the log is there: what a test forgot to end goes
/// away with the test's folder.
pub(super) fn linger(log: &Path, longest: Duration) {
    let since = Instant::now();
    while log.exists() && since.elapsed() < longest {
        std::thread::sleep(LOOK_EVERY);
    }
}

impl Child {
    fn next(&self, stage: Stage) -> Self {
        Self { stage, ..self.clone() }
    }

    fn command(&self) -> Result<Command, PlayError> {
        let description = serde_json::to_string(self).map_err(std::io::Error::other)?;
        let program = std::env::current_exe()?;
        // Later stages inherit what the first one ignores.
        let first_of_all = self.stage == Stage::Between || !self.kind.has_stages();
        let mut command = if self.ignores_term && first_of_all {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", IGNORING_TERM]).arg(program);
            shell
        } else {
            Command::new(program)
        };
        command.arg(ROLE).arg(description);
        Ok(command)
    }
}

impl ChildKind {
    /// Whether a process between starts the one that stays.
    fn has_stages(self) -> bool {
        matches!(self, Self::Daemon | Self::Reforker)
    }
}

fn children_of(log: &StartLog) -> Result<usize, PlayError> {
    let starts = read_starts(log.path())?;
    let own = starts.iter().find(|start| start.number == log.number());
    Ok(own.map_or(0, |start| start.children.len()))
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}
