//! Bytes inside JSON as one string with a character per byte: text stays
//! readable and as long as it is, and any byte survives.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A string of the system, written so. Its own form is an array of numbers, four
/// times as long and many times as slow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Word(OsString);

impl AsRef<OsStr> for Word {
    fn as_ref(&self) -> &OsStr {
        &self.0
    }
}

impl From<OsString> for Word {
    fn from(text: OsString) -> Self {
        Self(text)
    }
}

impl From<PathBuf> for Word {
    fn from(path: PathBuf) -> Self {
        Self(path.into())
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(self.0.as_bytes(), serializer)
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(|bytes| Self(OsString::from_vec(bytes)))
    }
}

pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let text: String = bytes.iter().copied().map(char::from).collect();
    serializer.serialize_str(&text)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.chars()
        .map(|character| u8::try_from(u32::from(character)))
        .collect::<Result<_, _>>()
        .map_err(serde::de::Error::custom)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Holder(#[serde(with = "super")] Vec<u8>);

    #[test]
    fn every_byte_survives() {
        let bytes: Vec<u8> = (0..=255).collect();
        let text = serde_json::to_string(&Holder(bytes.clone())).unwrap();
        assert_eq!(serde_json::from_str::<Holder>(&text).unwrap().0, bytes);
    }

    #[test]
    fn a_word_that_is_no_text_survives() {
        let word = Word::from(OsString::from_vec(b"a\xff\xc3\xbc".to_vec()));
        let text = serde_json::to_string(&word).unwrap();
        assert_eq!(serde_json::from_str::<Word>(&text).unwrap(), word);
    }

    #[test]
    fn a_character_that_is_no_byte_is_refused() {
        assert!(serde_json::from_str::<Holder>("\"\u{100}\"").is_err());
    }
}
