//! Turns of the Responses interface, as Codex expects them.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::http;
use super::scenario::{Refusal, Scenario};
use super::words::{FIRST_WORDS, HELLO, NO_TOOL, TITLE, fresh, pieces, tool_names};

/// One answer of the model.
#[derive(Debug)]
pub(super) struct Turn {
    model: String,
    aside: bool,
    items: Vec<Value>,
}

impl Turn {
    /// Decides the answer to a request: call a tool once, then say that it is done.
    pub fn new(request: &Value, scenario: &Scenario) -> Self {
        let tools = tool_names(request);
        let items = if tools.is_empty() {
            vec![message(TITLE)]
        } else if scenario.is_only_text() || ends_with_tool_output(request) {
            vec![message(scenario.last_words())]
        } else {
            shell_call(&tools, scenario)
                .map_or_else(|| vec![message(NO_TOOL)], |call| vec![message(FIRST_WORDS), call])
        };
        Self {
            model: request["model"].as_str().unwrap_or("model").to_owned(),
            aside: tools.is_empty(),
            items,
        }
    }

    /// Whether it is about the conversation, not part of it.
    pub fn is_aside(&self) -> bool {
        self.aside
    }

    /// Sends the answer; `cut` breaks it off after its first words.
    pub fn reply(&self, out: &mut impl Write, cut: bool) -> io::Result<()> {
        http::begin_events(out)?;
        let mut send = |event: Value| http::send_event(out, &event);
        let id = fresh("resp");
        let response = |status: &str, output: &[Value], usage: Value| {
            json!({
                "id": id, "object": "response", "model": self.model, "status": status,
                "output": output, "usage": usage, "error": null
            })
        };
        send(json!({ "type": "response.created", "response": response("in_progress", &[], Value::Null) }))?;
        for (index, item) in self.items.iter().enumerate() {
            send(
                json!({ "type": "response.output_item.added", "output_index": index, "item": begun(item) }),
            )?;
            for delta in deltas(item, index) {
                send(delta)?;
                if cut {
                    return Ok(());
                }
            }
            send(json!({ "type": "response.output_item.done", "output_index": index, "item": item }))?;
        }
        let usage = json!({
            "input_tokens": 1200, "input_tokens_details": { "cached_tokens": 500 },
            "output_tokens": 40, "output_tokens_details": { "reasoning_tokens": 10 }, "total_tokens": 1240
        });
        send(json!({ "type": "response.completed", "response": response("completed", &self.items, usage) }))
    }
}

/// An error body.
fn error(kind: &str, code: &str, message: &str) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": null, "code": code } })
}

/// Status, headers and body of a refusal; `now` in seconds since 1970.
pub(super) fn refuse(
    refusal: Refusal,
    scenario: &Scenario,
    now: u64,
) -> (u16, Vec<(&'static str, String)>, Value) {
    let retry = ("retry-after", scenario.retry.to_string());
    match refusal {
        Refusal::Unauthorized => {
            (401, vec![], error("invalid_request_error", "invalid_api_key", "Incorrect API key provided."))
        }
        Refusal::RateLimited => {
            (429, vec![retry], error("requests", "rate_limit_exceeded", "Rate limit reached."))
        }
        Refusal::Internal => (500, vec![], error("server_error", "server_error", "The server had an error.")),
        Refusal::Overloaded => {
            (503, vec![retry], error("server_error", "server_is_overloaded", "Our servers are overloaded."))
        }
        // What a plan says, as opposed to a key.
        Refusal::Quota => {
            let mut body = error("usage_limit_reached", "", "The usage limit has been reached");
            body["error"]["resets_at"] = (now + u64::from(scenario.reset)).into();
            body["error"]["plan_type"] = "plus".into();
            (429, vec![], body)
        }
    }
}

/// Whether a tool has answered since the user last spoke.
fn ends_with_tool_output(request: &Value) -> bool {
    let items = request["input"].as_array().map(Vec::as_slice);
    for item in items.unwrap_or_default().iter().rev() {
        if item["type"].as_str().is_some_and(|kind| kind.ends_with("_call_output")) {
            return true;
        }
        if item["role"] == "user" {
            return false;
        }
    }
    false
}

/// A call of whichever shell tool there is: its name changed over the versions.
fn shell_call(tools: &[&str], scenario: &Scenario) -> Option<Value> {
    let folder = scenario.folder.as_deref().unwrap_or("/tmp");
    let write = || format!("printf %s '{HELLO}' > '{folder}/hello.txt'");
    let command = scenario.cmd.clone().unwrap_or_else(write);
    let known = [
        ("exec_command", json!({ "cmd": command })),
        ("shell_command", json!({ "command": command })),
        ("shell", json!({ "command": ["bash", "-lc", command] })),
    ];
    let (name, arguments) = known.into_iter().find(|(name, _)| tools.contains(name))?;
    Some(json!({
        "type": "function_call", "id": fresh("fc"), "call_id": fresh("call"), "name": name,
        "arguments": arguments.to_string(), "status": "completed"
    }))
}

fn message(text: &str) -> Value {
    json!({
        "type": "message", "role": "assistant", "id": fresh("msg"), "status": "completed",
        "content": [{ "type": "output_text", "text": text, "annotations": [] }]
    })
}

/// An item before anything of it was said.
fn begun(item: &Value) -> Value {
    let mut begun = item.clone();
    begun["status"] = "in_progress".into();
    if item["type"] == "message" {
        begun["content"] = json!([]);
    } else {
        begun["arguments"] = "".into();
    }
    begun
}

/// What completes it.
fn deltas(item: &Value, index: usize) -> Vec<Value> {
    let (kind, text) = match item["content"][0]["text"].as_str() {
        Some(text) => ("response.output_text.delta", text),
        None => ("response.function_call_arguments.delta", item["arguments"].as_str().unwrap_or_default()),
    };
    let delta = |part| json!({ "type": kind, "item_id": item["id"], "output_index": index, "content_index": 0, "delta": part });
    pieces(text).map(delta).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn request(input: &Value) -> Value {
        json!({ "model": "m", "tools": [{ "type": "function", "name": "exec_command" }], "input": input })
    }

    #[test]
    fn the_first_turn_runs_the_command_and_the_one_after_its_output_ends() {
        let scenario = Scenario::bash("git commit").id("1");
        let asked = json!([{ "role": "user", "content": "go" }]);
        let first = Turn::new(&request(&asked), &scenario);
        assert_eq!(first.items[1]["name"], "exec_command");
        assert_eq!(first.items[1]["arguments"], r#"{"cmd":"git commit"}"#);
        let answered = json!([asked[0], { "type": "function_call_output", "output": "ok" }]);
        assert_eq!(Turn::new(&request(&answered), &scenario).items.len(), 1);
        let again = json!([asked[0], answered[1], asked[0]]);
        assert_eq!(Turn::new(&request(&again), &scenario).items.len(), 2, "a new word starts over");
    }

    #[test]
    fn a_cut_answer_ends_before_it_is_completed() {
        let turn = Turn::new(&request(&json!([])), &Scenario::text("well done"));
        let (mut whole, mut cut) = (Vec::new(), Vec::new());
        turn.reply(&mut whole, false).unwrap();
        turn.reply(&mut cut, true).unwrap();
        let is_complete = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().contains("response.completed");
        assert!(is_complete(whole) && !is_complete(cut));
    }

    #[test]
    fn a_used_up_plan_says_when_it_is_back() {
        let scenario = Scenario::named("quota").unwrap().reset(60);
        let (status, _, body) = refuse(Refusal::Quota, &scenario, 1000);
        assert_eq!((status, &body["error"]["resets_at"]), (429, &1060.into()));
    }
}
