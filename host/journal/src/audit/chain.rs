//! Whether lines hang together: a pure function over them, one after the other.

use thiserror::Error;

use super::entry::{AFTER_HASH, BEFORE_HASH, Entry, Event, SEAL_BYTES};
use super::hash::{HASH_DIGITS, Head, LineHash};

/// What is wrong with a log. Numbers are those of entries.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Fault {
    /// A line is not what was written.
    #[error("entry {n} was changed: {problem}")]
    Changed {
        /// The entry that should stand there.
        n: u64,
        /// What tells.
        problem: &'static str,
    },
    /// Entries are not there.
    #[error("{} missing", entries(*from, *to))]
    Missing {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// Another entry stands where one should be.
    #[error("entry {found} stands where entry {n} should be: it was moved, repeated or added")]
    Misplaced {
        /// The entry that should stand there.
        n: u64,
        /// The one that does.
        found: u64,
    },
    /// An entry was made for another log, or after another past.
    #[error("entry {n} does not follow on the one before it: one of the two was replaced")]
    Replaced {
        /// The entry that does not follow.
        n: u64,
    },
    /// The first entry there is follows on others, and nothing says that they may be gone.
    #[error("{} missing at the beginning, and no entry says that they were collected", entries(1, *to))]
    MissingAtStart {
        /// The last of them.
        to: u64,
    },
    /// A known head lies beyond the end.
    #[error("{} missing at the end", entries(*from, *to))]
    MissingAtEnd {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// A known head is another entry of the same number.
    #[error("entry {n} is not the one that was there before: its past was rewritten")]
    Rewritten {
        /// The entry.
        n: u64,
    },
    /// An entry says that what it follows on was damaged.
    #[error("entry {n} says that the log was damaged before it: {problem}")]
    Noted {
        /// The entry.
        n: u64,
        /// What it says.
        problem: String,
    },
    /// The last line ends in the middle.
    #[error(
        "the line after entry {after} ends in the middle, as after a crash; the next entry that is written cuts it off and says so"
    )]
    Torn {
        /// The last whole entry; 0 if there is none.
        after: u64,
    },
}

/// `entry 7 is`, `entries 7…9 are`.
fn entries(from: u64, to: u64) -> String {
    if from == to { format!("entry {from} is") } else { format!("entries {from}…{to} are") }
}

/// A log without a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The first entry there is; earlier ones were collected.
    pub first: Option<u64>,
    /// The last entry.
    pub head: Option<Head>,
}

/// What the chain is made of in one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The entry itself.
    pub head: Head,
    /// What it follows on.
    pub prev: LineHash,
    told: Told,
}

/// What an entry says about the log itself.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Told {
    Collected(Head),
    Broken(String),
    Nothing,
}

/// Reads one line, without its line feed, and proves that it is as it was written.
pub(crate) fn read(line: &[u8]) -> Result<Link, &'static str> {
    let body_bytes = line.len().checked_sub(SEAL_BYTES).ok_or("it is too short")?;
    let (body, seal) = line.split_at(body_bytes);
    let digits = seal.strip_prefix(BEFORE_HASH).and_then(|rest| rest.strip_suffix(AFTER_HASH));
    let digits = digits.filter(|digits| digits.len() == HASH_DIGITS);
    let stated: LineHash = digits
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok())
        .ok_or("it does not end with a hash")?;
    if LineHash::of(&[body, b"}"]) != stated {
        return Err("its content does not have the hash that it ends with");
    }
    // The whole of it, for who looks at the log is shown no line that is no entry.
    let entry: Entry = serde_json::from_slice(line).map_err(|_| "it is no entry")?;
    let told = match entry.event {
        Event::Collected { through } => Told::Collected(through),
        Event::Broken { problem } => Told::Broken(problem),
        _ => Told::Nothing,
    };
    Ok(Link { head: Head { n: entry.n, hash: stated }, prev: entry.prev, told })
}

/// Walks over a log and stops at the first fault: behind it nothing is proven. What the
/// log says about itself is only told at the end, so that it hides no later fault.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    known: &'a [Head],
    /// Up to here, remarks of the log about itself are known.
    accepted: u64,
    noted: Option<Fault>,
    first: Option<u64>,
    last: Option<Head>,
    /// What may be missing at the beginning.
    collected: u64,
}

impl<'a> Walk<'a> {
    /// Begins before the first line. `known` are heads that this log had. What entries up
    /// to number `accepted` say about damage before them is known, and no fault any more.
    pub(crate) const fn new(known: &'a [Head], accepted: u64) -> Self {
        Self { known, accepted, noted: None, first: None, last: None, collected: 0 }
    }

    /// The number that the next entry should have.
    fn expected(&self) -> u64 {
        self.last.map_or(1, |head| head.n + 1)
    }

    /// Takes the next line, without its line feed.
    pub(crate) fn line(&mut self, line: &[u8]) -> Result<(), Fault> {
        let n = self.expected();
        let Link { head, prev, told } = read(line).map_err(|problem| Fault::Changed { n, problem })?;
        match self.last {
            Some(_) if head.n > n => return Err(Fault::Missing { from: n, to: head.n - 1 }),
            Some(_) if head.n < n => return Err(Fault::Misplaced { n, found: head.n }),
            Some(last) if last.hash != prev => return Err(Fault::Replaced { n }),
            None if head.n == 0 => return Err(Fault::Misplaced { n, found: 0 }),
            None if head.n == 1 && prev != LineHash::NOTHING => return Err(Fault::Replaced { n }),
            _ => {}
        }
        if self.known.iter().any(|known| known.n == head.n && known.hash != head.hash) {
            return Err(Fault::Rewritten { n: head.n });
        }
        match told {
            Told::Broken(problem) if head.n > self.accepted => {
                self.noted.get_or_insert(Fault::Noted { n: head.n, problem });
            }
            Told::Collected(through) => self.collected = self.collected.max(through.n),
            Told::Broken(_) | Told::Nothing => {}
        }
        self.first.get_or_insert(head.n);
        self.last = Some(head);
        Ok(())
    }

    /// Whether an entry so far says that the log was damaged.
    pub(crate) const fn has_noted(&self) -> bool {
        self.noted.is_some()
    }

    /// Half a line stands at the end.
    pub(crate) fn torn(&self) -> Fault {
        Fault::Torn { after: self.last.map_or(0, |head| head.n) }
    }

    /// There are no more lines.
    pub(crate) fn end(self) -> Result<Verified, Fault> {
        let before = self.first.unwrap_or(1) - 1;
        if before > self.collected {
            return Err(Fault::MissingAtStart { to: before });
        }
        let next = self.expected();
        match self.known.iter().map(|known| known.n).max() {
            Some(to) if to >= next => Err(Fault::MissingAtEnd { from: next, to }),
            _ => self.noted.map_or(Ok(Verified { first: self.first, head: self.last }), Err),
        }
    }
}

/// Walks over bytes as over the one file of a log that had these heads. For tests that
/// write anything into it.
#[doc(hidden)]
pub fn walk(content: &[u8], known: &[Head]) -> Result<Verified, Fault> {
    let mut walk = Walk::new(known, 0);
    for line in content.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => walk.line(line)?,
            None => return Err(walk.torn()),
        }
    }
    walk.end()
}

#[cfg(test)]
mod tests;
