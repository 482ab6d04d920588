//! The lines of `cursor-agent --output-format stream-json`, as far as we read them.

use std::collections::BTreeMap;

use hostler_sdk::Usage;
use hostler_sdk::json::{Number, Text, parse};
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
    /// `assistant`.
    #[serde(borrow, default)]
    pub message: Option<&'a RawValue>,
    /// `tool_call`; may hold line breaks.
    #[serde(borrow, default)]
    pub call_id: Text<'a>,
    /// `tool_call`: an object with one entry, whose name says which tool it is.
    #[serde(borrow, default)]
    pub tool_call: Option<&'a RawValue>,
    /// `result`.
    #[serde(default)]
    pub is_error: Option<bool>,
    /// `result`: everything the model said.
    #[serde(borrow, default)]
    pub result: Text<'a>,
    /// `result`, in newer versions.
    #[serde(borrow, default)]
    pub usage: Option<&'a RawValue>,
}

/// The message of an `assistant` line.
#[derive(Debug, Deserialize)]
pub struct Message<'a> {
    #[serde(borrow, default)]
    pub content: Option<&'a RawValue>,
}

/// One block of a message.
#[derive(Debug, Deserialize)]
pub struct Block<'a> {
    #[serde(borrow, default)]
    pub text: Text<'a>,
}

/// What stands behind the tool's name.
#[derive(Debug, Default, Deserialize)]
struct Call<'a> {
    #[serde(borrow, default)]
    args: Option<&'a RawValue>,
    #[serde(borrow, default)]
    result: Option<&'a RawValue>,
    /// Of the generic `function`.
    #[serde(borrow, default)]
    name: Text<'a>,
}

/// The parts of a tool's arguments that name what it works on.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Arguments<'a> {
    #[serde(borrow, default)]
    command: Text<'a>,
    #[serde(borrow, default)]
    path: Text<'a>,
    #[serde(borrow, default)]
    pattern: Text<'a>,
    #[serde(borrow, default)]
    glob_pattern: Text<'a>,
    #[serde(borrow, default)]
    query: Text<'a>,
    #[serde(borrow, default)]
    url: Text<'a>,
}

/// How a shell command ended.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Success {
    #[serde(default)]
    exit_code: Number,
}

/// A tool use, in the contract's words.
#[derive(Debug, PartialEq, Eq)]
pub struct Tool {
    /// `shell`, `read`, `write`, ….
    pub name: String,
    /// What it works on.
    pub summary: String,
    /// `started`, `finished`, `failed` or `denied`.
    pub state: &'static str,
}

impl Tool {
    /// Reads the `tool_call` of a line.
    pub fn read(tool_call: &RawValue) -> Option<Self> {
        let calls: BTreeMap<String, &RawValue> = serde_json::from_str(tool_call.get()).ok()?;
        let calls = calls.iter().filter_map(|(key, value)| Some((key, parse::<Call>(value)?)));
        let (key, call) = calls.max_by_key(|(key, _)| key.ends_with("ToolCall"))?;
        let arguments: Arguments = call.args.and_then(parse).unwrap_or_default();
        let name = call.name.filled().unwrap_or_else(|| key.trim_end_matches("ToolCall").to_owned());
        Some(Self { name, summary: arguments.summary().to_owned(), state: call.state() })
    }
}

impl Call<'_> {
    fn state(&self) -> &'static str {
        let Some(result) = self.result else { return "started" };
        let Some(outcome) = parse::<BTreeMap<String, &RawValue>>(result) else { return "finished" };
        let has = |name: &str| outcome.contains_key(name);
        if has("rejected") || has("permissionDenied") {
            return "denied";
        }
        let success: Option<Success> = outcome.get("success").copied().and_then(parse);
        let exit_code = success.and_then(|success| success.exit_code.0).unwrap_or_default();
        if has("error") || has("failure") || has("timeout") || exit_code.abs() > 0.0 {
            return "failed";
        }
        "finished"
    }
}

impl Arguments<'_> {
    /// The most telling part.
    fn summary(&self) -> &str {
        let parts = [&self.command, &self.path, &self.pattern, &self.glob_pattern, &self.query, &self.url];
        parts.into_iter().map(|part| &**part).find(|part| !part.is_empty()).unwrap_or_default()
    }
}

/// Counts of a whole turn; they do not overlap.
#[derive(Debug, Default, Deserialize)]
pub struct Counts {
    #[serde(rename = "inputTokens", default)]
    input: Number,
    #[serde(rename = "outputTokens", default)]
    output: Number,
    #[serde(rename = "cacheReadTokens", default)]
    cache_read: Number,
    #[serde(rename = "cacheWriteTokens", default)]
    cache_write: Number,
}

impl Counts {
    /// In the contract's words.
    pub fn usage(&self) -> Usage {
        let cached = self.cache_read.count();
        let fresh = self.input.count().saturating_add(self.cache_write.count());
        Usage {
            input_tokens: fresh.saturating_add(cached),
            output_tokens: self.output.count(),
            cached_tokens: cached,
            cost_usd: None,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn tool(json: &str) -> (String, String, &'static str) {
        let raw: Box<RawValue> = serde_json::from_str(json).unwrap();
        let Tool { name, summary, state } = Tool::read(&raw).unwrap();
        (name, summary, state)
    }

    fn told(name: &str, summary: &str, state: &'static str) -> (String, String, &'static str) {
        (name.into(), summary.into(), state)
    }

    #[test]
    fn a_tool_is_named_by_its_key_and_shows_what_it_works_on() {
        let started = r#"{"shellToolCall":{"args":{"command":"npm test","timeout":30}}}"#;
        assert_eq!(tool(started), told("shell", "npm test", "started"));
        assert_eq!(tool(r#"{"readToolCall":{"args":{"path":"a.rs"}}}"#), told("read", "a.rs", "started"));
        assert_eq!(
            tool(r#"{"globToolCall":{"args":{"globPattern":"*.rs"}}}"#),
            told("glob", "*.rs", "started")
        );
        let generic = r#"{"function":{"name":"apply_patch","arguments":"{}"}}"#;
        assert_eq!(tool(generic), told("apply_patch", "", "started"));
        let beside = r#"{"description":{},"toolCallId":"x","lsToolCall":{"args":{"path":"src"}}}"#;
        assert_eq!(tool(beside), told("ls", "src", "started"));
    }

    #[test]
    fn a_result_says_how_the_tool_ended() {
        for (result, state) in [
            (r#"{"success":{"content":"x"}}"#, "finished"),
            (r#"{"success":{"exitCode":0}}"#, "finished"),
            (r#"{"success":{"exitCode":2}}"#, "failed"),
            (r#"{"failure":{"exitCode":1}}"#, "failed"),
            (r#"{"error":{"errorMessage":"gone"}}"#, "failed"),
            (r#"{"rejected":{"reason":""}}"#, "denied"),
            (r#"{"permissionDenied":{}}"#, "denied"),
            (r#"{"new":{}}"#, "finished"),
            ("7", "finished"),
        ] {
            let json = format!(r#"{{"shellToolCall":{{"args":{{}},"result":{result}}}}}"#);
            assert_eq!(tool(&json).2, state, "{result}");
        }
    }

    #[test]
    fn counts_do_not_overlap() {
        let json = r#"{"inputTokens":10,"outputTokens":3,"cacheReadTokens":5,"cacheWriteTokens":2}"#;
        let usage = serde_json::from_str::<Counts>(json).unwrap().usage();
        assert_eq!((usage.input_tokens, usage.output_tokens, usage.cached_tokens), (17, 3, 5));
        assert_eq!(usage.cost_usd, None);
    }
}
