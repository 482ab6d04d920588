//! What of the audit log may go: nothing, unless the operator says so.

use hostler_engine::time::{Millis, Timestamp};
use hostler_journal::audit::Old;

use super::rules::Decision;
use super::survey::finding;
use super::{Deed, Finding, What};
use crate::home::Home;
use crate::record::audit;

/// What becomes of the audit log, of which files all of whose entries are older than
/// `keep` may go.
pub fn found(home: &Home, keep: Option<Millis>, now: Timestamp) -> Finding {
    let Some(keep) = keep else {
        let decision = Decision::stays("your settings keep it for ever");
        return finding(What::Audit, None, home.audit(), decision, None);
    };
    let before = now.0.saturating_sub(i64::try_from(keep.0).unwrap_or(i64::MAX));
    match audit::log(home).older_than(before) {
        Err(error) => finding(What::Audit, None, home.audit(), Decision::stays(error.to_string()), None),
        Ok(old) if old.is_empty() => {
            let decision = Decision::stays(format!("none of its files is older than {keep} as a whole"));
            finding(What::Audit, None, home.audit(), decision, None)
        }
        Ok(old) => {
            let decision = Decision::goes(format!("{} of its files are older than {keep}", old.len()));
            let bytes = old.iter().map(|old| old.bytes).sum();
            let goes = finding(What::Audit, None, home.audit(), decision, Some(Deed::Audit { old, now }));
            Finding { bytes, ..goes }
        }
    }
}

/// Removes files of the log, which says so itself.
pub fn remove(home: &Home, old: &[Old], now: Timestamp) -> Result<(), String> {
    audit::log(home).collect(now.0, old).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hostler_journal::audit::{Event, Settle};

    use super::*;
    use crate::collection::Fate;

    #[test]
    fn the_audit_log_stays_unless_the_operator_gives_it_an_age() {
        let place = tempfile::tempdir().unwrap();
        let home = Home::below(place.path());
        // Long entries, so that there is more than one file.
        let event = Event::HostStopped { why: "x".repeat(200_000) };
        for at in 0..50 {
            audit::log(&home).append(at, &event, Settle::Soon).unwrap();
        }
        let now = Timestamp(1_000_000);
        let kept = found(&home, None, now);
        assert_eq!((kept.fate, &*kept.why), (Fate::Stays, "your settings keep it for ever"));
        assert_eq!(found(&home, Some(Millis(1_000_000)), now).fate, Fate::Stays);
        let Finding { deed: Some(Deed::Audit { old, now }), fate: Fate::Goes, .. } =
            found(&home, Some(Millis(1_000)), now)
        else {
            panic!("nothing goes");
        };
        remove(&home, &old, now).unwrap();
        let verified = audit::verify(&home, None).unwrap().unwrap();
        assert!(verified.first > Some(1), "{verified:?}");
    }
}
