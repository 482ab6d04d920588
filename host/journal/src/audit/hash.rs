//! Names one entry by what it says and by all that came before it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Digits of a hash in text.
pub(crate) const HASH_DIGITS: usize = 64;

/// The SHA-256 of one line of the log.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LineHash([u8; 32]);

impl LineHash {
    /// What the first entry follows on.
    pub const NOTHING: Self = Self([0; 32]);

    /// The hash of these bytes, one part after the other.
    pub(crate) fn of(parts: &[&[u8]]) -> Self {
        let mut hasher = Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        let mut hash = [0; 32];
        hash.copy_from_slice(&hasher.finalize());
        Self(hash)
    }
}

/// 64 lower-case hexadecimal digits.
impl fmt::Display for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for LineHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Why a text is no head.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "`{0}` is no head of the audit log: it is a number, a colon and 64 hexadecimal digits, as `host audit head` prints them"
)]
pub struct HeadError(String);

impl FromStr for LineHash {
    type Err = HeadError;

    /// Takes lower-case digits only, so that one hash has one spelling.
    fn from_str(text: &str) -> Result<Self, HeadError> {
        let wrong = || HeadError(text.to_owned());
        let digits = text.as_bytes();
        let plain = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if digits.len() != HASH_DIGITS || !digits.iter().all(plain) {
            return Err(wrong());
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(0..) {
            *byte = u8::from_str_radix(&text[2 * pair..2 * pair + 2], 16).map_err(|_| wrong())?;
        }
        Ok(Self(hash))
    }
}

impl Serialize for LineHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LineHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// An entry by number and hash: everything up to it is settled by these two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Number of the entry; the first is 1.
    pub n: u64,
    /// Its hash.
    pub hash: LineHash,
}

/// `N:HASH`.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.n, self.hash)
    }
}

impl FromStr for Head {
    type Err = HeadError;

    fn from_str(text: &str) -> Result<Self, HeadError> {
        let wrong = || HeadError(text.to_owned());
        let (n, hash) = text.trim().split_once(':').ok_or_else(wrong)?;
        let n = n.parse().ok().filter(|n| *n > 0).ok_or_else(wrong)?;
        Ok(Self { n, hash: hash.parse().map_err(|_| wrong())? })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_head_is_read_as_it_is_printed() {
        let head = Head { n: 134, hash: LineHash::of(&[b"a", b"b"]) };
        assert_eq!(head.to_string().parse::<Head>(), Ok(head));
        assert_eq!(format!(" {head}\n").parse::<Head>(), Ok(head), "as it was pasted");
        assert_eq!(head.hash, LineHash::of(&[b"ab"]));
    }

    #[test]
    fn what_is_no_head_is_said_to_be_none() {
        let hash = LineHash::NOTHING.to_string();
        let wrong = [
            String::new(),
            "7".to_owned(),
            format!("0:{hash}"),
            format!("x:{hash}"),
            format!("7:{}", &hash[1..]),
            format!("7:{hash}0"),
            format!("7:{}F", &hash[1..]),
            format!("7:{}é", &hash[2..]),
        ];
        for text in wrong {
            assert_eq!(text.parse::<Head>(), Err(HeadError(text.clone())));
        }
    }
}
