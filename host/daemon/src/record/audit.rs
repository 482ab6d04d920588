//! The audit log for whoever looks at it: without a host, and beside one.

pub use hostler_journal::audit::{
    AuditError, AuditLog, By, Damage, Entry, Event, Head, Verified, VerifyError,
};
use std::path::Path;

use hostler_engine::time::Timestamp;
use hostler_journal::audit::Settle;
use hostler_journal::{JournalError, Reader};

use crate::clock::Clock;
use crate::failure::Failure;
use crate::home::Home;
use crate::plugins::grants::GrantError;
use crate::plugins::install_folder::InstallFolder;

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

/// Writes down that the plugin in a file may not be used by a host that was to start, and
/// does not. What is wrong with the log starts none either. Blocks.
pub fn start_refused(home: &Home, file: &Path, failure: &Failure) {
    let Some(reason) = refusal(failure) else { return };
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let plugin = InstallFolder::name_of(file).unwrap_or(&stem).to_owned();
    let (effect, reason) = ("start".to_owned(), reason.to_owned());
    let event = Event::Denied { plugin, effect, reason, times: 1 };
    let now = Clock::start(Timestamp(0)).now();
    if let Err(error) = log(home).append(now.0, &event, Settle::Now) {
        tracing::warn!("a refused start is not in the audit log: {error}");
    }
}

/// Why a plugin may not be used, in one word; none where something else is wrong.
const fn refusal(failure: &Failure) -> Option<&'static str> {
    match failure {
        Failure::Grant(GrantError::Missing { .. }) => Some("grant-missing"),
        Failure::Grant(GrantError::TooLittle { .. }) => Some("grant-too-little"),
        Failure::Ceiling { .. } => Some("ceiling"),
        Failure::NotVouched(_) => Some("signature"),
        Failure::PluginNotAsInstalled { .. } => Some("not-as-installed"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn lines(home: &Home) -> Vec<String> {
        let mut lines = Vec::new();
        log(home).read(|line| lines.push(line.to_owned())).unwrap();
        lines
    }

    #[test]
    fn a_start_that_is_refused_is_written_down_and_one_that_fails_for_something_else_is_not() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().display().to_string();
        let home = Home::from_environment(|name| (name == "HOME").then(|| folder.clone())).unwrap();
        let file = Path::new("/plugins/tale.wasm");
        start_refused(&home, file, &Failure::NoProvider);
        assert_eq!(lines(&home), [""; 0]);
        let missing = |id: &str| GrantError::Missing { id: id.to_owned(), file: file.to_owned() };
        start_refused(&home, file, &Failure::Grant(missing("tale")));
        let installed = Path::new("/plugins/installed/codex@0123456789abcdef.wasm");
        start_refused(&home, installed, &Failure::Grant(missing("codex")));
        let told = |plugin| {
            format!(r#""kind":"denied","plugin":"{plugin}","effect":"start","reason":"grant-missing""#)
        };
        let lines = lines(&home);
        assert!(lines[0].contains(&told("tale")) && lines[1].contains(&told("codex")), "{lines:?}");
    }
}
