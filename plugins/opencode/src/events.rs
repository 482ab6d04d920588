//! The lines of `opencode run --format json`, as far as we read them.

use hostler_sdk::Usage;
use hostler_sdk::json::{Number, Text};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Any line.
#[derive(Debug, Deserialize)]
pub struct Line<'a> {
    #[serde(rename = "type", borrow, default)]
    pub kind: Text<'a>,
    #[serde(rename = "sessionID", borrow, default)]
    pub session: Text<'a>,
    #[serde(borrow, default)]
    pub part: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
}

/// The part of `text`, `tool_use` and `step_finish`.
#[derive(Debug, Deserialize)]
pub struct Part<'a> {
    #[serde(borrow, default)]
    pub text: Text<'a>,
    #[serde(borrow, default)]
    pub tool: Text<'a>,
    #[serde(rename = "callID", borrow, default)]
    pub call: Text<'a>,
    #[serde(borrow, default)]
    pub state: Option<&'a RawValue>,
    /// Why a step finished: `stop`, `tool-calls`, `length`, `unknown`, ….
    #[serde(borrow, default)]
    pub reason: Text<'a>,
    #[serde(default)]
    pub tokens: Tokens,
    #[serde(default)]
    pub cost: Number,
}

/// A tool use; it is printed once, when it is over.
#[derive(Debug, Deserialize)]
pub struct ToolState<'a> {
    #[serde(borrow, default)]
    pub status: Text<'a>,
    #[serde(borrow, default)]
    pub title: Text<'a>,
    #[serde(borrow, default)]
    pub error: Text<'a>,
    #[serde(borrow, default)]
    pub input: Option<&'a RawValue>,
}

/// The parts of a tool's input that name what it works on.
#[derive(Debug, Default, Deserialize)]
pub struct ToolInput<'a> {
    #[serde(borrow, default)]
    pub command: Text<'a>,
    #[serde(rename = "filePath", borrow, default)]
    pub file: Text<'a>,
    #[serde(borrow, default)]
    pub pattern: Text<'a>,
}

/// Counts of one step; they do not overlap.
#[derive(Debug, Default, Deserialize)]
pub struct Tokens {
    #[serde(default)]
    pub input: Number,
    #[serde(default)]
    pub output: Number,
    #[serde(default)]
    pub reasoning: Number,
    #[serde(default)]
    pub cache: CacheTokens,
}

/// What went through the cache.
#[derive(Debug, Default, Deserialize)]
pub struct CacheTokens {
    #[serde(default)]
    pub read: Number,
    #[serde(default)]
    pub write: Number,
}

/// An `error` line's error.
#[derive(Debug, Deserialize)]
pub struct Failure<'a> {
    #[serde(borrow, default)]
    pub name: Text<'a>,
    #[serde(borrow, default)]
    pub data: Option<&'a RawValue>,
}

/// The details of an error.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FailureData<'a> {
    #[serde(borrow, default)]
    pub message: Text<'a>,
    #[serde(default)]
    pub status_code: Number,
    #[serde(borrow, default)]
    pub response_body: Text<'a>,
}

impl Part<'_> {
    /// What this step used.
    pub fn usage(&self) -> Usage {
        let (tokens, cache) = (&self.tokens, &self.tokens.cache);
        let input =
            tokens.input.count().saturating_add(cache.write.count()).saturating_add(cache.read.count());
        Usage {
            input_tokens: input,
            output_tokens: tokens.output.count().saturating_add(tokens.reasoning.count()),
            cached_tokens: cache.read.count(),
            cost_usd: self.cost.0,
        }
    }
}

impl ToolInput<'_> {
    /// The most telling part.
    pub fn summary(&self) -> &str {
        let parts = [&self.command, &self.file, &self.pattern];
        parts.into_iter().map(|part| &**part).find(|part| !part.is_empty()).unwrap_or_default()
    }
}
