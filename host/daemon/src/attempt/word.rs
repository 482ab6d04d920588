//! What somebody has to say to an agent at work, and why it may not reach it.

/// The longest text, in bytes: an agent reads it in the middle of its work, and one line
/// of its input holds it whole.
pub const MAX_TEXT: usize = 64 * 1024;

/// The longest id, in bytes: room for a UUID and for names that people give.
pub const MAX_ID: usize = 100;

/// A text for an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    id: Option<String>,
    text: String,
}

/// Why an agent did not hear a word.
#[derive(Debug, thiserror::Error)]
pub enum NotHeard {
    /// There is nothing to hear.
    #[error("the message is empty; write what the agent is to hear")]
    Empty,
    /// It is longer than [`MAX_TEXT`].
    #[error(
        "the message has {bytes} bytes, and at most {MAX_TEXT} are heard; write it into a file and name that"
    )]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Its id is empty or longer than [`MAX_ID`].
    #[error("the id of a message has 1 to {MAX_ID} bytes; give a shorter one, or none")]
    BadId,
    /// Nobody is there to hear it.
    #[error("no agent is at work on it now; say it again when `host show` tells that one is")]
    NoAgent,
    /// The provider's plugin does not pass it on.
    #[error("{0}")]
    NotTaken(String),
    /// So much is waiting that this would have to wait, too.
    #[error("the agent has not read what it was told before; say it again when it has")]
    Behind,
    /// The agent does not listen any more.
    #[error("the agent reads nothing any more; say it again to its next attempt")]
    Closed,
    /// After a restart nobody would know of it.
    #[error("it cannot be written down ({0}); see to the disk, and say it again")]
    NotRecorded(std::io::Error),
}

impl Word {
    /// A text, and an id by which an attempt hears it once, however often it is said.
    pub fn new(text: String, id: Option<String>) -> Result<Self, NotHeard> {
        if text.trim().is_empty() {
            return Err(NotHeard::Empty);
        }
        if text.len() > MAX_TEXT {
            return Err(NotHeard::TooLong { bytes: text.len() });
        }
        if id.as_ref().is_some_and(|id| id.is_empty() || id.len() > MAX_ID) {
            return Err(NotHeard::BadId);
        }
        Ok(Self { id, text })
    }

    /// What is said.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// By what it is known again.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }
}

/// An id that nobody gave before.
pub fn fresh_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn refusal(text: &str, id: Option<&str>) -> Option<String> {
        Word::new(text.to_owned(), id.map(str::to_owned)).err().map(|error| error.to_string())
    }

    #[test]
    fn a_text_may_have_so_many_bytes_and_not_one_more() {
        assert_eq!(refusal(&"x".repeat(MAX_TEXT), None), None);
        let refused = refusal(&"x".repeat(MAX_TEXT + 1), None).unwrap();
        assert!(refused.contains("65537 bytes") && refused.contains("into a file"), "{refused}");
        assert!(refusal(" \n", None).unwrap().contains("empty"));
    }

    #[test]
    fn an_id_may_have_so_many_bytes_and_not_one_more() {
        assert_eq!(refusal("hello", Some(&"x".repeat(MAX_ID))), None);
        for wrong in ["", &"x".repeat(MAX_ID + 1)] {
            assert!(refusal("hello", Some(wrong)).unwrap().contains("1 to 100 bytes"));
        }
        assert_eq!(refusal("hello", Some(&fresh_id())), None);
    }
}
