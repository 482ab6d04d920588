//! Who vouches for a plugin file: detached Ed25519 signatures in the format of
//! `minisign`, over all bytes of the component and so over its manifest, too.
//!
//! Both forms are read: `ED`, over a hash of the file, which is what is made today, and
//! `Ed`, over the file itself, which older programs made.

use std::fmt;
use std::io::Cursor;

use minisign::SignatureBox;
use serde::{Deserialize, Serialize, Serializer};

/// Longest signature file in bytes: two comments and two signatures of 100 characters
/// are far less.
pub const SIGNATURE_FILE_BYTES: usize = 16 * 1024;

/// Length of an Ed25519 signature of 64 bytes in base64.
const SIGNATURE_CHARS: usize = 88;

/// Lines of a signature file: comment, signature, trusted comment, signature over both.
const SIGNATURE_LINES: usize = 4;

/// Names a key, at random and without proving anything: 16 hexadecimal digits, as
/// `minisign` shows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId([u8; 8]);

impl KeyId {
    fn of(bytes: &[u8]) -> Self {
        let mut id = [0; 8];
        id.iter_mut().zip(bytes).for_each(|(digit, byte)| *digit = *byte);
        Self(id)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A key that signatures are checked with; public.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PublicKey(minisign::PublicKey);

/// Why a text is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no public key: give the 56 characters beginning with `RW` of a minisign public key")]
pub struct NoPublicKey;

impl PublicKey {
    /// Reads a key: its line alone, or the whole text of a `.pub` file.
    pub fn parse(text: &str) -> Result<Self, NoPublicKey> {
        let line = text.trim().lines().last().unwrap_or_default().trim();
        let key = minisign::PublicKey::from_base64(line).map_err(|_| NoPublicKey)?;
        let bytes = key.to_bytes();
        if bytes.starts_with(b"Ed") && key.to_base64() == line { Ok(Self(key)) } else { Err(NoPublicKey) }
    }

    pub(crate) const fn known(key: minisign::PublicKey) -> Self {
        Self(key)
    }

    pub(crate) const fn inner(&self) -> &minisign::PublicKey {
        &self.0
    }

    /// Which key it is.
    pub fn id(&self) -> KeyId {
        KeyId::of(self.0.keynum())
    }
}

/// The line of a `.pub` file.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_base64())
    }
}

impl TryFrom<String> for PublicKey {
    type Error = NoPublicKey;

    fn try_from(text: String) -> Result<Self, NoPublicKey> {
        Self::parse(&text)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A signature file, read and not yet believed.
#[derive(Clone)]
pub struct Signature(SignatureBox);

/// Why a file is no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Longer than any signature.
    #[error("it has {0} bytes, and a signature file at most {SIGNATURE_FILE_BYTES}")]
    TooLong(usize),
    /// Not in the format of minisign.
    #[error("it is no minisign signature")]
    Malformed,
}

impl Signature {
    /// Reads the bytes of a signature file.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        if bytes.len() > SIGNATURE_FILE_BYTES {
            return Err(SignatureError::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| SignatureError::Malformed)?;
        let lines: Vec<&str> = text.trim_end().lines().collect();
        // The parser takes a last signature of any length, and panics later if it is short.
        let whole = lines.len() == SIGNATURE_LINES
            && lines.last().is_some_and(|line| line.trim().len() == SIGNATURE_CHARS);
        if !whole {
            return Err(SignatureError::Malformed);
        }
        SignatureBox::from_string(text).map(Self).map_err(|_| SignatureError::Malformed)
    }

    /// Which key it says it was made with.
    pub fn key_id(&self) -> KeyId {
        KeyId::of(self.0.keynum())
    }

    /// What the signer says about the file. To be believed only after [`Self::holds`].
    pub fn comment(&self) -> String {
        self.0.trusted_comment().unwrap_or_default()
    }

    /// Whether the owner of `key` signed exactly these bytes and the comment.
    pub fn holds(&self, key: &PublicKey, bytes: &[u8]) -> bool {
        const QUIET: bool = true;
        const COPY_TO_STDOUT: bool = false;
        const ALLOW_LEGACY: bool = true;
        minisign::verify(key.inner(), &self.0, Cursor::new(bytes), QUIET, COPY_TO_STDOUT, ALLOW_LEGACY)
            .is_ok()
    }
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
