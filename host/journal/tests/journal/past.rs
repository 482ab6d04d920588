//! Replaying the past, and the copy for a day of damage.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use hostler_journal::{Entry, Journal, JournalError, Pruned, Reader, Seq, copy_of, make_copy};

use crate::{Place, about, entry, run, wait_for};

/// Entries between two kept states.
const FAR: i64 = 4096;

fn append_many(journal: &Journal, entries: impl IntoIterator<Item = Entry>) {
    wait_for(async {
        let mut receipts = Vec::new();
        for entry in entries {
            receipts.push(journal.submit(entry).await.unwrap());
        }
        for receipt in receipts {
            receipt.durable().await.unwrap();
        }
    });
}

fn state(name: &str) -> Entry {
    Entry { snapshot: Some(name.to_owned()), ..entry(0, name) }
}

#[test]
fn a_run_is_replayed_from_the_last_kept_state_before_it_was_offered() {
    let place = Place::new();
    let (journal, _) = place.open();
    append_many(&journal, (1..FAR).map(|number| entry(number, "tick")));
    append_many(
        &journal,
        [state("at 4096"), state("too near"), entry(1, "offered: run-7"), entry(2, "tick")],
    );
    append_many(
        &journal,
        [about("run-7", 3, "claimed"), entry(4, "tick"), about("run-7", 5, "closed"), entry(6, "later")],
    );
    let reader = journal.reader().unwrap();
    let span = reader.span("run-7").unwrap().unwrap();
    assert_eq!(
        span.before.as_ref().map(|before| (before.seq.get(), before.body.as_str())),
        Some((4096, "at 4096"))
    );
    assert_eq!((span.first, span.whole), (Seq::new(FAR + 2), true));
    let inputs: Vec<&str> = span.entries.iter().map(|entry| entry.input.as_str()).collect();
    assert_eq!(inputs, ["too near", "offered: run-7", "tick", "claimed", "tick", "closed"]);
    assert_eq!(reader.span("nobody").unwrap(), None);
}

#[test]
fn a_run_from_before_any_kept_state_is_replayed_from_the_very_beginning() {
    let place = Place::new();
    let (journal, _) = place.open();
    append_many(
        &journal,
        [entry(0, "configured"), about("r", 1, "given"), state("early"), about("r", 2, "closed")],
    );
    let span = journal.reader().unwrap().span("r").unwrap().unwrap();
    assert_eq!((span.before, span.entries.len(), span.whole), (None, 4, true));
}

#[test]
fn a_part_of_the_record_with_pruned_entries_says_that_it_is_not_whole() {
    let place = Place::new();
    let (journal, _) = place.open();
    append_many(&journal, [entry(1, "tick"), entry(500, "tick"), about("r", 500, "given"), state("s")]);
    append_many(&journal, [Entry { runs: vec![run("r", 500)], ..about("r", 500, "more") }, state("s")]);
    assert!(journal.reader().unwrap().span("r").unwrap().unwrap().whole);
    assert!(wait_for(journal.prune(100)).unwrap().entries > 0);
    let span = journal.reader().unwrap().span("r").unwrap().unwrap();
    assert!(!span.whole, "{span:?}");
}

#[test]
fn a_kept_state_goes_with_the_entries_that_it_was_for() {
    let place = Place::new();
    let (journal, _) = place.open();
    for round in 0..3 {
        append_many(&journal, (1..FAR).map(|_| entry(round * 1000, "tick")));
        append_many(&journal, [Entry { at_ms: round * 1000, ..state("state") }]);
    }
    append_many(&journal, [about("r", 2000, "given")]);
    wait_for(journal.prune(1500)).unwrap();
    // What is left begins after the second state, which is still needed for it.
    let span = journal.reader().unwrap().span("r").unwrap().unwrap();
    assert_eq!(span.before.unwrap().seq.get(), 3 * FAR);
    let kept: i64 = rusqlite::Connection::open(&place.path)
        .unwrap()
        .query_one("SELECT group_concat(seq) = '8192,12288' FROM checkpoints", [], |row| row.get(0))
        .unwrap();
    assert_eq!(kept, 1);
}

#[test]
fn what_pruning_would_remove_is_counted_before_and_runs_to_be_kept_stay() {
    let place = Place::new();
    let (journal, _) = place.open();
    for id in ["a", "b"] {
        let closed = hostler_journal::RunRow { closed: true, ..run(id, 10) };
        append_many(&journal, [Entry { runs: vec![closed], ..about(id, 10, "end") }, entry(10, "tick")]);
    }
    append_many(&journal, [Entry { at_ms: 1000, ..state("s") }]);
    let keep = ["a".to_owned()];
    let counted = journal.reader().unwrap().prunable(100, &keep).unwrap();
    assert_eq!(counted, Pruned { runs: 1, entries: 3 });
    assert_eq!(wait_for(journal.prune_except(100, keep.to_vec())).unwrap(), counted);
    assert!(journal.reader().unwrap().run("a").unwrap().is_some());
}

#[test]
fn a_reader_sees_what_a_start_would_begin_with() {
    let place = Place::new();
    let (journal, _) = place.open();
    append_many(&journal, [state("s"), entry(1, "after")]);
    let seen = journal.reader().unwrap().recovered().unwrap();
    drop(journal);
    let (_journal, recovered) = place.open();
    assert_eq!(seen, recovered);
    assert_eq!(seen.inputs.len(), 1);
}

#[test]
fn a_copy_is_private_complete_and_can_take_the_place_of_the_journal() {
    let place = Place::new();
    let (journal, _) = place.open();
    append_many(&journal, [entry(1, "one"), state("s")]);
    let copy = make_copy(&place.path).unwrap();
    append_many(&journal, [entry(2, "two")]);
    assert_eq!(fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(Reader::open(&copy).unwrap().last().unwrap(), Seq::new(2));
    // The next one takes its place.
    assert_eq!(make_copy(&place.path).unwrap(), copy);
    assert_eq!(Reader::open(&copy).unwrap().last().unwrap(), Seq::new(3));
    drop(journal);
    fs::rename(&copy, &place.path).unwrap();
    let (_, recovered) = place.open();
    assert_eq!(recovered.inputs.len(), 1);
}

#[test]
fn a_damaged_journal_does_not_replace_its_copy_and_names_it() {
    let place = Place::new();
    let (journal, _) = place.open();
    append_many(&journal, (0..200).map(|number| about("r", number, "x".repeat(2000))));
    drop(journal);
    let copy = make_copy(&place.path).unwrap();
    let before = fs::read(&copy).unwrap();
    let pages = fs::metadata(&place.path).unwrap().len() / 4096;
    crate::damage::scribble(&place.path, 21..=pages);
    let error = make_copy(&place.path).unwrap_err();
    assert!(matches!(error, JournalError::Corrupt { .. }), "{error}");
    assert!(
        error.to_string().contains(&format!("the verified copy {}", copy_of(&place.path).display())),
        "{error}"
    );
    assert_eq!(fs::read(&copy).unwrap(), before);
    assert_eq!(
        fs::read_dir(place.path.parent().unwrap())
            .unwrap()
            .filter(|entry| { entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".new") })
            .count(),
        0
    );
}
