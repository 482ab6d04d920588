//! The vocabulary between the host and a provider plugin.

use hostler_engine::event::{Event, LogLine};
use hostler_engine::outcome::EndReason;
use hostler_engine::plan::Permission;
use serde::{Deserialize, Serialize};

/// What is known of a CLI on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capabilities {
    /// As the CLI printed it, trimmed; empty if it could not be told.
    pub version: String,
    /// Names from the contract: `json-output`, `resume`, `cost`, `mcp`,
    /// `input-while-running`.
    pub names: Vec<String>,
}

/// One attempt, before it starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The rendered prompt.
    pub prompt: String,
    /// A file that holds the same prompt.
    pub prompt_file: String,
    /// Absolute path of the workspace.
    pub cwd: String,
    /// Session to resume.
    pub session: Option<String>,
    /// Already cut down to what the operator allows.
    pub permission: Permission,
    /// Model name, if any was chosen.
    pub model: Option<String>,
    /// Counts from 1.
    pub attempt: u32,
    /// The plugin's configuration as a JSON object, without secrets.
    pub config: String,
}

/// Values for one of the granted command lines. The values are not checked yet:
/// that happens against the grant, where the process is started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invocation {
    /// Name of the command: `start`, `resume`.
    pub command: String,
    /// Slot names and values.
    pub slots: Vec<(String, String)>,
    /// For the agent's standard input.
    pub stdin: Option<Vec<u8>>,
    /// Whether standard input stays open for later messages.
    pub keep_stdin: bool,
}

/// Which of the agent's streams a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamName {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// One line of an agent's output, without its line end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The text. Sessions cut it at [`crate::limits::LINE_BYTES`].
    pub text: String,
    /// The line was longer and has been cut.
    pub cut: bool,
}

/// How an agent's process ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitStatus {
    /// Exit code, if it ended by itself.
    pub code: Option<i32>,
    /// Signal number, if it was ended by one.
    pub signal: Option<i32>,
    /// Why the host ended it, if it did.
    pub ended_by_host: Option<EndReason>,
}

/// What a session answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionOutput {
    /// Something the agent said or did.
    Event(Event),
    /// Bytes for the agent's standard input.
    Stdin(Vec<u8>),
    /// No more will come for its standard input.
    CloseStdin,
    /// For the host's log.
    Log(LogLine),
    /// Something this host does not know: name and JSON.
    Other(String, String),
}
