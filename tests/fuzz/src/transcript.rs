//! What the CLIs of providers print, read by their sessions.

use hostler_agents::LineSplitter;
use hostler_components::limits::{BATCH_LINES, SESSION_OUTPUTS};
use hostler_plugin_claude_code::ClaudeCode;
use hostler_plugin_codex::Codex;
use hostler_plugin_command::AnyCommand;
use hostler_plugin_cursor::Cursor;
use hostler_plugin_opencode::OpenCode;
use hostler_sdk::Provider;
use hostler_sdk::testing::{Transcript, job};

/// Every provider reads any output to its end, answers no more than the host takes, and
/// comes to the same outcome however the lines were handed over.
pub fn check(data: &[u8]) {
    let mut splitter = LineSplitter::default();
    let mut lines = splitter.push(data);
    lines.extend(splitter.finish());
    let texts: Vec<String> = lines.into_iter().map(|line| line.text).collect();
    let transcript = Transcript::new(&texts.join("\n"), "", i32::from(data.len() % 2 == 1));
    read::<ClaudeCode>(&transcript, texts.len());
    read::<Codex>(&transcript, texts.len());
    read::<AnyCommand>(&transcript, texts.len());
    read::<Cursor>(&transcript, texts.len());
    read::<OpenCode>(&transcript, texts.len());
}

fn read<P: Provider>(transcript: &Transcript, lines: usize) {
    let job = job("Do it.");
    let one_by_one = transcript.read::<P::Session>(&job, 1);
    let at_once = transcript.read::<P::Session>(&job, BATCH_LINES);
    assert_eq!(one_by_one.outcome, at_once.outcome, "the outcome depends on how lines are handed over");
    let calls = lines.div_ceil(BATCH_LINES).max(1);
    let most = calls * SESSION_OUTPUTS;
    assert!(at_once.outputs.len() <= most, "{} outputs of {lines} lines", at_once.outputs.len());
}
