//! From bytes as they arrive to whole lines of text.

/// The longest line that is passed on, in bytes of text: what the plugin
/// contract promises, and what one line may cost in memory.
pub const LINE_LIMIT: usize = 1024 * 1024;

/// One line of output, without its line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Valid UTF-8; what was not is replaced by U+FFFD.
    pub text: String,
    /// The line was longer than [`LINE_LIMIT`]; this is its beginning.
    pub cut: bool,
}

/// Splits a stream at `\n` and drops a `\r` before it. However the bytes are
/// divided into chunks, the lines are the same. Never holds more than one line,
/// and of that no more than the limit.
#[derive(Debug)]
pub struct LineSplitter {
    limit: usize,
    /// The line so far: up to one byte over the limit, which may be the `\r`.
    partial: Vec<u8>,
    /// More of this line came than `partial` holds.
    overflow: bool,
}

impl Default for LineSplitter {
    fn default() -> Self {
        Self::with_limit(LINE_LIMIT)
    }
}

impl LineSplitter {
    /// A splitter that cuts lines at `limit` bytes of text.
    pub fn with_limit(limit: usize) -> Self {
        Self { limit, partial: Vec::new(), overflow: false }
    }

    /// Takes the next bytes, gives the lines that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        let last = pieces.next_back().unwrap_or_default();
        for piece in pieces {
            self.extend(piece);
            lines.push(self.complete());
        }
        self.extend(last);
        lines
    }

    /// The stream has ended: gives what came after the last `\n`, if anything.
    pub fn finish(&mut self) -> Option<Line> {
        (!self.partial.is_empty()).then(|| self.complete())
    }

    fn extend(&mut self, piece: &[u8]) {
        let room = self.limit + 1 - self.partial.len();
        let taken = piece.len().min(room);
        self.partial.extend_from_slice(&piece[..taken]);
        self.overflow |= taken < piece.len();
    }

    fn complete(&mut self) -> Line {
        let mut bytes = std::mem::take(&mut self.partial);
        let overflow = std::mem::take(&mut self.overflow);
        if !overflow && bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
        let mut text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(broken) => String::from_utf8_lossy(broken.as_bytes()).into_owned(),
        };
        let cut = text.len() > self.limit;
        text.truncate(text.floor_char_boundary(self.limit));
        Line { text, cut }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn line(text: &str) -> Line {
        Line { text: text.to_owned(), cut: false }
    }

    fn split(limit: usize, chunks: &[&[u8]]) -> Vec<Line> {
        let mut splitter = LineSplitter::with_limit(limit);
        let mut lines: Vec<Line> = chunks.iter().flat_map(|chunk| splitter.push(chunk)).collect();
        lines.extend(splitter.finish());
        lines
    }

    /// What the lines of a whole output are, without regard to memory.
    fn reference(limit: usize, bytes: &[u8]) -> Vec<Line> {
        let mut pieces: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
        if pieces.last().is_some_and(|last| last.is_empty()) {
            pieces.pop();
        }
        pieces
            .into_iter()
            .map(|piece| String::from_utf8_lossy(piece.strip_suffix(b"\r").unwrap_or(piece)).into_owned())
            .map(|text| Line {
                cut: text.len() > limit,
                text: text[..text.floor_char_boundary(limit)].to_owned(),
            })
            .collect()
    }

    #[test]
    fn a_character_across_two_chunks_is_mended() {
        assert_eq!(split(100, &[b"gr\xc3", b"\xbc\xc3\x9fe\n"]), [line("grüße")]);
    }

    #[test]
    fn broken_text_is_replaced_and_the_rest_kept() {
        assert_eq!(split(100, &[b"a\xffb\n"]), [line("a\u{fffd}b")]);
    }

    #[test]
    fn a_last_line_without_newline_is_delivered() {
        assert_eq!(split(100, &[b"one\r\ntw", b"o"]), [line("one"), line("two")]);
    }

    #[test]
    fn a_line_at_the_limit_is_whole_and_one_byte_more_is_cut() {
        assert_eq!(split(4, &[b"1234\r\n1234\n"]), [line("1234"), line("1234")]);
        assert_eq!(split(4, &[b"12345\r\n"]), [Line { text: "1234".into(), cut: true }]);
        assert_eq!(split(4, &["123ü\n".as_bytes()]), [Line { text: "123".into(), cut: true }]);

        let mut splitter = LineSplitter::default();
        assert_eq!(splitter.push(&vec![b'x'; LINE_LIMIT]), []);
        assert!(!splitter.finish().unwrap().cut);
        assert_eq!(splitter.push(&vec![b'x'; LINE_LIMIT + 1]), []);
        let cut = splitter.finish().unwrap();
        assert_eq!((cut.text.len(), cut.cut), (LINE_LIMIT, true));
    }

    #[test]
    fn a_line_of_ten_megabytes_does_not_grow_memory() {
        let mut splitter = LineSplitter::default();
        let chunk = vec![b'x'; 64 * 1024];
        for _ in 0..160 {
            assert_eq!(splitter.push(&chunk), []);
            assert!(splitter.partial.capacity() <= 2 * LINE_LIMIT + 2);
        }
        assert!(splitter.finish().unwrap().cut);
        assert_eq!(splitter.push(b"next\n"), [line("next")]);
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_lines_of_the_whole(
            pieces in prop::collection::vec(prop_oneof![
                4 => "[a-zäß€😀]{0,6}".prop_map(String::into_bytes),
                1 => prop::collection::vec(any::<u8>(), 0..6),
                2 => Just(b"\n".to_vec()),
                1 => Just(b"\r\n".to_vec()),
                1 => Just(b"\r".to_vec()),
            ], 0..24),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
            limit in 1_usize..12,
        ) {
            let bytes = pieces.concat();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(split(limit, &chunks), reference(limit, &bytes));
        }
    }
}
