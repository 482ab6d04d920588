//! What may be said to Tale: short enough, on one line where it must be, and without
//! paths of this machine.

/// What stands in place of a path.
const HIDDEN: &str = "<path>";

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

/// All on one line, single spaces.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The text with every absolute path hidden: paths never leave the machine.
pub fn without_paths(text: &str) -> String {
    text.split_inclusive(char::is_whitespace).map(hide_path).collect()
}

/// Hides the path that a word holds, from where it begins to the word's end, but for
/// closing marks.
fn hide_path(word: &str) -> String {
    let Some(start) = path_start(word) else { return word.to_owned() };
    let closing = |c: char| c.is_whitespace() || "`'\").,:;]}>".contains(c);
    let end = word.trim_end_matches(closing).len().max(start);
    format!("{}{HIDDEN}{}", &word[..start], &word[end..])
}

/// Where an absolute path begins: at the word's start or after an opening mark, never
/// after the colon of a web address.
fn path_start(word: &str) -> Option<usize> {
    let opens = |before: Option<char>| before.is_none_or(|c| "`'\"([{<=:,>".contains(c));
    let mut before = None;
    for (at, character) in word.char_indices() {
        if opens(before) && begins_path(&word[at..]) {
            return Some(at);
        }
        before = Some(character);
    }
    None
}

fn begins_path(text: &str) -> bool {
    let named = |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric() || "._-".contains(c));
    let drive = |bytes: &[u8]| matches!(bytes, [letter, b':', b'\\', ..] if letter.is_ascii_alphabetic());
    text.strip_prefix('/').is_some_and(named)
        || text.strip_prefix("file://").is_some()
        || text.starts_with("~/")
        || text.starts_with("\\\\")
        || drive(text.as_bytes())
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

    #[test]
    fn lines_become_one() {
        assert_eq!(one_line(" a\n\tb  c\r\n"), "a b c");
    }
}
