#![allow(clippy::unwrap_used)]

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::audit::{Entry, Fault};

fn small(folder: &Path, segment_bytes: u64) -> AuditLog {
    AuditLog { segment_bytes, ..AuditLog::new(folder.join("audit"), "0.1.0") }
}

fn event(word: &str) -> Event {
    Event::Withdrawn { plugin: word.to_owned() }
}

fn entries(log: &AuditLog) -> Vec<Entry> {
    let mut entries = Vec::new();
    log.read(|line| entries.push(serde_json::from_str(line).unwrap())).unwrap();
    entries
}

fn fault(log: &AuditLog) -> (Fault, usize) {
    match log.verify(&[], None).unwrap_err() {
        VerifyError::Damaged(Damage { fault, place }) => (fault, place.line),
        VerifyError::Unread(error) => panic!("{error}"),
    }
}

fn filled(log: &AuditLog, count: usize) -> Head {
    let mut heads = (0..count).map(|n| log.append(1, &event(&format!("w{n}")), Settle::Now).unwrap());
    let first = heads.next().unwrap();
    heads.fold(first, |_, head| head)
}

#[test]
fn what_is_written_is_read_in_order_by_its_owner_only() {
    let place = tempfile::tempdir().unwrap();
    let log = small(place.path(), SEGMENT_BYTES);
    assert_eq!((log.last().unwrap(), log.settle().unwrap()), (None, None));
    assert_eq!(log.verify(&[], None).unwrap(), Verified { first: None, head: None });
    let head = filled(&log, 3);
    let told: Vec<Event> = entries(&log).into_iter().map(|entry| entry.event).collect();
    assert_eq!(told, [event("w0"), event("w1"), event("w2")]);
    assert_eq!(log.verify(&[], None).unwrap(), Verified { first: Some(1), head: Some(head) });
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(log.folder()), 0o700);
    for file in fs::read_dir(log.folder()).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[test]
fn a_file_of_the_size_is_followed_by_the_next_one_and_the_chain_goes_over_the_border() {
    let place = tempfile::tempdir().unwrap();
    let line = {
        let log = small(&place.path().join("measure"), SEGMENT_BYTES);
        filled(&log, 1);
        fs::metadata(log.folder().join("000001.jsonl")).unwrap().len()
    };
    let fits = small(&place.path().join("fits"), 2 * line);
    filled(&fits, 2);
    assert_eq!(fits.segments().unwrap().len(), 1, "two lines of the size");
    let over = small(&place.path().join("over"), 2 * line - 1);
    filled(&over, 5);
    assert_eq!(over.segments().unwrap().len(), 5);
    assert_eq!(over.verify(&[], None).unwrap().first, Some(1));
    fs::remove_file(over.folder().join("000003.jsonl")).unwrap();
    assert_eq!(fault(&over), (Fault::Missing { from: 3, to: 3 }, 1));
}

#[test]
fn an_entry_may_be_as_long_as_the_limit_and_not_longer() {
    let place = tempfile::tempdir().unwrap();
    let log = small(place.path(), SEGMENT_BYTES);
    filled(&log, 1);
    let short = fs::read(log.folder().join("000001.jsonl")).unwrap().len();
    let room = MAX_LINE_BYTES - short + "w0".len();
    log.append(1, &event(&"x".repeat(room)), Settle::Now).unwrap();
    let refused = log.append(1, &event(&"x".repeat(room + 1)), Settle::Now).unwrap_err();
    assert_eq!(refused, AuditError::TooLarge { bytes: MAX_LINE_BYTES + 1, limit: MAX_LINE_BYTES });
    // The last line is longer than the glance at the end of the file.
    filled(&log, 2);
    assert_eq!(log.verify(&[], None).unwrap().head.unwrap().n, 4);
}

#[test]
fn half_a_line_is_cut_off_by_the_next_entry_which_is_told_so() {
    let place = tempfile::tempdir().unwrap();
    let log = small(place.path(), SEGMENT_BYTES);
    let head = filled(&log, 2);
    let path = log.folder().join("000001.jsonl");
    OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"n\":3,\"at\":1,\"ho").unwrap();
    assert_eq!(fault(&log), (Fault::Torn { after: 2 }, 3));
    assert_eq!(log.last().unwrap(), Some(head));
    filled(&log, 1);
    let kinds: Vec<&str> = entries(&log).iter().map(|entry| entry.event.kind()).collect();
    assert_eq!(kinds, ["withdrawn", "withdrawn", "healed", "withdrawn"]);
    assert_eq!(log.verify(&[], None).unwrap().head.unwrap().n, 4);
}

#[test]
fn half_a_line_that_is_all_of_a_new_file_is_cut_off_too() {
    let place = tempfile::tempdir().unwrap();
    let log = small(place.path(), 1);
    filled(&log, 2);
    fs::write(log.folder().join("000003.jsonl"), b"{\"n\":3").unwrap();
    filled(&log, 1);
    assert_eq!(log.verify(&[], None).unwrap().head.unwrap().n, 4);
}

#[test]
fn a_tail_that_was_cut_off_is_found_also_after_the_log_went_on() {
    let place = tempfile::tempdir().unwrap();
    let log = small(place.path(), SEGMENT_BYTES);
    filled(&log, 5);
    let path = log.folder().join("000001.jsonl");
    let content = fs::read_to_string(&path).unwrap();
    let kept: String = content.split_inclusive('\n').take(2).collect();
    fs::write(&path, &kept).unwrap();
    assert_eq!(fault(&log).0, Fault::MissingAtEnd { from: 3, to: 5 });
    assert_eq!(log.settle().unwrap().unwrap().n, 2);
    assert_eq!(fault(&log).0, Fault::MissingAtEnd { from: 3, to: 5 }, "the head stays");
    filled(&log, 4);
    assert!(matches!(fault(&log), (Fault::Noted { n: 3, problem }, 3) if problem.contains("entry 5:")));
    let accepted = log.last().unwrap();
    assert_eq!(log.verify(&[], accepted).unwrap().head, accepted, "who wrote down a head after it knows");
}

#[test]
fn a_changed_last_entry_keeps_nobody_from_working_and_is_found() {
    let place = tempfile::tempdir().unwrap();
    let log = small(place.path(), SEGMENT_BYTES);
    filled(&log, 3);
    let path = log.folder().join("000001.jsonl");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("\"w2\"", "\"w9\"")).unwrap();
    filled(&log, 1);
    assert!(matches!(fault(&log), (Fault::Changed { n: 3, .. }, 3)));
}

#[test]
fn a_head_from_elsewhere_is_confirmed_or_its_loss_is_written_down() {
    let place = tempfile::tempdir().unwrap();
    let log = small(place.path(), 400);
    let third = filled(&log, 3);
    let last = filled(&log, 3);
    for head in [third, last] {
        assert_eq!(log.confirm(1, head), Ok(true));
    }
    let forged = Head { n: 2, hash: third.hash };
    assert_eq!(log.confirm(1, forged), Ok(false));
    let beyond = Head { n: 100, hash: third.hash };
    assert_eq!(log.confirm(1, beyond), Ok(false));
    let kinds: Vec<&str> = entries(&log).iter().rev().take(2).map(|entry| entry.event.kind()).collect();
    assert_eq!(kinds, ["broken", "broken"]);
}

#[test]
fn an_entry_that_need_not_be_settled_is_covered_by_the_head_once_it_is() {
    let place = tempfile::tempdir().unwrap();
    let log = small(place.path(), SEGMENT_BYTES);
    let first = filled(&log, 1);
    let second = log.append(1, &event("soon"), Settle::Soon).unwrap();
    assert_eq!(log.noted(), Some(first), "a head never says more than what is on the disk");
    assert_eq!(log.settle().unwrap(), Some(second));
    assert_eq!(log.noted(), Some(second));
}

#[test]
fn many_writers_at_once_make_one_chain() {
    let place = tempfile::tempdir().unwrap();
    let log = small(place.path(), 2_000);
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let log = log.clone();
            scope.spawn(move || {
                for n in 0..25 {
                    let settle = if n % 5 == 0 { Settle::Now } else { Settle::Soon };
                    log.append(1, &event(&format!("{writer}-{n}")), settle).unwrap();
                }
            });
        }
    });
    assert_eq!(log.verify(&[], None).unwrap().head.unwrap().n, 100);
}

#[test]
fn a_place_that_cannot_be_written_is_said_with_what_does_not_happen_until_it_can() {
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("audit"), b"a file").unwrap();
    let error = small(place.path(), 1).append(1, &event("x"), Settle::Now).unwrap_err();
    assert!(error.to_string().contains("audit"), "{error}");
    let full = AuditError::at(Path::new("/x/audit"))(io::ErrorKind::StorageFull.into());
    assert!(full.to_string().contains("no agent starts, no work lands"), "{full}");
}

#[test]
fn what_is_older_than_wanted_goes_file_by_file_and_an_entry_vouches_for_it() {
    let place = tempfile::tempdir().unwrap();
    let log = small(place.path(), 1);
    for at in [10, 20, 30, 40] {
        log.append(at, &event("w"), Settle::Now).unwrap();
    }
    assert_eq!(log.older_than(10).unwrap(), []);
    let old = log.older_than(i64::MAX).unwrap();
    assert_eq!(old.len(), 3, "the file that is written to stays");
    let old = log.older_than(21).unwrap();
    log.collect(50, &old).unwrap();
    assert_eq!(entries(&log).iter().map(|entry| entry.n).collect::<Vec<_>>(), [3, 4, 5]);
    let verified = log.verify(&[], None).unwrap();
    assert_eq!((verified.first, verified.head.unwrap().n), (Some(3), 5));
    fs::remove_file(log.folder().join("000003.jsonl")).unwrap();
    assert_eq!(fault(&log).0, Fault::MissingAtStart { to: 3 });
}
