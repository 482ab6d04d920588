//! What the model says and is asked in every interface.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;

/// Deltas are this many characters long, so that every text comes in several.
const DELTA: usize = 24;

/// What the written file holds.
pub(super) const HELLO: &str = "hello from the model server\n";

/// Before a tool is called.
pub(super) const FIRST_WORDS: &str = "I will do that.";

/// Where the client offers nothing that would do.
pub(super) const NO_TOOL: &str = "There is no tool I could use.";

/// In answer to a request that is about the conversation.
pub(super) const TITLE: &str = "A title";

/// The tools that a request offers.
pub(super) fn tool_names(request: &Value) -> Vec<&str> {
    let tools = request["tools"].as_array().map(Vec::as_slice);
    let tools = tools.unwrap_or_default().iter();
    tools.filter_map(|tool| tool["name"].as_str()).collect()
}

/// A text as it is streamed.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = String> {
    let characters: Vec<char> = text.chars().collect();
    let pieces: Vec<String> = characters.chunks(DELTA).map(|piece| piece.iter().collect()).collect();
    pieces.into_iter()
}

/// Ids only have to differ.
pub(super) fn fresh(kind: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    format!("{kind}_{:020}", NEXT.fetch_add(1, Ordering::Relaxed))
}
