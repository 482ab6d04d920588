//! Reading a transcript in the guest, against the same code compiled natively.

use std::hint::black_box;
use std::time::Duration;

use hostler_components::job::{ExitStatus, Job, Line, StreamName};
use hostler_engine::plan::Permission;
use hostler_plugin_claude_code::ClaudeCode;
use hostler_sdk::provider::Outputs;
use hostler_sdk::{Provider, Session as _};
use hostler_tests::scripted_agent::transcript;

use crate::calls::plugin;
use crate::rounds::{Figure, in_turn};

type NativeSession = <ClaudeCode as Provider>::Session;

/// How often the recorded conversation is repeated: about four megabytes in all.
const REPEATS: usize = 400;

/// Lines given at once, as many as one read of a busy pipe brings.
const LINES_AT_ONCE: usize = 64;

/// Both read the same lines in the same portions, and both make owned events.
pub fn measure() -> anyhow::Result<Vec<Figure>> {
    let text = std::fs::read_to_string(transcript("claude-success"))?;
    let recorded: Vec<&str> = text.lines().collect();
    let lines: Vec<String> =
        recorded.iter().cycle().take(recorded.len() * REPEATS).map(|&line| line.to_owned()).collect();
    let bytes: usize = lines.iter().map(String::len).sum();
    let plugin = plugin("claude-code")?;
    let guest = || {
        let mut session = plugin.session(job())?;
        let mut outputs = Vec::new();
        for portion in lines.chunks(LINES_AT_ONCE) {
            let portion = portion.iter().map(|text| Line { text: text.clone(), cut: false }).collect();
            session.lines(StreamName::Stdout, portion, &mut outputs)?;
            outputs.clear();
        }
        black_box(session.finish(ExitStatus { code: Some(0), ..ExitStatus::default() })?);
        Ok(())
    };
    let native = || {
        let mut session = NativeSession::new(&hostler_sdk::testing::job("measure"));
        for portion in lines.chunks(LINES_AT_ONCE) {
            let mut outputs = Outputs::default();
            for text in portion {
                let line = hostler_sdk::provider::Line { text: text.clone(), cut: false };
                session.line(hostler_sdk::provider::StreamName::Stdout, &line, &mut outputs);
            }
            black_box(outputs.into_vec());
        }
        let exit = hostler_sdk::provider::ExitStatus { code: Some(0), signal: None, ended_by_host: None };
        black_box(session.finish(&exit));
        Ok(())
    };
    let (guest, native) = in_turn(15, guest, native)?;
    Ok(vec![Figure {
        name: "transcript parsing in the guest",
        measured: rate(bytes, guest),
        floor: rate(bytes, native),
        unit: "MB/s",
        aim: ">= 0.5",
        against: "the same code natively",
    }])
}

#[allow(clippy::cast_precision_loss)] // megabytes, far below 2^52
fn rate(bytes: usize, time: Duration) -> f64 {
    bytes as f64 / 1e6 / time.as_secs_f64()
}

fn job() -> Job {
    Job {
        prompt: "measure".to_owned(),
        prompt_file: String::new(),
        cwd: String::new(),
        session: None,
        permission: Permission::Safe,
        model: None,
        attempt: 1,
        config: "{}".to_owned(),
    }
}
