//! What pruning removes, and above all what it keeps.

use hostler_journal::{Entry, Journal, Pruned, Reader, RunFilter, RunRow, Seq};

use crate::{Place, about, accepted, entry, put, run, wait_for};

const OLD: i64 = 10;
const LIMIT: i64 = 100;
const YOUNG: i64 = 1000;

fn closed(id: &str, updated_ms: i64) -> RunRow {
    RunRow { closed: true, updated_ms, ..run(id, OLD) }
}

/// Three entries about a run that ends as given.
fn live(journal: &Journal, end: RunRow) {
    let id = end.id.clone();
    let begin = Entry { runs: vec![run(&id, OLD)], ..about(&id, OLD, "begin") };
    let last = Entry { runs: vec![end], ..about(&id, OLD, "end") };
    for entry in [begin, about(&id, OLD, "middle"), last] {
        wait_for(journal.append(entry)).unwrap();
    }
}

fn snapshot(journal: &Journal) {
    let entry = Entry { snapshot: Some("state".to_owned()), ..entry(YOUNG, "snapshot") };
    wait_for(journal.append(entry)).unwrap();
}

fn left(reader: &Reader) -> Vec<String> {
    let runs = reader.runs(&RunFilter::default()).unwrap();
    let mut ids: Vec<_> = runs.into_iter().map(|run| run.id).collect();
    ids.sort();
    ids
}

#[test]
fn an_old_closed_run_goes_with_its_whole_history() {
    let place = Place::new();
    let (journal, _) = place.open();
    live(&journal, closed("gone", OLD));
    live(&journal, closed("at-the-limit", LIMIT));
    snapshot(&journal);
    let pruned = wait_for(journal.prune(LIMIT)).unwrap();
    assert_eq!(pruned, Pruned { runs: 1, entries: 3 });
    let reader = journal.reader().unwrap();
    assert_eq!(left(&reader), ["at-the-limit"]);
    assert_eq!(reader.history("gone", Seq::START, 9).unwrap(), []);
    assert_eq!(reader.history("at-the-limit", Seq::START, 9).unwrap().len(), 3);
}

#[test]
fn an_open_run_stays_however_old_it_is() {
    let place = Place::new();
    let (journal, _) = place.open();
    live(&journal, run("open", OLD));
    snapshot(&journal);
    assert_eq!(wait_for(journal.prune(LIMIT)).unwrap(), Pruned::default());
    let reader = journal.reader().unwrap();
    assert_eq!(left(&reader), ["open"]);
    assert_eq!(reader.history("open", Seq::START, 9).unwrap().len(), 3);
}

#[test]
fn a_run_stays_until_its_report_is_accepted() {
    let place = Place::new();
    let (journal, _) = place.open();
    for id in ["waiting", "parked", "accepted"] {
        live(&journal, closed(id, OLD));
        let report = Entry { outbox: vec![put(id, OLD)], ..about(id, OLD, "report") };
        wait_for(journal.append(report)).unwrap();
    }
    let parked =
        hostler_journal::OutboxChange::Parked { run: "parked".to_owned(), reason: "refused".to_owned() };
    let ends = Entry { outbox: vec![parked, accepted("accepted", OLD)], ..entry(YOUNG, "ends") };
    wait_for(journal.append(ends)).unwrap();
    snapshot(&journal);
    let pruned = wait_for(journal.prune(LIMIT)).unwrap();
    assert_eq!(pruned, Pruned { runs: 1, entries: 4 });
    let reader = journal.reader().unwrap();
    assert_eq!(left(&reader), ["parked", "waiting"]);
    assert_eq!(reader.outbox().unwrap().len(), 2);
    assert_eq!(reader.history("parked", Seq::START, 9).unwrap().len(), 4);
    assert_eq!(reader.report("accepted").unwrap(), None);
}

#[test]
fn nothing_that_replay_needs_is_removed() {
    let place = Place::new();
    let (journal, _) = place.open();
    live(&journal, closed("before", OLD));
    snapshot(&journal);
    live(&journal, closed("after", OLD));
    wait_for(journal.append(entry(OLD, "tick"))).unwrap();
    let pruned = wait_for(journal.prune(LIMIT)).unwrap();
    assert_eq!(pruned, Pruned { runs: 1, entries: 3 });
    assert_eq!(left(&journal.reader().unwrap()), ["after"]);
    drop(journal);
    let (_journal, recovered) = place.open();
    let inputs: Vec<_> = recovered.inputs.iter().map(|i| i.body.as_str()).collect();
    assert_eq!(inputs, ["begin", "middle", "end", "tick"]);
}

#[test]
fn without_a_snapshot_nothing_is_removed() {
    let place = Place::new();
    let (journal, _) = place.open();
    live(&journal, closed("r", OLD));
    wait_for(journal.append(entry(OLD, "tick"))).unwrap();
    assert_eq!(wait_for(journal.prune(LIMIT)).unwrap(), Pruned::default());
}

#[test]
fn old_entries_of_no_run_go_and_young_ones_stay() {
    let place = Place::new();
    let (journal, _) = place.open();
    wait_for(journal.append(entry(OLD, "tick"))).unwrap();
    wait_for(journal.append(about("refused", OLD, "claim that became no run"))).unwrap();
    wait_for(journal.append(entry(LIMIT, "at the limit"))).unwrap();
    snapshot(&journal);
    let pruned = wait_for(journal.prune(LIMIT)).unwrap();
    assert_eq!(pruned, Pruned { runs: 0, entries: 2 });
}

#[test]
fn pruning_works_in_portions_until_all_is_done() {
    let place = Place::new();
    let (journal, _) = place.open();
    wait_for(async {
        let mut receipts = Vec::new();
        for number in 0..2500_i64 {
            receipts.push(journal.submit(entry(OLD, number.to_string())).await.unwrap());
            if number % 10 == 0 {
                let id = format!("r{number}");
                let ended = Entry { runs: vec![closed(&id, OLD)], ..about(&id, OLD, "end") };
                receipts.push(journal.submit(ended).await.unwrap());
            }
        }
        for receipt in receipts {
            receipt.durable().await.unwrap();
        }
    });
    snapshot(&journal);
    let before = journal.tally().commits;
    let pruned = wait_for(journal.prune(LIMIT)).unwrap();
    assert_eq!(pruned, Pruned { runs: 250, entries: 2750 });
    assert!(journal.tally().commits - before >= 3);
    journal.reader().unwrap().verify().unwrap();
}

#[test]
fn a_place_is_never_used_twice_even_if_everything_was_removed() {
    let place = Place::new();
    let (journal, _) = place.open();
    live(&journal, closed("r", OLD));
    snapshot(&journal);
    wait_for(journal.prune(i64::MAX)).unwrap();
    drop(journal);
    let (journal, recovered) = place.open();
    assert_eq!(recovered.inputs, []);
    assert_eq!(wait_for(journal.append(entry(0, "next"))).unwrap(), Seq::new(5));
}
