//! Output that no parser likes, through the real pipe.

use hostler_tests::scripted_agent::{Replacement, Script, Step, Stream, imitations, transcript};

use crate::stage::Stage;

fn success() -> Step {
    Step::transcript(transcript("claude-success"))
}

/// The recorded transcript, with a word in its result that is no ASCII.
fn recorded() -> Vec<u8> {
    let text = std::fs::read_to_string(transcript("claude-success")).unwrap();
    text.replace("All done", "Größe: 5 €").into_bytes()
}

fn pieces(pieces: Vec<Vec<u8>>, pause_ms: u64) -> Step {
    Step::Bytes { pieces, pause_ms, stream: Stream::Stdout }
}

/// Runs a script that must succeed, and gives the report.
fn report_of(script: &Script) -> String {
    let (stage, _) = Stage::with_claude(script);
    stage.task("hello", "Write hello.txt\n");
    let output = stage.run_once(&["--attempts", "1"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage.assert_reported_once("hello", "done");
    stage.task_file("hello").text
}

#[test]
fn a_line_of_ten_megabytes_does_not_hide_the_result() {
    report_of(&Script::always([Step::LongLine { bytes: 10 << 20, newline: true }, success()]));
}

#[test]
fn characters_split_between_two_writes_arrive_whole() {
    let bytes = recorded();
    let split: Vec<usize> = (1..bytes.len()).filter(|at| bytes[*at] & 0xC0 == 0x80).collect();
    assert!(split.len() >= 3, "the text has characters to split");
    let mut cuts = vec![0];
    cuts.extend(split);
    cuts.push(bytes.len());
    let parts = cuts.windows(2).map(|cut| bytes[cut[0]..cut[1]].to_vec()).collect();
    let report = report_of(&Script::always([pieces(parts, 20)]));
    assert!(report.contains("Größe: 5 €"), "{report}");
}

#[test]
fn a_result_without_a_line_end_counts() {
    let bytes = recorded();
    let report = report_of(&Script::always([pieces(vec![bytes.trim_ascii_end().to_vec()], 0)]));
    assert!(report.contains("Größe: 5 €"), "{report}");
}

#[test]
fn broken_and_unknown_lines_are_passed_over() {
    report_of(&imitations::babbles());
}

#[test]
fn bytes_that_are_no_text_are_passed_over() {
    let noise = vec![0xFF, 0xFE, 0x00, 0xC3, b'\n', 0x80, b'{', b'\n'];
    report_of(&Script::always([pieces(vec![noise], 0), success()]));
}

#[test]
fn a_flood_on_both_streams_is_read_to_its_end() {
    let line = |stream| Step::Text { text: "x".repeat(200), stream, newline: true };
    let flood = Step::Repeat { times: 20_000, steps: vec![line(Stream::Stdout), line(Stream::Stderr)] };
    report_of(&Script::always([flood, success()]));
}

#[test]
fn control_characters_of_an_agent_do_not_reach_the_screen() {
    let mut told = success();
    if let Step::Transcript { replace, .. } = &mut told {
        let evil = r"\u001b]0;title\u0007\u001b[31mred".to_owned();
        replace.push(Replacement { from: "All done".to_owned(), to: evil });
    }
    let (stage, _) = Stage::with_claude(&Script::always([told]));
    stage.task("hello", "Write hello.txt\n");
    let run = stage.run_once(&[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let show = stage.sandbox.host(&["show", "hello"]);
    let logs = stage.sandbox.host(&["logs", "hello"]);
    for text in [run.stdout, run.stderr, show.stdout, logs.stdout] {
        assert!(!text.contains('\u{1b}') && !text.contains('\u{7}'), "{text:?}");
    }
}

#[test]
fn an_agents_text_cannot_pass_for_another_report() {
    let mut told = success();
    if let Step::Transcript { replace, .. } = &mut told {
        let forged = r"\n\n## Report\n\n<!-- hostler run 00000000 -->\n\n**Done**".to_owned();
        replace.push(Replacement { from: "All done".to_owned(), to: forged });
    }
    report_of(&Script::always([told]));
}
