//! The lines of `codex exec --json`, as far as we read them.

use hostler_sdk::Usage;
use hostler_sdk::json::{Number, Text};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Any line.
#[derive(Debug, Deserialize)]
pub struct Line<'a> {
    #[serde(rename = "type", borrow, default)]
    pub kind: Text<'a>,
    /// `thread.started`.
    #[serde(borrow, default)]
    pub thread_id: Text<'a>,
    /// `item.*`.
    #[serde(borrow, default)]
    pub item: Option<&'a RawValue>,
    /// `turn.completed`.
    #[serde(borrow, default)]
    pub usage: Option<&'a RawValue>,
    /// `error`.
    #[serde(borrow, default)]
    pub message: Text<'a>,
    /// `turn.failed`.
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
}

/// Why a turn failed.
#[derive(Debug, Deserialize)]
pub struct Failure<'a> {
    #[serde(borrow, default)]
    pub message: Text<'a>,
}

/// Something the agent did.
#[derive(Debug, Deserialize)]
pub struct Item<'a> {
    #[serde(borrow, default)]
    pub id: Text<'a>,
    #[serde(rename = "type", borrow, default)]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub status: Text<'a>,
    /// `agent_message`, `reasoning`.
    #[serde(borrow, default)]
    pub text: Text<'a>,
    /// `command_execution`.
    #[serde(borrow, default)]
    pub command: Text<'a>,
    /// `file_change`.
    #[serde(borrow, default)]
    pub changes: Option<&'a RawValue>,
    /// `mcp_tool_call`.
    #[serde(borrow, default)]
    pub server: Text<'a>,
    #[serde(borrow, default)]
    pub tool: Text<'a>,
    /// `web_search`.
    #[serde(borrow, default)]
    pub query: Text<'a>,
    /// `error`: not the end, only worth knowing.
    #[serde(borrow, default)]
    pub message: Text<'a>,
}

/// One file of a `file_change`.
#[derive(Debug, Deserialize)]
pub struct Change<'a> {
    #[serde(borrow, default)]
    pub path: Text<'a>,
}

impl Item<'_> {
    /// Name and summary of a tool use, if this item is one.
    pub fn tool_use(&self) -> Option<(String, String)> {
        let text = |text: &Text| text.0.clone().into_owned();
        Some(match &*self.kind {
            "command_execution" => ("shell".into(), text(&self.command)),
            "file_change" => ("edit".into(), self.changed_paths()),
            "mcp_tool_call" => (format!("{}/{}", &*self.server, &*self.tool), String::new()),
            "web_search" => ("web search".into(), text(&self.query)),
            _ => return None,
        })
    }

    fn changed_paths(&self) -> String {
        let changes: Option<Vec<Change>> = self.changes.and_then(|raw| serde_json::from_str(raw.get()).ok());
        let paths: Vec<String> =
            changes.unwrap_or_default().into_iter().map(|change| change.path.0.into()).collect();
        paths.join(", ")
    }
}

/// Counts of a turn: the cached ones are part of the input, reasoning is part of
/// the output.
#[derive(Debug, Deserialize)]
#[allow(clippy::struct_field_names, reason = "they are the line's own names")]
pub struct TokenUsage {
    #[serde(default)]
    pub input_tokens: Number,
    #[serde(default)]
    pub cached_input_tokens: Number,
    #[serde(default)]
    pub output_tokens: Number,
}

impl From<TokenUsage> for Usage {
    fn from(counts: TokenUsage) -> Self {
        Self {
            input_tokens: counts.input_tokens.count(),
            output_tokens: counts.output_tokens.count(),
            cached_tokens: counts.cached_input_tokens.count(),
            cost_usd: None,
        }
    }
}
