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

/// Between the standard output and the standard error.
const BETWEEN: &str = "\n---\n";

/// Every provider reads any output to its end, however the CLI ended, answers no more
/// than the host takes, and comes to the same outcome however the lines were handed over.
pub fn check(data: &[u8]) {
    let mut splitter = LineSplitter::default();
    let mut lines = splitter.push(data);
    lines.extend(splitter.finish());
    let texts: Vec<String> = lines.into_iter().map(|line| line.text).collect();
    let text = texts.join("\n");
    let (stdout, stderr) = text.split_once(BETWEEN).unwrap_or((&text, ""));
    let transcript = match data.len() % 5 {
        0 => Transcript::new(stdout, stderr, 0),
        1 => Transcript::new(stdout, stderr, 1),
        2 => Transcript::new(stdout, stderr, 127),
        3 => Transcript::new(stdout, stderr, 0).signalled(15),
        _ => Transcript::new(stdout, stderr, 0).ended_by_host("time-limit"),
    };
    read::<ClaudeCode>(&transcript, texts.len(), stdout);
    read::<Codex>(&transcript, texts.len(), stdout);
    read::<AnyCommand>(&transcript, texts.len(), stdout);
    read::<Cursor>(&transcript, texts.len(), stdout);
    read::<OpenCode>(&transcript, texts.len(), stdout);
}

fn read<P: Provider>(transcript: &Transcript, lines: usize, stdout: &str) {
    let job = job("Do it.");
    let one_by_one = transcript.read::<P::Session>(&job, 1);
    let at_once = transcript.read::<P::Session>(&job, BATCH_LINES);
    assert_eq!(one_by_one.outcome, at_once.outcome, "the outcome depends on how lines are handed over");
    // Either stream may end in the middle of a batch.
    let calls = lines.div_ceil(BATCH_LINES) + 1;
    let most = calls * SESSION_OUTPUTS;
    assert!(at_once.outputs.len() <= most, "{} outputs of {lines} lines", at_once.outputs.len());
    // The same bytes as a CLI's answer to the question for its version.
    let _ = P::detect(stdout);
}
