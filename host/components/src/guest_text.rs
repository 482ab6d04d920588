//! Text that a plugin wrote and a person will read: cut, and freed of whatever
//! could draw on a terminal or fake a second line.

/// What stands where text was cut.
const CUT: char = '…';

/// Whether a character can do more than show itself: control characters, line
/// separators, and marks that override the direction of writing.
pub(crate) fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// The text on one line of at most `limit` bytes, a mark for the cut not counted.
pub(crate) fn clean(text: &str, limit: usize) -> String {
    rewrite(text, limit, |_| false)
}

/// Text that may have lines and tabs of its own, in full.
pub(crate) fn clean_lines(text: String) -> String {
    let fine = |character| !is_unsafe(character) || is_layout(character);
    if text.chars().all(fine) {
        return text;
    }
    rewrite(&text.replace("\r\n", "\n"), usize::MAX, is_layout)
}

fn is_layout(character: char) -> bool {
    matches!(character, '\n' | '\t')
}

fn rewrite(text: &str, limit: usize, keep: impl Fn(char) -> bool) -> String {
    let mut cleaned = String::with_capacity(text.len().min(limit));
    for character in text.chars() {
        let start = cleaned.len();
        if is_unsafe(character) && !keep(character) {
            cleaned.extend(character.escape_default());
        } else {
            cleaned.push(character);
        }
        if cleaned.len() > limit {
            cleaned.truncate(start);
            cleaned.push(CUT);
            break;
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_cannot_be_driven_by_a_plugin() {
        assert_eq!(clean("\u{1b}[2Jgone\r\nnew", 100), "\\u{1b}[2Jgone\\r\\nnew");
        assert_eq!(clean("abc\u{202e}fdp.exe", 100), "abc\\u{202e}fdp.exe");
        assert_eq!(clean("naïve 日本 🙂", 100), "naïve 日本 🙂");
    }

    #[test]
    fn lines_stay_only_where_they_may() {
        assert_eq!(clean_lines("a\r\n\tb\u{7}".to_owned()), "a\n\tb\\u{7}");
        assert_eq!(clean("a\n", 100), "a\\n");
    }

    #[test]
    fn text_is_cut_at_the_limit_and_never_inside_a_character() {
        assert_eq!(clean("abcd", 4), "abcd");
        assert_eq!(clean("abcde", 4), "abcd…");
        assert_eq!(clean("日本", 4), "日…");
    }
}
