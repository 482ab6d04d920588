//! What holds an agent's processes together and to their limits, and what was left of
//! them: as an attempt's records say, and as a trial on this machine shows.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use hostler_agents::{
    Agent, AgentRecord, ContainedBy, Containment, Exit, Launch, LimitedBy, Limits, Output, Sandbox,
    StartError, Stdin, TreeProof,
};
use hostler_engine::sandbox::Tier;
use hostler_engine::task::RunId;

use crate::home::Home;

/// More than any program needs to say its version; a limit only has to be set for the
/// trial to show what keeps it. In bytes.
const TRIAL_MEMORY: u64 = 1 << 30;

/// How one attempt was supervised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supervision {
    /// What kept its processes together.
    pub contained_by: ContainedBy,
    /// How far it was walled in.
    pub sandbox: Tier,
    /// What held it to its limits; nothing where none were set.
    pub limited_by: LimitedBy,
    /// What its supervisor knew at the end; absent while it works, and for ever if the
    /// supervisor was killed.
    pub end: Option<TreeProof>,
}

impl Supervision {
    /// As the attempt's records say. `None` if no process was ever started, or the
    /// records are gone or those of another version.
    pub fn of(home: &Home, run: &RunId, attempt: u32) -> Option<Self> {
        let folder = home.attempt(run, attempt);
        let record = AgentRecord::read(&folder).ok()??;
        let exit = Exit::read(&folder).ok().flatten();
        let AgentRecord { containment: contained_by, sandbox, limited_by, .. } = record;
        Some(Self { contained_by, sandbox, limited_by, end: exit.map(|exit| exit.tree) })
    }
}

/// Starts a program that ends by itself the way agents are started, with limits, and
/// gives what it was supervised by. `shim` is the supervisor's command line. What it
/// writes goes into a new folder below `within`, which is gone afterwards.
pub async fn try_out(
    shim: &[PathBuf],
    program: &Path,
    containment: Containment,
    within: &Path,
) -> Result<Supervision, StartError> {
    let folder = within.join(format!("hostler-trial-{}", uuid::Uuid::new_v4().simple()));
    let launch = Launch {
        run: "trial".to_owned(),
        attempt: 1,
        program: program.to_owned(),
        args: vec![OsString::from("--version")],
        env: Vec::new(),
        cwd: PathBuf::from("/"),
        folder: folder.clone(),
        stdin: Stdin::Closed,
        limits: Limits { memory: Some(TRIAL_MEMORY), cpus: Some(1) },
        containment,
        sandbox: Sandbox::None,
        secrets: Vec::new(),
    };
    let started = crate::host::agents(shim).start(launch).await;
    let found = match started {
        Ok(agent) => Ok(watched(agent).await),
        Err(error) => Err(error),
    };
    // What stays is a few empty files that the next clean-up of temporary files takes.
    let _ = std::fs::remove_dir_all(folder);
    found
}

async fn watched(mut agent: Agent) -> Supervision {
    let AgentRecord { containment: contained_by, sandbox, limited_by, .. } = agent.record;
    let mut end = None;
    while let Some(output) = agent.next().await {
        if let Output::Exited(exit) = output {
            end = Some(exit.tree);
        }
    }
    Supervision { contained_by, sandbox, limited_by, end }
}
