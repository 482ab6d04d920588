//! What a reader answers.

use hostler_journal::{
    DEFAULT_LIMIT, Delivery, Entry, Journal, JournalError, MAX_LIMIT, OutboxChange, Reader, RunFilter,
    RunRow, Seq,
};

use crate::{Place, about, accepted, entry, put, run, wait_for};

fn record(journal: &Journal, runs: Vec<RunRow>) {
    let entry = Entry { runs, ..entry(0, "{}") };
    wait_for(journal.append(entry)).unwrap();
}

fn change(journal: &Journal, change: OutboxChange) {
    let entry = Entry { outbox: vec![change], ..entry(0, "{}") };
    wait_for(journal.append(entry)).unwrap();
}

fn ids(reader: &Reader, filter: &RunFilter) -> Vec<String> {
    let runs = reader.runs(filter).unwrap();
    runs.into_iter().map(|run| run.id).collect()
}

#[test]
fn runs_are_listed_newest_first_and_by_what_was_asked() {
    let place = Place::new();
    let (journal, _) = place.open();
    let mut closed = run("closed", 1);
    closed.closed = true;
    closed.state = "finished".to_owned();
    let mut other = run("other", 2);
    other.tracker = "tale".to_owned();
    other.provider = "codex".to_owned();
    record(&journal, vec![closed, other, run("newest", 3)]);
    let reader = journal.reader().unwrap();

    let all = RunFilter::default();
    assert_eq!(ids(&reader, &all), ["newest", "other", "closed"]);
    let filter = RunFilter { open_only: true, ..all.clone() };
    assert_eq!(ids(&reader, &filter), ["newest", "other"]);
    let filter = RunFilter { state: Some("finished".to_owned()), ..all.clone() };
    assert_eq!(ids(&reader, &filter), ["closed"]);
    let filter = RunFilter { tracker: Some("tale".to_owned()), ..all.clone() };
    assert_eq!(ids(&reader, &filter), ["other"]);
    let filter = RunFilter { provider: Some("scripted".to_owned()), open_only: true, ..all.clone() };
    assert_eq!(ids(&reader, &filter), ["newest"]);
    let filter = RunFilter { task_key: Some("KEY-other".to_owned()), ..all.clone() };
    assert_eq!(ids(&reader, &filter), ["other"]);
    let filter = RunFilter { limit: 1, ..all };
    assert_eq!(ids(&reader, &filter), ["newest"]);
}

#[test]
fn one_answer_has_at_most_a_thousand_rows() {
    let place = Place::new();
    let (journal, _) = place.open();
    let filter = |limit| RunFilter { limit, ..RunFilter::default() };
    let runs = (0..=i64::from(MAX_LIMIT)).map(|number| run(&format!("r{number}"), number));
    record(&journal, runs.collect());
    let reader = journal.reader().unwrap();
    assert_eq!(ids(&reader, &filter(MAX_LIMIT)).len(), MAX_LIMIT as usize);
    assert_eq!(ids(&reader, &filter(MAX_LIMIT + 1)).len(), MAX_LIMIT as usize);
    assert_eq!(ids(&reader, &RunFilter::default()).len(), DEFAULT_LIMIT as usize);
}

fn pages(reader: &Reader, limit: u32) -> Vec<usize> {
    let (mut sizes, mut ids) = (Vec::new(), Vec::new());
    reader
        .pages(RunFilter { limit, ..RunFilter::default() }, |rows| {
            sizes.push(rows.len());
            ids.extend(rows.into_iter().map(|run| run.id));
        })
        .unwrap();
    // Two runs of each moment: the order within it counts, too.
    let all = (0..1001).rev().map(|number| format!("r{number:04}"));
    let fewer: Vec<String> = all.skip_while(|id| *id != ids[0]).take(ids.len()).collect();
    assert_eq!(ids, fewer);
    sizes
}

#[test]
fn a_list_of_any_length_is_read_in_pages_newest_first_without_a_gap() {
    let place = Place::new();
    let (journal, _) = place.open();
    let runs = |numbers: std::ops::Range<i64>| {
        numbers.map(|number| run(&format!("r{number:04}"), number / 2)).collect::<Vec<_>>()
    };
    record(&journal, runs(0..1000));
    let reader = journal.reader().unwrap();
    assert_eq!(pages(&reader, u32::MAX), [1000, 0]);
    record(&journal, runs(1000..1001));
    assert_eq!(pages(&reader, u32::MAX), [1000, 1]);
    assert_eq!(pages(&reader, 1001), [1000, 1]);
    assert_eq!(pages(&reader, 1000), [1000]);
    assert_eq!(pages(&reader, 999), [999]);
}

#[test]
fn a_run_changes_in_place() {
    let place = Place::new();
    let (journal, _) = place.open();
    record(&journal, vec![run("r", 1)]);
    let changed = RunRow {
        task_key: "OTHER".to_owned(),
        title: "Other".to_owned(),
        tracker: "tale".to_owned(),
        provider: "codex".to_owned(),
        state: "finished".to_owned(),
        state_since_ms: 5,
        created_ms: 2,
        updated_ms: 6,
        closed: true,
        body: "[]".to_owned(),
        ..run("r", 1)
    };
    record(&journal, vec![changed.clone()]);
    let reader = journal.reader().unwrap();
    assert_eq!(reader.runs(&RunFilter::default()).unwrap(), [changed]);
}

#[test]
fn a_run_is_found_by_its_id_or_by_the_beginning_that_only_it_has() {
    let place = Place::new();
    let (journal, _) = place.open();
    let all = ["run_a", "run_ab", "run_b", "run_é", "other"];
    record(&journal, all.iter().map(|id| run(id, 0)).collect());
    let reader = journal.reader().unwrap();
    let found = |name: &str| reader.run(name).unwrap().map(|run| run.id);
    assert_eq!(found("run_a").as_deref(), Some("run_a"));
    assert_eq!(found("run_ab").as_deref(), Some("run_ab"));
    assert_eq!(found("run_é").as_deref(), Some("run_é"));
    assert_eq!(found("o").as_deref(), Some("other"));
    assert_eq!(found("nothing"), None);
    assert_eq!(found("run_b%"), None);
    let ambiguous = reader.run("run_").unwrap_err();
    assert_eq!(
        ambiguous.to_string(),
        "`run_` is the beginning of more than one run (run_a, run_ab, run_b, run_é); \
         give more of its id"
    );
}

#[test]
fn an_ambiguous_beginning_names_a_few_runs_only() {
    let place = Place::new();
    let (journal, _) = place.open();
    record(&journal, (0..9).map(|n| run(&format!("r{n}"), 0)).collect());
    let Err(JournalError::AmbiguousRun { candidates, .. }) = journal.reader().unwrap().run("r") else {
        panic!("nine runs begin with r");
    };
    assert_eq!(candidates, ["r0", "r1", "r2", "r3", "r4"]);
}

#[test]
fn the_history_of_a_run_has_only_its_own_entries_and_can_be_paged() {
    let place = Place::new();
    let (journal, _) = place.open();
    for (about_run, input) in [("a", "1"), ("b", "2"), ("a", "3"), ("a", "4")] {
        let entry = Entry { effects: format!("effect of {input}"), ..about(about_run, 7, input) };
        wait_for(journal.append(entry)).unwrap();
    }
    wait_for(journal.append(entry(8, "of no run"))).unwrap();
    let reader = journal.reader().unwrap();
    let first = reader.history("a", Seq::START, 2).unwrap();
    let inputs: Vec<_> = first.iter().map(|entry| entry.input.as_str()).collect();
    assert_eq!(inputs, ["1", "3"]);
    assert_eq!(first[1].effects, "effect of 3");
    assert_eq!(first[1].at_ms, 7);
    let rest = reader.history("a", first[1].seq, 2).unwrap();
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0].seq, Seq::new(4));
    assert_eq!(reader.history("a", rest[0].seq, 2).unwrap(), []);
}

#[test]
fn a_report_waits_is_parked_is_taken_up_again_and_is_accepted_for_good() {
    let place = Place::new();
    let (journal, _) = place.open();
    record(&journal, vec![run("r", 0)]);
    let reader = journal.reader().unwrap();
    let delivery = || reader.report("r").unwrap().map(|row| row.delivery);
    let parked = || OutboxChange::Parked { run: "r".to_owned(), reason: "refused".to_owned() };
    assert_eq!(delivery(), None);

    change(&journal, put("r", 5));
    assert_eq!(delivery(), Some(Delivery::Waiting { next_try_ms: 5 }));
    change(&journal, parked());
    let reason = "refused".to_owned();
    assert_eq!(delivery(), Some(Delivery::Parked { reason }));
    assert_eq!(reader.outbox().unwrap().len(), 1);

    let again = OutboxChange::Put {
        run: "r".to_owned(),
        report: "second".to_owned(),
        since_ms: 5,
        tries: 3,
        next_try_ms: 90,
        last_problem: Some("no route".to_owned()),
    };
    change(&journal, again);
    let row = reader.report("r").unwrap().unwrap();
    assert_eq!(row.delivery, Delivery::Waiting { next_try_ms: 90 });
    assert_eq!((row.tries, row.report.as_str()), (3, "second"));
    assert_eq!(row.last_problem.as_deref(), Some("no route"));

    for last in [accepted("r", 100), put("r", 200), parked(), accepted("r", 300)] {
        change(&journal, last);
        assert_eq!(delivery(), Some(Delivery::Accepted { at_ms: 100 }));
        assert_eq!(reader.outbox().unwrap(), []);
        assert_eq!(reader.report("r").unwrap().unwrap().report, "second");
    }
}

#[test]
fn the_outbox_shows_the_oldest_report_first() {
    let place = Place::new();
    let (journal, _) = place.open();
    record(&journal, vec![run("new", 0), run("old", 0)]);
    change(&journal, put("new", 20));
    change(&journal, put("old", 10));
    let outbox = journal.reader().unwrap().outbox().unwrap();
    let runs: Vec<_> = outbox.iter().map(|row| row.run.as_str()).collect();
    assert_eq!(runs, ["old", "new"]);
}

#[test]
fn a_reader_needs_no_running_host_and_makes_no_journal() {
    let place = Place::new();
    let path = place.path.clone();
    let missing = Reader::open(&path).unwrap_err();
    assert_eq!(missing, JournalError::Missing { path });
    assert!(!place.path.exists());

    let (journal, _) = place.open();
    record(&journal, vec![run("r", 0)]);
    drop(journal);
    assert!(!place.path.with_file_name("journal.db-wal").exists());
    let reader = Reader::open(&place.path).unwrap();
    assert_eq!(ids(&reader, &RunFilter::default()), ["r"]);
    reader.verify().unwrap();
}
