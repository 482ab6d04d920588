//! Takes secrets out of bytes that stream by: however they are cut into chunks, and
//! however the secret is written, every byte of it becomes a `*`. Lengths stay, so that
//! offsets, JSON and everything around stay what they were.

mod spellings;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use aho_corasick::{AhoCorasick, AhoCorasickKind};

/// Shorter values are no secrets, and would be found in every other word. In bytes.
pub const SHORTEST_SECRET: usize = 6;

/// All secrets of one redaction together, in bytes: each costs a hundred times its
/// length in memory, in every supervisor of an agent.
pub const MOST_SECRETS: usize = 16 * 1024;

/// What stands for each byte of a secret.
const MASK: u8 = b'*';

/// Why secrets cannot be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedactionError {
    /// They are too long.
    #[error(
        "the secret values to keep out of the agent's output are {bytes} bytes together, more than the {} that \
         can be looked for; give the agent fewer or shorter ones, or name a file instead of its content",
        MOST_SECRETS
    )]
    TooLong {
        /// How long they are together.
        bytes: usize,
    },
}

/// Knows secrets, and finds them in every usual spelling: as they are, hexadecimal, in
/// base64 (both alphabets, wherever it begins), in addresses and forms, in JSON and in
/// JSON within JSON. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redaction(Option<Arc<Patterns>>);

struct Patterns {
    finder: AhoCorasick,
    /// The same, in order.
    sorted: Vec<Box<[u8]>>,
    longest: usize,
    /// Bytes that one of them begins with.
    beginnings: [bool; 256],
}

impl Redaction {
    /// Looks for these values. White space around one does not belong to it, and those
    /// shorter than [`SHORTEST_SECRET`] are left out.
    pub fn of<S: AsRef<[u8]>>(secrets: impl IntoIterator<Item = S>) -> Result<Self, RedactionError> {
        let mut known = BTreeSet::new();
        for secret in secrets {
            let secret = secret.as_ref().trim_ascii();
            let hides_something = secret.iter().any(|byte| *byte != MASK);
            if secret.len() >= SHORTEST_SECRET && hides_something {
                known.insert(secret.to_vec());
            }
        }
        let bytes = known.iter().map(Vec::len).sum();
        if bytes > MOST_SECRETS {
            return Err(RedactionError::TooLong { bytes });
        }
        Ok(Self(Patterns::new(known.iter().flat_map(|secret| spellings::spellings(secret))).map(Arc::new)))
    }

    /// Whether there is nothing to look for.
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether there is a secret in bytes that are whole.
    pub fn finds(&self, bytes: &[u8]) -> bool {
        self.0.as_ref().is_some_and(|patterns| patterns.finder.is_match(bytes))
    }

    /// Masks every secret in bytes that are whole.
    pub fn bytes(&self, bytes: &mut [u8]) {
        let Some(patterns) = &self.0 else { return };
        for (start, end) in patterns.found(bytes) {
            bytes[start..end].fill(MASK);
        }
    }

    /// Masks every secret in a text that is whole.
    pub fn text(&self, text: &mut String) {
        if self.is_empty() {
            return;
        }
        let mut bytes = std::mem::take(text).into_bytes();
        self.bytes(&mut bytes);
        // A secret that is no text may cover a part of a character.
        *text = String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    }

    /// Masks secrets in a stream.
    pub fn stream(&self) -> Redactor {
        Redactor { redaction: self.clone(), raw: Vec::new(), masked: Vec::new() }
    }
}

impl fmt::Debug for Redaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.as_ref().map_or(0, |patterns| patterns.sorted.len());
        write!(f, "Redaction({count} spellings)")
    }
}

impl Patterns {
    fn new(spellings: impl Iterator<Item = Vec<u8>>) -> Option<Self> {
        let mut sorted: Vec<Box<[u8]>> = spellings.map(Vec::into_boxed_slice).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let longest = sorted.iter().map(|pattern| pattern.len()).max()?;
        let mut beginnings = [false; 256];
        for pattern in &sorted {
            beginnings[usize::from(pattern[0])] = true;
        }
        // The smallest of its kinds: a supervisor holds it as long as its agent lives. A
        // prefilter stumbles over every byte of base64, and is fifty times slower there.
        let finder = AhoCorasick::builder()
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .prefilter(false)
            .build(&sorted)
            .ok()?;
        Some(Self { finder, sorted, longest, beginnings })
    }

    /// Where secrets stand, also those that overlap.
    fn found(&self, bytes: &[u8]) -> Vec<(usize, usize)> {
        self.finder.find_overlapping_iter(bytes).map(|found| (found.start(), found.end())).collect()
    }

    /// How many bytes at the end may be the beginning of a secret.
    fn undecided(&self, bytes: &[u8]) -> usize {
        let most = bytes.len().min(self.longest - 1);
        let begins = |tail: &&[u8]| self.beginnings[usize::from(tail[0])] && self.begins_one(tail);
        let mut tails = (1..=most).rev().map(|length| &bytes[bytes.len() - length..]);
        tails.find(begins).map_or(0, <[u8]>::len)
    }

    /// Whether a longer secret begins so.
    fn begins_one(&self, tail: &[u8]) -> bool {
        let next = self.sorted.partition_point(|pattern| **pattern <= *tail);
        self.sorted.get(next).is_some_and(|pattern| pattern.starts_with(tail))
    }
}

/// Masks the secrets of one stream. Only what may be the beginning of a secret is held
/// back, until it is known whether it is one.
#[derive(Debug)]
pub struct Redactor {
    redaction: Redaction,
    /// What is held back.
    raw: Vec<u8>,
    /// The same, with the secrets masked that are in it already.
    masked: Vec<u8>,
}

impl Redactor {
    /// Takes the next chunk, and adds to `out` all that is decided.
    pub fn push(&mut self, chunk: &[u8], out: &mut Vec<u8>) {
        let Some(patterns) = self.redaction.0.as_deref() else {
            out.extend_from_slice(chunk);
            return;
        };
        self.raw.extend_from_slice(chunk);
        self.masked.extend_from_slice(chunk);
        for (start, end) in patterns.found(&self.raw) {
            self.masked[start..end].fill(MASK);
        }
        let decided = self.raw.len() - patterns.undecided(&self.raw);
        self.raw.drain(..decided);
        out.extend(self.masked.drain(..decided));
    }

    /// The stream is at its end: what was held back is no secret.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.raw.clear();
        out.append(&mut self.masked);
    }
}

#[cfg(test)]
mod tests;
