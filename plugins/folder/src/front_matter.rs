//! The lines between the `---` at the top of a file.
//!
//! Only `key: value` lines at the left margin are understood. Everything else —
//! comments, nested lists, odd spacing, line ends, the whole body — stays as it
//! is, byte for byte: these are somebody's files.

/// Some editors put this before everything.
const BYTE_ORDER_MARK: &str = "\u{feff}";

/// A file, taken apart so that it can be put together again unchanged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FrontMatter {
    mark: bool,
    /// The opening line, the fields and the closing line, each with its own line
    /// end; empty if the file has no front matter.
    opening: String,
    fields: Vec<String>,
    closing: String,
    body: String,
}

impl FrontMatter {
    /// Takes a file apart. Front matter that is never closed is body.
    pub fn parse(text: &str) -> Self {
        let (mark, text) = match text.strip_prefix(BYTE_ORDER_MARK) {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let plain = Self {
            mark,
            opening: String::new(),
            fields: Vec::new(),
            closing: String::new(),
            body: text.to_owned(),
        };
        let mut lines = text.split_inclusive('\n');
        let Some(opening) = lines.next().filter(|line| is_fence(line)) else {
            return plain;
        };
        let mut fields = Vec::new();
        let mut length = opening.len();
        for line in lines {
            length += line.len();
            if is_fence(line) {
                return Self {
                    mark,
                    opening: opening.to_owned(),
                    fields,
                    closing: line.to_owned(),
                    body: text[length..].to_owned(),
                };
            }
            fields.push(line.to_owned());
        }
        plain
    }

    /// The file, whole again.
    pub fn text(&self) -> String {
        let mark = if self.mark { BYTE_ORDER_MARK } else { "" };
        [mark, &self.opening, &self.fields.concat(), &self.closing, &self.body].concat()
    }

    /// What comes after the front matter.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// Adds to the end of the body.
    pub fn append(&mut self, text: &str) {
        // A closing fence at the very end of a file may have no line end yet.
        if self.body.is_empty() && !self.closing.is_empty() && !self.closing.ends_with('\n') {
            self.closing.push_str(self.line_end());
        }
        self.body.push_str(text);
    }

    /// How this file ends its lines.
    pub fn line_end(&self) -> &'static str {
        let first = if self.opening.is_empty() { &self.body } else { &self.opening };
        match first.find('\n') {
            Some(end) if first[..end].ends_with('\r') => "\r\n",
            _ => "\n",
        }
    }

    /// The value of a field, without quotes and comment; empty values count as
    /// absent. The case of the key does not matter.
    pub fn get(&self, key: &str) -> Option<String> {
        let line = self
            .fields
            .iter()
            .find(|line| key_of(line).is_some_and(|found| found.eq_ignore_ascii_case(key)))?;
        let value = plain_value(&line[value_span(line)]);
        (!value.is_empty()).then_some(value)
    }

    /// Sets a field: in its place, with its comment, if it is there; else as the
    /// last one. Makes front matter if there is none.
    pub fn set(&mut self, key: &str, value: &str) {
        let end = self.line_end();
        if self.opening.is_empty() {
            self.opening = format!("---{end}");
            self.closing = format!("---{end}");
        }
        let value = written_value(value);
        match self.position(key) {
            Some(index) => {
                let line = &mut self.fields[index];
                let span = value_span(line);
                let space = if line[..span.start].ends_with(':') { " " } else { "" };
                line.replace_range(span, &format!("{space}{value}"));
            }
            None => self.fields.push(format!("{key}: {value}{end}")),
        }
    }

    /// Takes a field out.
    pub fn remove(&mut self, key: &str) {
        if let Some(index) = self.position(key) {
            self.fields.remove(index);
        }
    }

    fn position(&self, key: &str) -> Option<usize> {
        self.fields.iter().position(|line| key_of(line).is_some_and(|found| found.eq_ignore_ascii_case(key)))
    }
}

fn is_fence(line: &str) -> bool {
    line.trim_end() == "---"
}

/// The key of a line, if it is a field.
fn key_of(line: &str) -> Option<&str> {
    let (key, rest) = line.split_once(':')?;
    let is_key = |key: &str| key.chars().all(|char| char.is_ascii_alphanumeric() || "-_ ".contains(char));
    let starts_well = key.starts_with(|char: char| char.is_ascii_alphanumeric());
    let ends_well = rest.is_empty() || rest.starts_with(char::is_whitespace);
    (starts_well && is_key(key) && ends_well).then(|| key.trim_end())
}

/// Where the value of a field stands: without the space around it and without a
/// comment. Empty, right after the colon, if there is none.
fn value_span(line: &str) -> std::ops::Range<usize> {
    let colon = line.find(':').map_or(line.len(), |colon| colon + 1);
    let rest = &line[colon..];
    let Some(skipped) = rest.find(|char: char| !char.is_whitespace()) else {
        return colon..colon;
    };
    let start = colon + skipped;
    if line[start..].starts_with('#') {
        return colon..colon;
    }
    let length = match quoted_length(&line[start..]) {
        Some(length) => length,
        None => comment_start(&line[start..]),
    };
    start..start + line[start..start + length].trim_end().len()
}

/// The length of a quoted value with its quotes, if this is one.
fn quoted_length(value: &str) -> Option<usize> {
    let quote = value.chars().next().filter(|char| matches!(char, '"' | '\''))?;
    let mut escaped = false;
    for (index, char) in value.char_indices().skip(1) {
        match char {
            _ if escaped => escaped = false,
            '\\' if quote == '"' => escaped = true,
            _ if char == quote => return Some(index + 1),
            _ => {}
        }
    }
    None
}

/// A comment starts at a `#` after a space.
fn comment_start(value: &str) -> usize {
    let comment =
        value.char_indices().find(|&(index, char)| char == '#' && value[..index].ends_with([' ', '\t']));
    comment.map_or(value.len(), |(index, _)| index)
}

/// A value as a person means it.
fn plain_value(value: &str) -> String {
    let inner = |quote| value.strip_prefix(quote)?.strip_suffix(quote);
    if let Some(single) = inner('\'') {
        return single.replace("''", "'");
    }
    let Some(double) = inner('"') else {
        return value.to_owned();
    };
    let mut plain = String::new();
    let mut chars = double.chars();
    while let Some(char) = chars.next() {
        match char {
            '\\' => plain.extend(chars.next()),
            char => plain.push(char),
        }
    }
    plain
}

/// A value as it is written: on one line, in quotes where it would else be read
/// as something else.
fn written_value(value: &str) -> String {
    let value = value.split(char::is_control).collect::<Vec<_>>().join(" ");
    let odd_start = value.starts_with(|char: char| !char.is_alphanumeric() && !"/.(".contains(char));
    let odd = value != value.trim()
        || odd_start
        || value.contains(": ")
        || value.ends_with(':')
        || value.contains(" #");
    if odd { format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\"")) } else { value }
}

#[cfg(test)]
mod tests;
