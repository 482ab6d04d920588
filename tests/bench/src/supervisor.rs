//! What the supervisor of an agent costs: its memory, for as long as the agent
//! works, and the time that it adds to a start.
//!
//! The supervisor under measurement is the real `host shim`. Nothing else runs from
//! the same file meanwhile, so that whatever it touches of it counts as its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use hostler_agents::{Agent, Agents, Containment, DEFAULT_GRACE, Launch, Limits, Output, Sandbox, Stdin};
use hostler_engine::outcome::EndReason;

use crate::rounds::{Figure, median};

/// Starts on each side.
const ROUNDS: u32 = 41;

/// Supervisors whose memory is looked at.
const LOOKS: u32 = 5;

/// Until a supervisor that has started its agent has come to rest.
const SETTLES: Duration = Duration::from_millis(300);

/// Both measures; without the first where the system does not tell.
pub fn measure() -> anyhow::Result<Vec<Figure>> {
    let place = tempfile::tempdir()?;
    let agents = Agents::new(host()?, vec!["shim".into()]);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let mut figures = Vec::from_iter(memory(&agents, place.path()).await?);
        figures.push(start(&agents, place.path()).await?);
        Ok(figures)
    })
}

/// The program that was built beside this one.
fn host() -> anyhow::Result<PathBuf> {
    let host = std::env::current_exe()?.with_file_name("host");
    ensure!(host.is_file(), "{} is not built: run `cargo xtask bench`", host.display());
    Ok(host)
}

async fn memory(agents: &Agents, place: &Path) -> anyhow::Result<Option<Figure>> {
    let (mut supervisors, mut plain) = (Vec::new(), Vec::new());
    for look in 0..LOOKS {
        let agent = agents.start(launch(place, "memory", look, &["/bin/sleep", "60"])).await?;
        tokio::time::sleep(SETTLES).await;
        let sleep = agent.record.agent.as_ref().context("an agent that is not recorded")?.pid;
        let mut own = 0;
        // The first process of a PID namespace is the supervisor's too.
        for pid in with_children(agent.record.shim.pid).into_iter().filter(|pid| *pid != sleep) {
            let Some(private) = own_memory(pid) else { return Ok(None) };
            own += private;
        }
        supervisors.push(own);
        plain.push(own_memory(sleep).unwrap_or_default());
        end(agent).await?;
    }
    Ok(Some(Figure {
        name: "supervisor: private memory",
        measured: mebibytes(median(supervisors)),
        floor: mebibytes(median(plain)),
        unit: "MiB",
        aim: "< 3 MiB",
        against: "a `sleep`",
    }))
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// A process and its children, as `/proc` tells.
fn with_children(pid: i32) -> Vec<i32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    std::iter::once(pid).chain(children.split_whitespace().filter_map(|child| child.parse().ok())).collect()
}

/// Bytes that are a process's own. What it has in common with others does not count:
/// nearly everything for a supervisor and the first process of its namespace, which
/// in the whole (Pss) take about twice as much.
fn own_memory(pid: i32) -> Option<u64> {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let kibibytes = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    Some(rollup.lines().filter(|line| line.starts_with("Private_")).filter_map(kibibytes).sum::<u64>() * 1024)
}

/// From the order to the word that the agent runs, against a plain start.
async fn start(agents: &Agents, place: &Path) -> anyhow::Result<Figure> {
    let (mut supervised, mut plain) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let began = Instant::now();
        let mut child = Command::new("/bin/true").stdin(Stdio::null()).spawn()?;
        plain.push(began.elapsed());
        child.wait()?;
        let launch = launch(place, "start", round, &["/bin/true"]);
        let began = Instant::now();
        let agent = agents.start(launch).await?;
        supervised.push(began.elapsed());
        end(agent).await?;
    }
    Ok(Figure {
        name: "supervisor: start",
        measured: median(supervised).as_secs_f64() * 1e3,
        floor: median(plain).as_secs_f64() * 1e3,
        unit: "ms",
        aim: "5 ms more",
        against: "a plain start of `true`",
    })
}

fn launch(place: &Path, run: &str, attempt: u32, words: &[&str]) -> Launch {
    Launch {
        run: run.to_owned(),
        attempt: attempt + 1,
        program: words[0].into(),
        args: words[1..].iter().map(Into::into).collect(),
        env: Vec::new(),
        cwd: place.to_owned(),
        folder: place.join(format!("{run}-{attempt}")),
        stdin: Stdin::Closed,
        limits: Limits::default(),
        containment: Containment::default(),
        sandbox: Sandbox::None,
        secrets: Vec::new(),
    }
}

async fn end(mut agent: Agent) -> anyhow::Result<()> {
    agent.handle().end(EndReason::Stopping, DEFAULT_GRACE).await;
    while let Some(output) = agent.next().await {
        if let Output::Exited(exit) = output {
            ensure!(exit.tree.is_empty(), "something of an agent is left: {:?}", exit.tree);
            return Ok(());
        }
    }
    anyhow::bail!("an agent went to another host")
}
