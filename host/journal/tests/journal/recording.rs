//! What is written, in which order, and what a start begins with.

use std::os::unix::fs::PermissionsExt;

use hostler_journal::{
    Entry, Journal, JournalError, MAX_ENTRY_BYTES, RecordedInput, SchemaVersion, Seq, Snapshot, Tally,
};
use rusqlite::Connection;

use crate::{Place, about, accepted, entry, put, run, wait_for};

fn bodies(inputs: &[RecordedInput]) -> Vec<&str> {
    inputs.iter().map(|input| input.body.as_str()).collect()
}

/// Keeps the writer waiting until it is dropped.
fn hold_the_writer(place: &Place) -> Connection {
    let holder = Connection::open(&place.path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    holder
}

#[test]
fn a_new_journal_recovers_nothing() {
    let place = Place::new();
    let (_journal, recovered) = place.open();
    assert_eq!(recovered.snapshot, None);
    assert_eq!(recovered.inputs, vec![]);
    assert_eq!(recovered.schema, SchemaVersion { found: 0, now: 3 });
}

#[test]
fn what_was_appended_is_recovered_in_order_and_the_same_twice() {
    let place = Place::new();
    let (journal, _) = place.open();
    for (at_ms, input) in [(10, "a"), (5, "b"), (7, "c")] {
        wait_for(journal.append(entry(at_ms, input))).unwrap();
    }
    drop(journal);

    let (journal, first) = place.open();
    assert_eq!(bodies(&first.inputs), ["a", "b", "c"]);
    assert_eq!(first.inputs[1].at_ms, 5);
    assert_eq!(first.inputs[2].seq, Seq::new(3));
    drop(journal);
    let (_journal, second) = place.open();
    assert_eq!(first.inputs, second.inputs);
}

#[test]
fn replay_begins_after_the_last_snapshot() {
    let place = Place::new();
    let (journal, _) = place.open();
    for (input, snapshot) in [("a", None), ("b", Some("1")), ("c", Some("2")), ("d", None)] {
        let snapshot = snapshot.map(str::to_owned);
        let entry = Entry { snapshot, ..entry(9, input) };
        wait_for(journal.append(entry)).unwrap();
    }
    drop(journal);
    let (_journal, recovered) = place.open();
    assert_eq!(recovered.snapshot, Some(Snapshot { seq: Seq::new(3), at_ms: 9, body: "2".to_owned() }));
    assert_eq!(bodies(&recovered.inputs), ["d"]);
}

#[test]
fn an_acknowledged_entry_is_already_there_for_everyone() {
    let place = Place::new();
    let (journal, _) = place.open();
    let reader = journal.reader().unwrap();
    for number in 1..=50 {
        let id = format!("run{number}");
        let seq = wait_for(journal.append(Entry {
            runs: vec![run(&id, number)],
            outbox: vec![put(&id, number)],
            ..about(&id, number, "input")
        }))
        .unwrap();
        assert_eq!(seq, Seq::new(number));
        assert_eq!(reader.last().unwrap(), seq);
        assert_eq!(reader.run(&id).unwrap(), Some(run(&id, number)));
        assert_eq!(reader.history(&id, Seq::START, 9).unwrap().len(), 1);
        assert_eq!(reader.outbox().unwrap().len(), usize::try_from(number).unwrap());
    }
}

#[test]
fn entries_that_wait_together_are_committed_together() {
    let place = Place::new();
    let (journal, _) = place.open();
    let holder = hold_the_writer(&place);
    wait_for(async {
        let mut receipts = Vec::new();
        for number in 0..200 {
            let input = number.to_string();
            receipts.push(journal.submit(entry(0, input)).await.unwrap());
        }
        assert_eq!(journal.tally(), Tally::default());
        drop(holder);
        for (receipt, expected) in receipts.into_iter().zip(1..) {
            assert_eq!(receipt.durable().await.unwrap(), Seq::new(expected));
        }
    });
    // The writer may have picked up the first ones before the others came.
    let Tally { entries, commits } = journal.tally();
    assert_eq!(entries, 200);
    assert!(commits <= 2, "{commits} commits");
}

#[test]
fn an_entry_nobody_waits_for_is_recorded_all_the_same() {
    let place = Place::new();
    let (journal, _) = place.open();
    for input in ["a", "b"] {
        drop(wait_for(journal.submit(entry(0, input))).unwrap());
    }
    drop(journal);
    assert_eq!(bodies(&place.open().1.inputs), ["a", "b"]);
}

#[test]
fn two_thousand_callers_at_once_get_two_thousand_different_places() {
    let place = Place::new();
    let (journal, _) = place.open();
    let journal = std::sync::Arc::new(journal);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).build().unwrap();
    let mut places = runtime.block_on(async {
        let mut callers = Vec::new();
        for number in 0..2000 {
            let journal = std::sync::Arc::clone(&journal);
            callers.push(tokio::spawn(async move { journal.append(entry(number, "x")).await.unwrap() }));
        }
        let mut places = Vec::new();
        for caller in callers {
            places.push(caller.await.unwrap().get());
        }
        places
    });
    places.sort_unstable();
    assert_eq!(places, (1..=2000).collect::<Vec<_>>());
}

#[test]
fn an_entry_that_contradicts_the_record_leaves_no_trace_and_stops_the_journal() {
    let contradictions = [
        put("unknown", 0),
        accepted("unknown", 0),
        hostler_journal::OutboxChange::Parked { run: "unknown".to_owned(), reason: "no".to_owned() },
    ];
    for contradiction in contradictions {
        let place = Place::new();
        let (journal, _) = place.open();
        wait_for(journal.append(entry(0, "good"))).unwrap();
        let bad = Entry { outbox: vec![contradiction], runs: vec![run("r", 0)], ..entry(0, "bad") };
        let first = wait_for(journal.append(bad)).unwrap_err();
        assert!(matches!(first, JournalError::Contradiction { .. }), "{first}");

        let next = wait_for(journal.append(entry(0, "next"))).unwrap_err();
        let first = Box::new(first);
        assert_eq!(next, JournalError::Stopped { first });
        assert_eq!(journal.reader().unwrap().run("r").unwrap(), None);
        drop(journal);
        assert_eq!(bodies(&place.open().1.inputs), ["good"]);
    }
}

#[test]
fn an_entry_over_the_limit_is_refused_and_one_at_the_limit_is_kept() {
    let place = Place::new();
    let (journal, _) = place.open();
    let largest = Entry { input: "x".repeat(MAX_ENTRY_BYTES), ..Entry::default() };
    wait_for(journal.append(largest.clone())).unwrap();
    let too_large = Entry { effects: "y".to_owned(), ..largest };
    assert_eq!(
        wait_for(journal.append(too_large)),
        Err(JournalError::TooLarge { bytes: MAX_ENTRY_BYTES + 1, limit: MAX_ENTRY_BYTES })
    );
}

#[test]
fn only_this_user_can_read_what_is_recorded() {
    let place = Place::new();
    let (journal, _) = place.open();
    wait_for(journal.append(entry(0, "secret"))).unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(place.path.parent().unwrap()), 0o700);
    for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        assert_eq!(mode(&place.path.with_file_name(name)), 0o600, "{name}");
    }
}

#[test]
fn a_journal_that_others_could_read_is_closed_to_them_and_the_folder_is_left_alone() {
    let place = Place::new();
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    drop(place.open());
    set(&place.path, 0o644);
    set(place.path.parent().unwrap(), 0o755);
    drop(place.open());
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.path), 0o600);
    assert_eq!(mode(place.path.parent().unwrap()), 0o755);
}

#[test]
fn missing_folders_are_made() {
    let place = Place::new();
    let missing = place.folder.path().join("a/b/c/journal.db");
    let (journal, _) = Journal::open(&missing).unwrap();
    wait_for(journal.append(entry(0, "deep"))).unwrap();
    assert!(missing.exists());
}
