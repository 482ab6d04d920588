//! What host and shim say to each other: one JSON value per line each way.
//!
//! The first conversation goes over the socket that is the shim's standard
//! input; later ones over the named socket in the attempt's folder, where the
//! host says hello first. A line that one side does not know is of another
//! version and is passed over.

use std::io;

use hostler_engine::outcome::EndReason;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::byte_text::{self, Word};
use crate::containment::Containment;
use crate::exit::Exit;
use crate::folder::AgentRecord;
use crate::limits::Limits;
use crate::sandbox::Plan;
use crate::stdin::Stdin;
use crate::stream::Both;

/// The version of this conversation. It changes only when one side would
/// misunderstand the other; what is merely new is passed over.
pub(crate) const PROTOCOL: u32 = 1;

/// The first line over the first socket: what to start. It may hold secrets of the
/// agent, so it never goes to a file or a command line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Orders {
    pub run: String,
    pub attempt: u32,
    pub folder: Word,
    pub program: Word,
    pub args: Vec<Word>,
    pub env: Vec<(Word, Word)>,
    pub cwd: Word,
    pub stdin: Stdin,
    pub limits: Limits,
    pub containment: Containment,
    /// How to wall the agent in; absent is not at all.
    #[serde(default)]
    pub sandbox: Option<Plan>,
}

impl Orders {
    /// Bytes of arguments and environment, as the system counts them.
    pub(crate) fn size(&self) -> usize {
        let size = |word: &Word| word.as_ref().len() + 1;
        let args: usize = self.args.iter().map(size).sum();
        let env: usize = self.env.iter().map(|(name, value)| size(name) + size(value)).sum();
        args + env
    }
}

/// Every other line from the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Command {
    /// The first over the named socket.
    Hello { protocol: u32, run: String, attempt: u32 },
    /// Instead of a hello: for the listener of the agent's network. It comes with one
    /// byte, and the conversation of whoever is the host goes on.
    Listener { run: String, attempt: u32 },
    /// The first over the first socket once the agent is there: what must not be in
    /// the logs. It comes so late because the first process of a namespace is a copy
    /// of the shim that the agent can look at, and not all of this is the agent's.
    Hide { secrets: Vec<Word> },
    /// End the tree: ask, wait so long, then kill.
    End { reason: EndReason, grace_ms: u64 },
    /// For the agent's standard input; a number that was taken before is not
    /// taken again.
    Input {
        number: u32,
        #[serde(with = "byte_text")]
        bytes: Vec<u8>,
    },
    /// The end of the agent's standard input, numbered like the rest of it.
    CloseInput { number: u32 },
    /// How long from now the agent may go on without being told again; absent is
    /// without an end.
    Keep { lease_ms: Option<u64>, time_ms: Option<u64> },
}

/// What the shim says. The first is one of the first two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Report {
    Here {
        record: AgentRecord,
        state: State,
    },
    NotStarted {
        step: Step,
        errno: i32,
    },
    /// Always the whole, so that a host that is slow to listen misses nothing
    /// that still matters.
    State(State),
    /// Another host speaks for the agent now.
    TakenOver,
    Exited(Exit),
}

/// How far everything is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct State {
    pub logs: Both<Reached>,
    pub input: InputState,
}

/// How far a log is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reached {
    /// So many bytes lie in it.
    pub bytes: u64,
    /// There will be no more.
    pub ended: bool,
    pub trouble: Option<Trouble>,
}

/// Why a log does not grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Trouble {
    /// Writing failed, and is tried again.
    Failed { errno: i32 },
    /// It has reached its limit.
    Full,
}

/// How far the agent's standard input is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct InputState {
    /// The last number that was taken.
    pub taken: u32,
    /// The last number that the agent's pipe has wholly.
    pub written: u32,
    /// Whether it takes more.
    pub open: bool,
}

/// Where a start can fail inside the shim.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Step {
    /// Becoming a supervisor.
    Supervise,
    /// Writing into the attempt's folder.
    Record,
    /// Walling the agent in, and what of it.
    Sandbox { doing: String },
    /// Starting the program.
    Exec,
}

/// What one side would understand of a line of the other's, or of a file that it left,
/// written as the other would write it; `None` for what is passed over. For tests that
/// say anything to them.
#[doc(hidden)]
pub fn reread(line: &[u8]) -> Option<Vec<u8>> {
    again::<Command>(line)
        .or_else(|| again::<Report>(line))
        .or_else(|| again::<Orders>(line))
        .or_else(|| again::<AgentRecord>(line))
        .or_else(|| again::<Exit>(line))
}

fn again<T: DeserializeOwned + Serialize>(line: &[u8]) -> Option<Vec<u8>> {
    let said: T = serde_json::from_slice(line).ok()?;
    serde_json::to_vec(&said).ok()
}

/// One line on the socket.
pub(crate) fn to_line(value: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(value)?;
    line.push(b'\n');
    Ok(line)
}
