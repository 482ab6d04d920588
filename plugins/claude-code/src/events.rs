//! The lines of Claude Code's `stream-json`, as far as we read them.
//!
//! One flat struct for every type of line: the `type` stands anywhere in a line,
//! at its end in the longest ones. What may be large or odd stays unparsed.

use std::collections::BTreeMap;

use hostler_sdk::Usage;
use hostler_sdk::json::{Number, Text};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Any line.
#[derive(Debug, Deserialize)]
pub struct Line<'a> {
    #[serde(rename = "type", borrow, default)]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub subtype: Text<'a>,
    #[serde(borrow, default)]
    pub session_id: Text<'a>,
    /// `system/init`.
    #[serde(borrow, default)]
    pub model: Text<'a>,
    /// An object in `assistant` and `user`, a text in `system` lines.
    #[serde(borrow, default)]
    pub message: Option<&'a RawValue>,
    /// `rate_limit_event`.
    #[serde(borrow, default)]
    pub rate_limit_info: Option<&'a RawValue>,
    /// `assistant` and `system/api_retry`: the kind of failure.
    #[serde(borrow, default)]
    pub error: Text<'a>,
    /// `system/api_retry`.
    #[serde(default)]
    pub error_status: Number,
    #[serde(default)]
    pub attempt: Number,
    #[serde(default)]
    pub max_retries: Number,
    /// `system/permission_denied`.
    #[serde(borrow, default)]
    pub tool_name: Text<'a>,
    #[serde(borrow, default)]
    pub tool_use_id: Text<'a>,
}

/// The message of an `assistant` or `user` line.
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    /// A list of blocks, or a text.
    #[serde(borrow, default)]
    pub content: Option<&'a RawValue>,
}

/// One block of a message.
#[derive(Debug, Deserialize)]
pub struct Block<'a> {
    #[serde(rename = "type", borrow, default)]
    pub kind: Text<'a>,
    #[serde(borrow, default)]
    pub text: Text<'a>,
    #[serde(borrow, default)]
    pub id: Text<'a>,
    #[serde(borrow, default)]
    pub name: Text<'a>,
    #[serde(borrow, default)]
    pub input: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub tool_use_id: Text<'a>,
    #[serde(default)]
    pub is_error: Option<bool>,
}

/// The parts of a tool's input that name what it works on.
#[derive(Debug, Default, Deserialize)]
pub struct ToolInput<'a> {
    #[serde(borrow, default)]
    pub command: Text<'a>,
    #[serde(borrow, default)]
    pub file_path: Text<'a>,
    #[serde(borrow, default)]
    pub pattern: Text<'a>,
    #[serde(borrow, default)]
    pub url: Text<'a>,
    #[serde(borrow, default)]
    pub description: Text<'a>,
    /// Of `AskUserQuestion`.
    #[serde(borrow, default)]
    pub questions: Option<&'a RawValue>,
}

impl ToolInput<'_> {
    /// The most telling part.
    pub fn summary(&self) -> &str {
        let parts = [&self.command, &self.file_path, &self.pattern, &self.url, &self.description];
        parts.into_iter().map(|part| &**part).find(|part| !part.is_empty()).unwrap_or_default()
    }
}

/// One question of `AskUserQuestion`.
#[derive(Debug, Deserialize)]
pub struct Question<'a> {
    #[serde(borrow, default)]
    pub question: Text<'a>,
}

/// The state of a subscription's allowance.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RateLimit<'a> {
    #[serde(borrow, default)]
    pub status: Text<'a>,
    /// Seconds since 1970.
    #[serde(default)]
    pub resets_at: Number,
    #[serde(rename = "rateLimitType", borrow, default)]
    pub window: Text<'a>,
    #[serde(default)]
    pub utilization: Number,
}

/// The `result` line.
#[derive(Debug, Deserialize)]
pub struct ResultLine<'a> {
    #[serde(borrow, default)]
    pub subtype: Text<'a>,
    #[serde(default)]
    pub is_error: bool,
    #[serde(borrow, default)]
    pub result: Text<'a>,
    #[serde(default)]
    pub errors: Vec<Text<'a>>,
    #[serde(borrow, default)]
    pub terminal_reason: Text<'a>,
    #[serde(default)]
    pub api_error_status: Number,
    #[serde(borrow, default)]
    pub api_error: Text<'a>,
    #[serde(borrow, default)]
    pub startup_failure_reason: Text<'a>,
    #[serde(default)]
    pub total_cost_usd: Number,
    #[serde(default)]
    pub usage: TokenUsage,
    #[serde(default)]
    pub model_usage_since_last_result: BTreeMap<String, ModelUsage>,
    #[serde(default)]
    pub permission_denials: Vec<PermissionDenial>,
}

/// Anthropic's counts: the parts of the input do not overlap.
#[derive(Debug, Default, Deserialize)]
#[allow(clippy::struct_field_names, reason = "they are the line's own names")]
pub struct TokenUsage {
    #[serde(default)]
    pub input_tokens: Number,
    #[serde(default)]
    pub output_tokens: Number,
    #[serde(default)]
    pub cache_creation_input_tokens: Number,
    #[serde(default)]
    pub cache_read_input_tokens: Number,
}

/// The same per model, with its price.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelUsage {
    #[serde(default)]
    pub input_tokens: Number,
    #[serde(default)]
    pub output_tokens: Number,
    #[serde(default)]
    pub cache_creation_input_tokens: Number,
    #[serde(default)]
    pub cache_read_input_tokens: Number,
    #[serde(default, rename = "costUSD")]
    pub cost_usd: Number,
}

/// A tool use that was denied; only their number matters.
#[derive(Debug, Deserialize)]
pub struct PermissionDenial {}

impl ResultLine<'_> {
    /// What this turn used. The line's totals run on over a resumed session, so
    /// the counts since the last result come first; without them the cost of a
    /// resumed session cannot be told.
    pub fn turn_usage(&self, resumed: bool) -> Usage {
        if self.model_usage_since_last_result.is_empty() {
            let counts = &self.usage;
            let cached = counts.cache_read_input_tokens.count();
            return Usage {
                input_tokens: input_tokens(counts.input_tokens, counts.cache_creation_input_tokens, cached),
                output_tokens: counts.output_tokens.count(),
                cached_tokens: cached,
                cost_usd: self.total_cost_usd.0.filter(|_| !resumed),
            };
        }
        let mut total = Usage::default();
        for counts in self.model_usage_since_last_result.values() {
            let cached = counts.cache_read_input_tokens.count();
            let part = Usage {
                input_tokens: input_tokens(counts.input_tokens, counts.cache_creation_input_tokens, cached),
                output_tokens: counts.output_tokens.count(),
                cached_tokens: cached,
                cost_usd: counts.cost_usd.0,
            };
            total.add(&part);
        }
        total
    }
}

fn input_tokens(fresh: Number, written: Number, cached: u32) -> u32 {
    fresh.count().saturating_add(written.count()).saturating_add(cached)
}
