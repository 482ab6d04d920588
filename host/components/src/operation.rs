//! The vocabulary between the host and a tracker plugin.

use hostler_engine::event::LogLine;
use hostler_engine::follow_up::Told;
use hostler_engine::outcome::Usage;
use hostler_engine::problem::Problem;
use hostler_engine::report::Report;
use hostler_engine::request::PluginEffect;
use hostler_engine::task::{Claim, Control, RunId, RunRef, Runner, Task};
use hostler_engine::time::{Millis, Timestamp};
use serde::{Deserialize, Serialize};

/// What the host wants done at the tracker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// Say who we are.
    Register(Runner),
    /// Show or give at most this many tasks.
    Poll(u32),
    /// Make an offered task ours.
    Claim(RunRef),
    /// Renew leases, bring control.
    Heartbeat(Vec<RunStatus>),
    /// Show how a run gets on.
    Progress(RunRef, Vec<Progress>),
    /// The terminal report.
    Report(RunRef, Box<Report>),
    /// Give a task back untouched.
    Release(RunRef),
    /// Something has come back to the work of a run that is over.
    FollowUp(RunRef, Told),
}

/// What a run is doing, for a heartbeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunStatus {
    /// Which run.
    pub at: RunRef,
    /// `preparing`, `running`, `ending`, `waiting` or `reporting`.
    pub state: String,
    /// Counts from 1.
    pub attempt: u32,
    /// Since the claim.
    pub elapsed: Millis,
    /// So far.
    pub usage: Usage,
}

/// One line of progress, safe to show in the tracker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Grows by one within a run.
    pub sequence: u32,
    /// When it happened.
    pub at: Timestamp,
    /// `started`, `text`, `tool`, `notice`, `attempt-ended`.
    pub kind: String,
    /// One line.
    pub text: String,
}

/// Names an operation within one connection; chosen by the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OperationId(pub u32);

/// Names an effect within one connection; chosen by the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallId(pub u32);

/// What a connection answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrackerOutput {
    /// Please do this, and resume the connection with what came of it.
    Effect(CallId, PluginEffect),
    /// Tasks that can be claimed.
    Offered(Vec<Task>),
    /// Tasks that are ours now.
    Claimed(Vec<Given>),
    /// A word from the tracker about a run.
    Control(RunId, Control),
    /// When to poll next.
    Pace(Millis),
    /// The operation has ended.
    Done(OperationId, Result<(), Problem>),
    /// For the host's log.
    Log(LogLine),
    /// Something this host does not know: name and JSON.
    Other(String, String),
}

/// A task that is ours now, with what its agents are to have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// What may be written down.
    pub claim: Claim,
    /// What may not.
    #[serde(skip)]
    pub environment: AgentEnvironment,
}

/// Environment variables for the agents of one run. Never printed or serialised.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct AgentEnvironment(Vec<(String, String)>);

impl AgentEnvironment {
    /// Wraps names and values.
    pub fn new(variables: Vec<(String, String)>) -> Self {
        Self(variables)
    }

    /// Names and values, for the agent's process and nobody else.
    pub fn reveal(&self) -> &[(String, String)] {
        &self.0
    }
}

impl std::fmt::Debug for AgentEnvironment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(name, _)| name)).finish()
    }
}

/// One message on a socket, in either direction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The plugin's name for the socket.
    pub socket: String,
    /// What it carries.
    pub payload: Payload,
}

/// What a frame carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// Text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// The socket is open.
    Opened,
    /// The socket is closed: code and reason.
    Closed(u16, String),
}

/// Where an attempt works, for its prompt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workplace {
    /// The branch that is checked out.
    pub branch: String,
    /// Object id it started from.
    pub base: String,
    /// Whether an earlier attempt's work is still in it.
    pub continued: bool,
}
