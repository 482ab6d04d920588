//! Turns of the Anthropic Messages interface, as Claude Code expects them.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use super::http;
use super::scenario::{Refusal, Scenario};

/// Deltas are this many characters long, so that every text comes in several.
const DELTA: usize = 24;

/// What the written file holds.
const CONTENT: &str = "hello from the model server\n";

/// One answer of the model.
#[derive(Debug)]
pub(super) struct Turn {
    model: String,
    streamed: bool,
    aside: bool,
    blocks: Vec<Value>,
}

impl Turn {
    /// Decides the answer to a request: call a tool once, then say that it is done.
    pub fn new(request: &Value, scenario: &Scenario) -> Self {
        let tools = tool_names(request);
        let done = || scenario.text.as_deref().unwrap_or("All done: wrote hello.txt.");
        let blocks = if tools.is_empty() {
            vec![text(&aside_text(request))]
        } else if scenario.is_only_text() || ends_with_tool_result(request) {
            vec![text(done())]
        } else {
            tool_call(&tools, scenario).map_or_else(
                || vec![text("There is no tool I could use.")],
                |call| vec![text("I will do that."), call],
            )
        };
        Self {
            model: request["model"].as_str().unwrap_or("model").to_owned(),
            streamed: request["stream"] == true,
            aside: tools.is_empty(),
            blocks,
        }
    }

    /// Whether it is about the conversation (a title, a summary), not part of it.
    pub fn is_aside(&self) -> bool {
        self.aside
    }

    /// Sends the answer; `cut` breaks it off after its first words.
    pub fn reply(&self, out: &mut impl Write, cut: bool) -> io::Result<()> {
        if !self.streamed {
            let mut message = self.message(&self.blocks);
            message["stop_reason"] = self.stop_reason().into();
            message["usage"]["output_tokens"] = 40.into();
            let sent = if cut { Value::Null } else { message };
            return http::reply_json(out, 200, &[], &sent);
        }
        http::begin_events(out)?;
        let mut send = |event: Value| http::send_event(out, &event);
        send(json!({ "type": "message_start", "message": self.message(&[]) }))?;
        send(json!({ "type": "ping" }))?;
        for (index, block) in self.blocks.iter().enumerate() {
            let (start, deltas) = streamed(block);
            send(json!({ "type": "content_block_start", "index": index, "content_block": start }))?;
            for delta in deltas {
                send(json!({ "type": "content_block_delta", "index": index, "delta": delta }))?;
                if cut {
                    return Ok(());
                }
            }
            send(json!({ "type": "content_block_stop", "index": index }))?;
        }
        send(json!({
            "type": "message_delta",
            "delta": { "stop_reason": self.stop_reason(), "stop_sequence": null },
            "usage": { "output_tokens": 40 }
        }))?;
        send(json!({ "type": "message_stop" }))
    }

    fn message(&self, content: &[Value]) -> Value {
        json!({
            "id": fresh("msg"), "type": "message", "role": "assistant", "model": self.model,
            "content": content, "stop_reason": null, "stop_sequence": null,
            "usage": {
                "input_tokens": 1200, "cache_creation_input_tokens": 300,
                "cache_read_input_tokens": 500, "output_tokens": 1,
                "cache_creation": { "ephemeral_5m_input_tokens": 300, "ephemeral_1h_input_tokens": 0 },
                "service_tier": "standard"
            }
        })
    }

    fn stop_reason(&self) -> &'static str {
        match self.blocks.last() {
            Some(block) if block["type"] == "tool_use" => "tool_use",
            _ => "end_turn",
        }
    }
}

/// An error body.
pub(super) fn error(kind: &str, message: &str) -> Value {
    json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": "req_test" })
}

/// Status, headers and body of a refusal; `now` in seconds since 1970.
pub(super) fn refuse(
    refusal: Refusal,
    scenario: &Scenario,
    now: u64,
) -> (u16, Vec<(&'static str, String)>, Value) {
    const LIMIT: &str = "This request would exceed your account's rate limit. Please try again later.";
    let retry = ("retry-after", scenario.retry.to_string());
    match refusal {
        Refusal::Unauthorized => (401, vec![], error("authentication_error", "invalid x-api-key")),
        Refusal::RateLimited => (429, vec![retry], error("rate_limit_error", LIMIT)),
        Refusal::Internal => (500, vec![], error("api_error", "Internal server error")),
        Refusal::Overloaded => (529, vec![retry], error("overloaded_error", "Overloaded")),
        Refusal::Quota => (
            429,
            quota_headers(scenario.reset, now + u64::from(scenario.reset)),
            error("rate_limit_error", LIMIT),
        ),
    }
}

/// What tells a subscription's limit from a momentary one.
fn quota_headers(seconds: u32, at: u64) -> Vec<(&'static str, String)> {
    let fixed = |text: &str| text.to_owned();
    vec![
        ("retry-after", seconds.to_string()),
        ("anthropic-ratelimit-unified-status", fixed("rejected")),
        ("anthropic-ratelimit-unified-reset", at.to_string()),
        ("anthropic-ratelimit-unified-representative-claim", fixed("five_hour")),
        ("anthropic-ratelimit-unified-5h-status", fixed("rejected")),
        ("anthropic-ratelimit-unified-5h-reset", at.to_string()),
        ("anthropic-ratelimit-unified-5h-utilization", fixed("1.0")),
        ("anthropic-ratelimit-unified-overage-status", fixed("rejected")),
        ("anthropic-ratelimit-unified-overage-disabled-reason", fixed("org_level_disabled")),
    ]
}

fn tool_names(request: &Value) -> Vec<&str> {
    let tools = request["tools"].as_array().map(Vec::as_slice);
    let tools = tools.unwrap_or_default().iter();
    tools.filter_map(|tool| tool["name"].as_str()).collect()
}

/// Whether a tool has answered since the user last spoke.
fn ends_with_tool_result(request: &Value) -> bool {
    let messages = request["messages"].as_array().map(Vec::as_slice);
    for message in messages.unwrap_or_default().iter().rev() {
        if message["role"] != "user" {
            continue;
        }
        let Some(blocks) = message["content"].as_array() else {
            return false;
        };
        if blocks.iter().any(|block| block["type"] == "tool_result") {
            return true;
        }
        // The CLI speaks in the user's name as well.
        let spoken = |block: &Value| {
            let text = block["text"].as_str();
            text.is_some_and(|text| !text.contains("<system-reminder>"))
        };
        if blocks.iter().any(spoken) {
            return false;
        }
    }
    false
}

fn tool_call(tools: &[&str], scenario: &Scenario) -> Option<Value> {
    let (name, input) = if let Some(command) = &scenario.cmd {
        ("Bash", json!({ "command": command, "description": "Run" }))
    } else {
        let folder = scenario.folder.as_deref().unwrap_or("/tmp");
        let path = format!("{folder}/hello.txt");
        ("Write", json!({ "file_path": path, "content": CONTENT }))
    };
    tools
        .contains(&name)
        .then(|| json!({ "type": "tool_use", "id": fresh("toolu"), "name": name, "input": input }))
}

/// A request for a title or the like may demand JSON of a schema.
fn aside_text(request: &Value) -> String {
    let schema = &request["output_config"]["format"]["schema"];
    if schema.is_null() { "A title".to_owned() } else { least(schema).to_string() }
}

/// The smallest value of a JSON schema.
fn least(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    match schema["type"].as_str() {
        Some("object") => {
            let properties = schema["properties"].as_object();
            let pairs = properties.into_iter().flatten();
            pairs.map(|(name, schema)| (name.clone(), least(schema))).collect()
        }
        Some("string") => "text".into(),
        Some("integer" | "number") => 1.into(),
        Some("boolean") => false.into(),
        Some("array") => json!([]),
        _ => Value::Null,
    }
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// A block as it starts, and the deltas that complete it.
fn streamed(block: &Value) -> (Value, Vec<Value>) {
    let mut start = block.clone();
    if let Some(text) = block["text"].as_str() {
        start["text"] = "".into();
        let delta = |part| json!({ "type": "text_delta", "text": part });
        return (start, pieces(text).map(delta).collect());
    }
    start["input"] = json!({});
    let delta = |part| json!({ "type": "input_json_delta", "partial_json": part });
    (start, pieces(&block["input"].to_string()).map(delta).collect())
}

fn pieces(text: &str) -> impl Iterator<Item = String> {
    let characters: Vec<char> = text.chars().collect();
    let pieces: Vec<String> = characters.chunks(DELTA).map(|piece| piece.iter().collect()).collect();
    pieces.into_iter()
}

/// Ids only have to differ.
fn fresh(kind: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{kind}_{:020}", NEXT.fetch_add(1, Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_new_word_of_the_user_after_a_tool_result_starts_over() {
        let result = json!({ "role": "user", "content": [{ "type": "tool_result" }] });
        let reminder =
            json!({ "role": "user", "content": [{ "type": "text", "text": "<system-reminder>x" }] });
        let word = json!({ "role": "user", "content": "next" });
        let with = |messages: &[&Value]| ends_with_tool_result(&json!({ "messages": messages }));
        assert!(with(&[&result]));
        assert!(with(&[&result, &reminder]));
        assert!(!with(&[&result, &word]));
    }

    #[test]
    fn the_deltas_of_a_tool_call_are_its_input() {
        let call = tool_call(&["Write"], &Scenario::success().folder("/a/long/folder")).unwrap();
        let (start, deltas) = streamed(&call);
        assert_eq!(start["input"], json!({}));
        assert!(deltas.len() > 1);
        let whole: String = deltas.iter().map(|delta| delta["partial_json"].as_str().unwrap()).collect();
        assert_eq!(serde_json::from_str::<Value>(&whole).unwrap(), call["input"]);
    }

    #[test]
    fn a_refused_quota_says_when_it_is_back() {
        let scenario = Scenario::named("quota").unwrap().reset(60);
        let (status, headers, _) = refuse(Refusal::Quota, &scenario, 1000);
        assert_eq!(status, 429);
        assert!(headers.contains(&("anthropic-ratelimit-unified-reset", "1060".to_owned())));
    }

    #[test]
    fn an_aside_that_demands_a_schema_gets_it() {
        let schema = json!({ "type": "object", "properties": { "title": { "type": "string" } } });
        let request = json!({ "output_config": { "format": { "schema": schema } } });
        assert_eq!(aside_text(&request), r#"{"title":"text"}"#);
    }
}
