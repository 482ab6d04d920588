//! What is left after the host was killed or the power was cut at any moment.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use hostler_journal::{Entry, Journal, Receipt, Recovered, RunFilter, Seq};
use proptest::prelude::*;

use crate::{Place, about, put, run, wait_for};

/// Set for the process that appends until it is killed: path of the journal.
const CHILD: &str = "HOSTLER_JOURNAL_TEST_CHILD";

/// This test program again, as the child of the named test.
pub fn child(test: &str, program: &Path, path: &Path) -> Command {
    let mut command = Command::new(program);
    command.args(child_arguments(test)).env(CHILD, path).stdout(Stdio::piped());
    command
}

pub fn child_arguments(test: &str) -> [OsString; 3] {
    ["--exact", test, "--nocapture"].map(OsString::from)
}

/// The journal to work on, in the child.
pub fn in_child() -> Option<OsString> {
    env::var_os(CHILD)
}

/// Entry number `number` of the countings below: its input is its own number, it
/// brings a run and a report of its own, and every tenth brings a snapshot.
pub fn counted(number: i64, filling: usize) -> Entry {
    let id = run_id(number);
    Entry {
        effects: "x".repeat(filling),
        runs: vec![run(&id, number)],
        outbox: vec![put(&id, number)],
        snapshot: (number % 10 == 0).then(|| number.to_string()),
        ..about(&id, number, number.to_string())
    }
}

fn run_id(number: i64) -> String {
    format!("run{number:06}")
}

/// How far was counted. Fails if a number is missing, or if anything that belongs
/// to a number is there without the rest.
pub fn how_far(path: &Path) -> i64 {
    let (journal, recovered) = Journal::open(path).unwrap();
    let end = replayed(&recovered);
    let reader = journal.reader().unwrap();
    reader.verify().unwrap();
    assert_eq!(reader.last().unwrap(), Seq::new(end));
    assert_eq!(reader.outbox().unwrap().len(), usize::try_from(end).unwrap());
    for number in 1..=end {
        let id = run_id(number);
        assert_eq!(reader.run(&id).unwrap(), Some(run(&id, number)));
        assert_eq!(reader.history(&id, Seq::START, 9).unwrap().len(), 1);
    }
    let newest = RunFilter { limit: 1, ..RunFilter::default() };
    let newest = reader.runs(&newest).unwrap().pop().map(|run| run.id);
    assert_eq!(newest, (end > 0).then(|| run_id(end)));
    end
}

fn replayed(recovered: &Recovered) -> i64 {
    let mut state = recovered.snapshot.as_ref().map_or(0, |snapshot| snapshot.body.parse().unwrap());
    assert_eq!(state, recovered.snapshot.as_ref().map_or(0, |snapshot| snapshot.seq.get()));
    for input in &recovered.inputs {
        assert_eq!(input.body, (state + 1).to_string());
        assert_eq!(input.seq, Seq::new(state + 1));
        state += 1;
    }
    state
}

/// Counts on with eight entries in flight, and says each that is durable. Ends by
/// itself long after it should have been killed.
fn count_until_killed(path: &OsStr) {
    let (journal, recovered) = Journal::open(Path::new(path)).unwrap();
    let mut next = replayed(&recovered) + 1;
    wait_for(async {
        while next < 100_000 {
            let mut receipts: Vec<Receipt> = Vec::new();
            for number in next..next + 8 {
                receipts.push(journal.submit(counted(number, 700)).await.unwrap());
            }
            next += 8;
            for receipt in receipts {
                say_acknowledged(receipt.durable().await.unwrap());
            }
        }
    });
}

pub fn say_acknowledged(seq: Seq) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "acknowledged {seq}").unwrap();
    out.flush().unwrap();
}

pub fn acknowledged(line: &str) -> Option<i64> {
    line.strip_prefix("acknowledged ").map(|seq| seq.parse().unwrap())
}

#[test]
fn whatever_was_acknowledged_is_there_after_kill_nine_and_nothing_is_half_there() {
    if let Some(path) = in_child() {
        return count_until_killed(&path);
    }
    let place = Place::new();
    let test = "crash::whatever_was_acknowledged_is_there_after_kill_nine_and_nothing_is_half_there";
    let mut before = 0;
    // Different distances hit different moments; one journal goes through all of them.
    for distance in [1, 5, 60, 2, 333] {
        let mut child = child(test, &env::current_exe().unwrap(), &place.path).spawn().unwrap();
        let mut last = before;
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            let Some(seq) = acknowledged(&line.unwrap()) else { continue };
            last = seq;
            if seq >= before + distance {
                // Harmless a second time: the child is not waited for yet.
                child.kill().unwrap();
            }
        }
        assert!(!child.wait().unwrap().success());
        assert!(last >= before + distance);
        let end = how_far(&place.path);
        assert!(end >= last, "{last} was acknowledged, {end} is there");
        before = end;
    }
}

/// What the disk holds behind the point up to which it had written.
#[derive(Debug, Clone)]
enum Tail {
    Nothing,
    Zeros,
    Garbage(u8),
}

fn tail() -> impl Strategy<Value = Tail> {
    prop_oneof![Just(Tail::Nothing), Just(Tail::Zeros), any::<u8>().prop_map(Tail::Garbage)]
}

/// The files as a power cut leaves them when `kept` bytes of the log had reached
/// the disk.
fn cut_power(from: &Path, to: &Path, kept: usize, tail: &Tail) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    fs::copy(from, to).unwrap();
    let log = fs::read(from.with_file_name("journal.db-wal")).unwrap();
    let lost = log.len() - kept;
    let mut left = log[..kept].to_vec();
    match tail {
        Tail::Nothing => {}
        Tail::Zeros => left.resize(kept + lost, 0),
        Tail::Garbage(seed) => {
            let bytes = (0..=u8::MAX).cycle().map(|byte| byte.wrapping_mul(167).wrapping_add(*seed));
            left.extend(bytes.take(lost));
        }
    }
    fs::write(to.with_file_name("journal.db-wal"), left).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_a_power_cut_at_any_byte_a_prefix_is_left_that_has_all_acknowledged_entries(
        fillings in prop::collection::vec(0_usize..9000, 1..30),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), tail()), 1..6),
    ) {
        let place = Place::new();
        let (journal, _) = place.open();
        let log = place.path.with_file_name("journal.db-wal");
        let log_bytes = || usize::try_from(fs::metadata(&log).unwrap().len()).unwrap();
        let mut acknowledged_at = Vec::new();
        for (filling, number) in fillings.iter().zip(1..) {
            wait_for(journal.append(counted(number, *filling))).unwrap();
            acknowledged_at.push(log_bytes());
        }
        for (index, (cut, tail)) in cuts.iter().enumerate() {
            let kept = cut.index(log_bytes() + 1);
            let after = place.folder.path().join(format!("cut{index}/journal.db"));
            cut_power(&place.path, &after, kept, tail);
            let durable = acknowledged_at.iter().filter(|bytes| **bytes <= kept).count();
            let end = usize::try_from(how_far(&after)).unwrap();
            prop_assert!(end >= durable, "{durable} were acknowledged, {end} are there");
            prop_assert!(end <= fillings.len());
        }
    }
}
