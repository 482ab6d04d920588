//! The audit log for whoever looks at it: without a host, and beside one.

pub use hostler_journal::audit::{
    AuditError, AuditLog, By, Damage, Entry, Event, Head, Verified, VerifyError,
};
use hostler_journal::{JournalError, Reader};

use crate::failure::Failure;
use crate::home::Home;

/// The log of this state folder.
pub fn log(home: &Home) -> AuditLog {
    AuditLog::new(home.audit(), env!("CARGO_PKG_VERSION"))
}

/// Proves that the log is whole: by itself, by what the journal knows of it, and by a
/// head that somebody wrote down. Blocks.
pub fn verify(home: &Home, by_hand: Option<Head>) -> Result<Result<Verified, Damage>, Failure> {
    let known: Vec<Head> = journal_head(home)?.into_iter().collect();
    match log(home).verify(&known, by_hand) {
        Ok(verified) => Ok(Ok(verified)),
        Err(VerifyError::Damaged(damage)) => Ok(Err(damage)),
        Err(VerifyError::Unread(error)) => Err(error.into()),
    }
}

/// What the journal knows of the log. One that is missing or from before there was an
/// audit log knows nothing.
fn journal_head(home: &Home) -> Result<Option<Head>, Failure> {
    let read = Reader::open(&home.journal()).and_then(|reader| reader.audit_head());
    match read {
        Err(JournalError::Missing { .. } | JournalError::Older { .. }) => Ok(None),
        read => Ok(read?),
    }
}
