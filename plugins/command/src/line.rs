//! Texts as lines of a conversation.

/// A text as one line of a conversation, with its line end: what a command reads up to
/// the line end is one text, whatever is in it. A line break inside is written `\n`, a
/// carriage return `\r`, and a backslash `\\`, so that `printf '%b'` gives the text back.
pub fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len() + 1);
    for character in text.chars() {
        match character {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '\\' => line.push_str("\\\\"),
            other => line.push(other),
        }
    }
    line.push('\n');
    line
}
