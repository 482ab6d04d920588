//! What arrives in pieces: the lines of agents, and of the conversation between host
//! and supervisor.

use hostler_agents::{Line, LineSplitter, reread};

/// The first byte says how long the pieces are, the second how long a line may be, the
/// rest is what arrives. Lines do not depend on the pieces and are what a simple reading
/// makes of the whole; what one side of the conversation understands, it writes so that
/// it is understood the same.
pub fn check(data: &[u8]) {
    let [piece, limit, stream @ ..] = data else { return };
    let limit = usize::from(*limit);
    let expected = simply(stream, limit);
    assert_eq!(split(stream, stream.len().max(1), limit), expected, "in one piece");
    let piece = usize::from(*piece).max(1);
    assert_eq!(split(stream, piece, limit), expected, "in pieces of {piece}");
    for line in stream.split(|byte| *byte == b'\n') {
        if let Some(written) = reread(line) {
            assert_eq!(reread(&written).as_ref(), Some(&written), "{}", String::from_utf8_lossy(line));
        }
    }
}

fn split(stream: &[u8], piece: usize, limit: usize) -> Vec<Line> {
    let mut splitter = LineSplitter::with_limit(limit);
    let mut lines: Vec<Line> = stream.chunks(piece).flat_map(|bytes| splitter.push(bytes)).collect();
    lines.extend(splitter.finish());
    lines
}

/// The same with everything at hand.
fn simply(stream: &[u8], limit: usize) -> Vec<Line> {
    let mut raw: Vec<&[u8]> = stream.split(|byte| *byte == b'\n').collect();
    if raw.last().is_some_and(|last| last.is_empty()) {
        raw.pop();
    }
    let line = |raw: &[u8]| {
        let raw = raw.strip_suffix(b"\r").unwrap_or(raw);
        let text = String::from_utf8_lossy(raw);
        let end = text.floor_char_boundary(limit);
        Line { text: text[..end].to_owned(), cut: end < text.len() }
    };
    raw.into_iter().map(line).collect()
}
