//! The full name of a git object.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The full (never abbreviated) SHA-1 id of a git object, written as 40
/// lower-case hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ObjectId(git2::Oid);

/// Hexadecimal digits of a full id.
const DIGITS: usize = 40;

/// The text is not a full object id.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a full git object id of 40 hexadecimal digits")]
pub struct InvalidObjectId(String);

impl ObjectId {
    pub(crate) fn oid(self) -> git2::Oid {
        self.0
    }
}

impl From<git2::Oid> for ObjectId {
    fn from(oid: git2::Oid) -> Self {
        Self(oid)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for ObjectId {
    type Err = InvalidObjectId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != DIGITS {
            return Err(InvalidObjectId(text.to_owned()));
        }
        git2::Oid::from_str(text).map(Self).map_err(|_| InvalidObjectId(text.to_owned()))
    }
}

impl TryFrom<String> for ObjectId {
    type Error = InvalidObjectId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ObjectId> for String {
    fn from(id: ObjectId) -> Self {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = "0123456789abcdef0123456789abcdef01234567";

    #[test]
    fn a_full_id_is_read_and_written_back_the_same() {
        assert_eq!(FULL.parse::<ObjectId>().map(String::from).ok().as_deref(), Some(FULL));
    }

    #[test]
    fn an_abbreviated_or_longer_id_is_refused() {
        assert!(FULL[..39].parse::<ObjectId>().is_err());
        assert!(format!("{FULL}0").parse::<ObjectId>().is_err());
        assert!(FULL.replace('f', "g").parse::<ObjectId>().is_err());
    }
}
