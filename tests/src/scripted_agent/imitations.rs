//! Ready scripts for the ways coding CLIs are known to go right and wrong. Each
//! plays Claude Code unless its name says otherwise.

use super::install::transcript;
use super::script::Script;
use super::step::{ChildKind, SignalName, Step};

/// A line an event stream may hold one day, and one that was cut off in the middle.
const STRANGE_LINES: [&str; 3] = [
    r#"{"type":"from_the_future","payload":{"deep":[1,2,3]}}"#,
    r#"{"type":"assistant","message":{"content":[{"type":"te"#,
    "Warning: this is no JSON at all",
];

/// Reads its prompt, writes `hello.txt`, commits it and says so.
pub fn does_its_task() -> Script {
    Script::always([
        Step::read_stdin(),
        Step::write("hello.txt", "hello\n"),
        Step::commit("Write hello.txt"),
        Step::transcript(transcript("claude-success")),
    ])
}

/// Does its task, with lines in between that no parser knows.
pub fn babbles() -> Script {
    let strange = STRANGE_LINES.map(Step::line);
    let around = [Step::first_lines(2, transcript("claude-success"))];
    let rest = [Step::transcript(transcript("claude-success"))];
    Script::always(around.into_iter().chain(strange).chain(rest))
}

/// Stops in the middle of its work, with everything open.
pub fn hangs_in_the_middle() -> Script {
    Script::always([Step::first_lines(3, transcript("claude-success")), Step::hang()])
}

/// Tells its result and does not end.
pub fn hangs_after_its_result() -> Script {
    Script::always([Step::transcript(transcript("claude-success")), Step::hang()])
}

/// Tells its result, does not end, and SIGTERM is nothing to it.
pub fn hangs_after_its_result_and_ignores_sigterm() -> Script {
    Script::always([Step::ignore_term(), Step::transcript(transcript("claude-success")), Step::hang()])
}

/// Does nothing before its input is closed, as Codex and `OpenCode` do.
pub fn waits_for_the_end_of_its_input() -> Script {
    Script::always([Step::read_stdin(), Step::transcript(transcript("codex-success"))])
}

/// Ends with 0 and without a result, as Gemini and Copilot do on SIGTERM.
pub fn ends_well_on_sigterm_without_a_result() -> Script {
    Script::always([
        Step::on_signal(SignalName::Term, [Step::exit(0)]),
        Step::first_lines(3, transcript("claude-success")),
        Step::hang(),
    ])
}

/// Ends with 0 and without a result, of its own accord.
pub fn ends_well_without_a_result() -> Script {
    Script::always([Step::first_lines(3, transcript("claude-success"))])
}

/// Its key is refused.
pub fn has_its_key_refused() -> Script {
    Script::always([Step::transcript(transcript("claude-401")), Step::exit(1)])
}

/// Its subscription is used up.
pub fn is_out_of_quota() -> Script {
    Script::always([Step::transcript(transcript("claude-oauth-quota")), Step::exit(1)])
}

/// Dies in the middle of a line.
pub fn crashes() -> Script {
    Script::always([
        Step::first_lines(3, transcript("claude-success")),
        Step::half_line(r#"{"type":"assis"#),
        Step::die(SignalName::Segv),
    ])
}

/// Asks the model again and again without end, as `OpenCode` does after a broken stream.
pub fn runs_away() -> Script {
    Script::always([Step::Repeat {
        times: u64::from(u32::MAX),
        steps: vec![Step::transcript(transcript("opencode-success"))],
    }])
}

/// Does its task and leaves a tool behind that holds its output open, in a session
/// of its own and deaf to SIGTERM.
pub fn leaves_a_tool_behind() -> Script {
    Script::always([
        Step::Spawn { kind: ChildKind::Daemon, holds_stdout: true, ignores_term: true },
        Step::transcript(transcript("claude-success")),
    ])
}

/// Does its task and leaves a process behind that is a new one every few milliseconds.
pub fn leaves_a_reforker_behind() -> Script {
    Script::always([Step::spawn(ChildKind::Reforker), Step::transcript(transcript("claude-success"))])
}
