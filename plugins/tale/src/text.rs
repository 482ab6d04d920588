//! What may be said to Tale: short enough, on one line where it must be, and without
//! paths of this machine.

use hostler_sdk::text::hide_path;
pub use hostler_sdk::text::one_line;

/// What stands where text was cut.
const CUT: char = '…';

/// The beginning of a text, at most `limit` characters as the server counts them
/// (UTF-16 units), with a mark where it was cut.
pub fn head(text: &str, limit: usize) -> String {
    let Some(room) = room_if_too_long(text, limit) else { return text.to_owned() };
    let mut cut: String = take_units(text.chars(), room).collect();
    cut.push(CUT);
    cut
}

/// The end of a text, likewise.
pub fn tail(text: &str, limit: usize) -> String {
    let Some(room) = room_if_too_long(text, limit) else { return text.to_owned() };
    let mut end: Vec<char> = take_units(text.chars().rev(), room).collect();
    end.push(CUT);
    end.iter().rev().collect()
}

/// The units left beside the mark, if the text has to be cut.
fn room_if_too_long(text: &str, limit: usize) -> Option<usize> {
    // A text never has more UTF-16 units than bytes.
    let fits = text.len() <= limit || units(text) <= limit;
    (!fits).then(|| limit.saturating_sub(CUT.len_utf16()))
}

/// Length as the server counts it.
pub fn units(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

fn take_units(characters: impl Iterator<Item = char>, limit: usize) -> impl Iterator<Item = char> {
    characters.scan(0, move |used, character| {
        *used += character.len_utf16();
        (*used <= limit).then_some(character)
    })
}

/// The text with every absolute path hidden: paths never leave the machine.
pub fn without_paths(text: &str) -> String {
    text.split_inclusive(char::is_whitespace).map(hide_path).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_at_the_limit_is_whole_and_one_more_is_cut_with_a_mark() {
        assert_eq!(head("abcde", 5), "abcde");
        assert_eq!(head("abcdef", 5), "abcd…");
        assert_eq!(tail("abcde", 5), "abcde");
        assert_eq!(tail("abcdef", 5), "…cdef");
    }

    #[test]
    fn characters_count_as_on_the_server_and_are_never_halved() {
        assert_eq!(head("ä😀b", 4), "ä😀b");
        assert_eq!(head("ä😀bc", 4), "ä😀…");
        assert_eq!(head("ä😀bc", 3), "ä…");
        assert_eq!(units(&tail("😀😀😀", 4)), 3);
    }

    #[test]
    fn paths_of_this_machine_are_hidden_wherever_they_stand() {
        for (text, hidden) in [
            ("cannot start /home/ada/bin/claude: not found", "cannot start <path>: not found"),
            ("in `/srv/app/.git`.", "in `<path>`."),
            ("cwd=/tmp/x, then", "cwd=<path>, then"),
            ("~/work/app and C:\\Users\\ada", "<path> and <path>"),
            ("open:/etc/passwd", "open:<path>"),
            ("file:///home/ada/x", "<path>"),
        ] {
            assert_eq!(without_paths(text), hidden);
        }
    }

    #[test]
    fn what_is_no_path_stays_as_it_is() {
        for text in ["src/main.rs and/or docs", "https://example.com/a/b", "1 / 2", "a  b\n\tc /", "://"] {
            assert_eq!(without_paths(text), text);
        }
    }
}
