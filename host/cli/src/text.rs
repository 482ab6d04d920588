//! Text from outside (task titles, agents, plugins), made safe and fit for a
//! terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Characters of a digest that are shown: two builds of a person never agree in 48 bits.
const SHORT_DIGEST: usize = 12;

/// One line: white space runs become one blank, and nothing in it can move the
/// cursor, change colours or turn the direction of writing.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let start = line.len();
        if start > 0 {
            line.push(' ');
        }
        let before = line.len();
        line.extend(word.chars().filter(|character| !drives_terminal(*character)));
        if line.len() == before {
            line.truncate(start);
        }
    }
    line
}

/// Several lines, as safe as [`one_line`]; line ends stay, tabs become blanks.
pub fn paragraph(text: &str) -> String {
    text.chars()
        .map(|character| if character == '\t' { ' ' } else { character })
        .filter(|character| *character == '\n' || !drives_terminal(*character))
        .collect()
}

/// Control characters, and those that turn the direction of writing.
fn drives_terminal(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The beginning of a digest, enough to tell builds apart.
pub fn short_digest(digest: &str) -> &str {
    digest.get(..SHORT_DIGEST).unwrap_or(digest)
}

/// Columns that the text takes on a terminal.
pub fn width(text: &str) -> usize {
    text.width()
}

/// At most `columns` wide, ending in `…` if something was cut.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 1;
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used > columns {
            break;
        }
        short.push(character);
    }
    if columns > 0 {
        short.truncate(short.trim_end().len());
        short.push('…');
    }
    short
}

/// `1 file`, `2 files`.
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// `812`, `12.3k`, `4.1M`: token counts at a glance.
pub fn short_number(number: u64) -> String {
    let tenths = |unit: u64| {
        let tenths = number / (unit / 10);
        (tenths / 10, tenths % 10)
    };
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => {
            let (whole, tenth) = tenths(1_000);
            format!("{whole}.{tenth}k")
        }
        _ => {
            let (whole, tenth) = tenths(1_000_000);
            format!("{whole}.{tenth}M")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_can_drive_the_terminal() {
        assert_eq!(one_line("a\u{1b}]0;title\u{7}\r\nb \u{202e}c\u{0} \u{1b} d"), "a]0;title b c d");
        assert_eq!(paragraph("a\u{1b}[2J\n\tb\u{9b}"), "a[2J\n b");
    }

    #[test]
    fn text_is_cut_by_columns_not_by_bytes() {
        assert_eq!(cut("日本語", 6), "日本語");
        assert_eq!(cut("日本語", 5), "日本…");
        assert_eq!(cut("two words", 5), "two…");
        assert_eq!(cut("any", 0), "");
    }

    #[test]
    fn numbers_are_short_and_never_rounded_up() {
        assert_eq!(short_number(999), "999");
        assert_eq!(short_number(1_000), "1.0k");
        assert_eq!(short_number(999_999), "999.9k");
        assert_eq!(short_number(4_190_000), "4.1M");
        assert_eq!((count(1, "file"), count(0, "file")), ("1 file".to_owned(), "0 files".to_owned()));
    }
}
