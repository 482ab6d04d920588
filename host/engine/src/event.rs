//! What a provider's output said, in a form that is the same for all CLIs.

use serde::{Deserialize, Serialize};

use crate::outcome::Usage;
use crate::time::Timestamp;

/// Severity of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// For plugin authors.
    Debug,
    /// Normal.
    #[default]
    Info,
    /// Somebody should look some day.
    Warn,
    /// Something does not work.
    Error,
}

impl Level {
    /// Reads the name used in the contract; unknown ones count as `info`.
    pub fn from_name(name: &str) -> Self {
        match name {
            "debug" => Self::Debug,
            "warn" => Self::Warn,
            "error" => Self::Error,
            _ => Self::Info,
        }
    }
}

/// One line a plugin wants in the host's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// Severity.
    pub level: Level,
    /// Text, already freed of control characters.
    pub message: String,
}

/// What a tool use is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ToolState {
    /// Under way.
    Started,
    /// Done.
    Finished,
    /// Done, without success.
    Failed,
    /// Not allowed.
    Denied,
}

/// One normalised thing that a provider's output said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Event {
    /// The CLI is up.
    Started {
        /// Its conversation id.
        session: Option<String>,
        /// The model it says it uses.
        model: Option<String>,
    },
    /// Text from the model.
    Text {
        /// The text.
        text: String,
    },
    /// The model uses a tool.
    Tool {
        /// The same for start and end of one use.
        id: String,
        /// The CLI's name of the tool.
        name: String,
        /// One line for people.
        summary: String,
        /// Where it is at.
        state: ToolState,
    },
    /// Running totals of this attempt.
    Usage {
        /// The totals.
        usage: Usage,
    },
    /// The agent asks and cannot go on without an answer.
    Question {
        /// What it asks.
        text: String,
    },
    /// The account's allowance is used up, or nearly.
    Quota {
        /// Used up; else only a warning.
        exhausted: bool,
        /// When it is renewed.
        resets_at: Option<Timestamp>,
        /// What the CLI said.
        message: String,
    },
    /// The CLI is alive but failing.
    Retrying {
        /// What the CLI said.
        message: String,
    },
    /// Worth a line in the log.
    Notice {
        /// The line.
        line: LogLine,
    },
    /// The CLI said it is finished.
    Finished {
        /// Whether it says it succeeded.
        success: bool,
        /// Its closing text.
        summary: String,
    },
    /// Anything else.
    Other {
        /// What it is.
        name: String,
        /// JSON.
        details: String,
    },
}

impl Event {
    /// The event as one line for people; `None` for what is not worth one.
    pub fn headline(&self) -> Option<String> {
        match self {
            Self::Started { model, .. } => Some(match model {
                Some(model) => format!("started, model {model}"),
                None => "started".to_owned(),
            }),
            Self::Text { text } => first_line(text),
            Self::Tool { name, summary, state, .. } => match state {
                ToolState::Started => Some(format!("{name} {summary}").trim_end().to_owned()),
                ToolState::Finished => None,
                ToolState::Failed => Some(format!("{name} failed: {summary}")),
                ToolState::Denied => Some(format!("{name} was not allowed: {summary}")),
            },
            Self::Usage { .. } | Self::Other { .. } => None,
            Self::Question { text } => Some(format!("asks: {}", first_line(text)?)),
            Self::Quota { message, .. } => Some(format!("quota: {message}")),
            Self::Retrying { message } => Some(format!("retrying: {message}")),
            Self::Notice { line } => Some(line.message.clone()),
            Self::Finished { success: true, .. } => Some("finished".to_owned()),
            Self::Finished { success: false, .. } => Some("finished without success".to_owned()),
        }
    }
}

fn first_line(text: &str) -> Option<String> {
    text.lines().map(str::trim).find(|line| !line.is_empty()).map(str::to_owned)
}
