//! Text for the eyes of others: on one line where it must be, and without paths of this
//! machine.

/// What stands in place of a path.
const HIDDEN_PATH: &str = "<path>";

/// All on one line, single spaces.
pub fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Hides the path that a word holds, from where it begins to the word's end, but for
/// closing marks.
pub fn hide_path(word: &str) -> String {
    let Some(start) = path_start(word) else { return word.to_owned() };
    let closing = |c: char| c.is_whitespace() || "`'\").,:;]}>".contains(c);
    let end = word.trim_end_matches(closing).len().max(start);
    format!("{}{HIDDEN_PATH}{}", &word[..start], &word[end..])
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
        || text.starts_with("file://")
        || text.starts_with("~/")
        || text.starts_with("\\\\")
        || drive(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> String {
        text.split_inclusive(char::is_whitespace).map(hide_path).collect()
    }

    #[test]
    fn a_path_is_hidden_to_the_end_of_its_word_and_closing_marks_stay() {
        for (text, wanted) in [
            ("in `/srv/app/.git`.", "in `<path>`."),
            ("cwd=/tmp/x, then", "cwd=<path>, then"),
            ("~/work/app and C:\\Users\\ada", "<path> and <path>"),
            ("open:/etc/passwd", "open:<path>"),
            ("file:///home/ada/x", "<path>"),
        ] {
            assert_eq!(hidden(text), wanted);
        }
    }

    #[test]
    fn what_is_no_path_of_this_machine_stays_as_it_is() {
        for text in ["src/main.rs and/or docs", "https://example.com/a/b", "1 / 2", "a  b\n\tc /", "://"] {
            assert_eq!(hidden(text), text);
        }
    }

    #[test]
    fn lines_become_one() {
        assert_eq!(one_line(" a\n\tb  c\r\n"), "a b c");
    }
}
