//! Where something stands in a policy, so that every decision can name its reason.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A place in a policy file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The file.
    pub file: Arc<Path>,
    /// Counted from 1; `None` is the file as a whole.
    pub number: Option<usize>,
}

impl Line {
    /// The file as a whole.
    pub const fn whole(file: Arc<Path>) -> Self {
        Self { file, number: None }
    }
}

/// `line 12 of /etc/hostler/policy.toml`.
impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "line {number} of {}", self.file.display()),
            None => write!(f, "{}", self.file.display()),
        }
    }
}

/// A policy's text, to find the lines of what is read from it.
pub(crate) struct Text<'a> {
    pub(crate) file: Arc<Path>,
    pub(crate) text: &'a str,
}

impl Text<'_> {
    /// The line in which the byte at `offset` stands.
    pub(crate) fn line(&self, offset: usize) -> Line {
        let before = self.text.as_bytes().iter().take(offset);
        let number = before.filter(|byte| **byte == b'\n').count() + 1;
        Line { file: Arc::clone(&self.file), number: Some(number) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_counted_from_one_and_named_with_its_file() {
        let text = Text { file: Arc::from(Path::new("/etc/p.toml")), text: "a\nb\nc" };
        let named = |offset| text.line(offset).to_string();
        assert_eq!(named(0), "line 1 of /etc/p.toml");
        assert_eq!(named(2), "line 2 of /etc/p.toml");
        assert_eq!(named(4), "line 3 of /etc/p.toml");
        assert_eq!(Line::whole(Arc::clone(&text.file)).to_string(), "/etc/p.toml");
    }
}
