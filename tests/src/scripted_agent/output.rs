//! Printing: texts, bytes, and transcripts at a pace.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use super::step::{Pace, Replacement, Stream};

/// The longest gap kept from a recording: a test waits for what it is about, not for a model.
const LONGEST_GAP: Duration = Duration::from_mins(1);

/// Writes bytes in one go and pushes them out.
pub(super) fn print(stream: Stream, bytes: &[u8]) -> io::Result<()> {
    let write = |out: &mut dyn Write| {
        out.write_all(bytes)?;
        out.flush()
    };
    match stream {
        Stream::Stdout => write(&mut io::stdout().lock()),
        Stream::Stderr => write(&mut io::stderr().lock()),
    }
}

/// Prints a text, with or without a line end.
pub(super) fn print_text(stream: Stream, text: &str, newline: bool) -> io::Result<()> {
    let end = if newline { "\n" } else { "" };
    print(stream, format!("{text}{end}").as_bytes())
}

/// Prints a JSON event whose text has this many bytes.
pub(super) fn print_long_line(bytes: usize, newline: bool) -> io::Result<()> {
    let text = format!(r#"{{"type":"text","text":"{}"}}"#, "x".repeat(bytes));
    print_text(Stream::Stdout, &text, newline)
}

/// Prints pieces, each in a write of its own.
pub(super) fn print_pieces(stream: Stream, pieces: &[Vec<u8>], pause: Duration) -> io::Result<()> {
    for (index, piece) in pieces.iter().enumerate() {
        if index > 0 {
            std::thread::sleep(pause);
        }
        print(stream, piece)?;
    }
    Ok(())
}

/// The first lines of a transcript, or all of them, each with its line end. A
/// last line without an end stays without one.
pub(super) fn first_lines(transcript: &[u8], count: Option<usize>) -> Vec<&[u8]> {
    let lines = transcript.split_inclusive(|byte| *byte == b'\n');
    lines.take(count.unwrap_or(usize::MAX)).collect()
}

/// Prints a transcript line by line.
pub(super) fn print_transcript(
    stream: Stream,
    lines: &[&[u8]],
    pace: Pace,
    replace: &[Replacement],
    cwd: &Path,
) -> io::Result<()> {
    for (gap, line) in gaps(lines, pace).into_iter().zip(lines) {
        std::thread::sleep(gap);
        print(stream, &exchanged(line, replace, cwd))?;
    }
    Ok(())
}

/// The pause before each line.
fn gaps(lines: &[&[u8]], pace: Pace) -> Vec<Duration> {
    let mut previous: Option<i64> = None;
    let gap = |(index, line): (usize, &&[u8])| match pace {
        Pace::Instant => Duration::ZERO,
        Pace::DelayMs(_) if index == 0 => Duration::ZERO,
        Pace::DelayMs(ms) => Duration::from_millis(ms),
        Pace::Recorded(speed) => {
            let at = recorded_at(line);
            let gap = previous.zip(at).map_or(0, |(before, at)| at - before);
            previous = at.or(previous);
            let gap = Duration::from_millis(u64::try_from(gap).unwrap_or(0));
            if speed > 0.0 {
                Duration::try_from_secs_f64(gap.as_secs_f64() / speed)
                    .map_or(LONGEST_GAP, |gap| gap.min(LONGEST_GAP))
            } else {
                gap.min(LONGEST_GAP)
            }
        }
    };
    lines.iter().enumerate().map(gap).collect()
}

/// Milliseconds since 1970 at which a line was recorded: CLIs write a
/// `timestamp` that is either that number or an RFC 3339 text.
fn recorded_at(line: &[u8]) -> Option<i64> {
    let event: serde_json::Value = serde_json::from_slice(line).ok()?;
    match event.get("timestamp")? {
        serde_json::Value::Number(ms) => ms.as_i64(),
        serde_json::Value::String(text) => Some(text.parse::<jiff::Timestamp>().ok()?.as_millisecond()),
        _ => None,
    }
}

fn exchanged(line: &[u8], replace: &[Replacement], cwd: &Path) -> Vec<u8> {
    // A line that is not text is printed as recorded.
    let Ok(text) = std::str::from_utf8(line) else {
        return line.to_vec();
    };
    let exchange = |text: String, rule: &Replacement| {
        let to = rule.to.replace("{cwd}", &cwd.to_string_lossy());
        text.replace(&rule.from, &to)
    };
    replace.iter().fold(text.to_owned(), exchange).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORDING: [&[u8]; 4] = [
        br#"{"timestamp":"2026-11-20T07:00:00.000Z"}"#,
        br#"{"type":"no time"}"#,
        br#"{"timestamp":"2026-11-20T07:00:00.500Z"}"#,
        br#"{"timestamp":1795158600500}"#,
    ];

    fn millis(pace: Pace) -> Vec<u128> {
        gaps(&RECORDING, pace).iter().map(Duration::as_millis).collect()
    }

    #[test]
    fn the_recorded_pace_follows_the_timestamps_at_any_speed() {
        assert_eq!(millis(Pace::Recorded(1.0))[..3], [0, 0, 500]);
        assert_eq!(millis(Pace::Recorded(10.0))[..3], [0, 0, 50]);
    }

    #[test]
    fn a_gap_longer_than_the_limit_is_cut_to_it() {
        let line = |ms: u64| format!(r#"{{"timestamp":{ms}}}"#).into_bytes();
        let limit = u64::try_from(LONGEST_GAP.as_millis()).unwrap_or(0);
        let gap = |ms| gaps(&[&line(0), &line(ms)], Pace::Recorded(1.0))[1];
        assert_eq!(gap(limit), LONGEST_GAP);
        assert_eq!(gap(limit + 1), LONGEST_GAP);
        assert_eq!(gap(limit - 1), LONGEST_GAP.saturating_sub(Duration::from_millis(1)));
    }

    #[test]
    fn a_fixed_delay_stands_between_lines_and_instant_has_none() {
        assert_eq!(millis(Pace::DelayMs(7)), [0, 7, 7, 7]);
        assert_eq!(millis(Pace::Instant), [0, 0, 0, 0]);
    }

    #[test]
    fn recorded_folders_are_exchanged_for_the_real_one() {
        let rule = Replacement { from: "/home/dev/repo".to_owned(), to: "{cwd}".to_owned() };
        let line = exchanged(br#"{"cwd":"/home/dev/repo"}"#, &[rule], Path::new("/w/1"));
        assert_eq!(line, br#"{"cwd":"/w/1"}"#);
    }
}
