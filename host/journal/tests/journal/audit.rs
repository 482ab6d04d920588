//! What the audit log promises when its writer is killed or the disk is full, and what
//! the journal knows of it.

use std::env;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use hostler_journal::Entry;
use hostler_journal::audit::{AuditLog, Event, Head, LineHash, Settle};

use crate::crash::{child, child_arguments, in_child};
use crate::{Place, entry, wait_for};

fn log(folder: &Path) -> AuditLog {
    AuditLog::new(folder.join("audit"), "0.1.0")
}

fn event(number: u64) -> Event {
    Event::Denied {
        plugin: "x".repeat(usize::try_from(number % 400).unwrap()),
        effect: "http".to_owned(),
        reason: "http-origin".to_owned(),
        times: number,
    }
}

/// Appends until it is killed or refused, and says what was settled.
fn append_on_and_on(folder: &Path) {
    let log = log(folder);
    for number in 1.. {
        let settle = if number % 7 == 0 { Settle::Now } else { Settle::Soon };
        match log.append(1, &event(number), settle) {
            Ok(head) if settle == Settle::Now => println!("settled {head}"),
            Ok(_) => {}
            Err(error) => return println!("refused {error}"),
        }
    }
}

fn settled(line: &str) -> Option<Head> {
    line.strip_prefix("settled ")?.parse().ok()
}

#[test]
fn a_writer_that_is_killed_in_the_middle_leaves_a_log_that_goes_on_whole() {
    if let Some(folder) = in_child() {
        return append_on_and_on(Path::new(&folder));
    }
    let test = "audit::a_writer_that_is_killed_in_the_middle_leaves_a_log_that_goes_on_whole";
    let place = tempfile::tempdir().unwrap();
    let log = log(place.path());
    let mut heads = Vec::new();
    // Different distances hit different moments; one log goes through all of them.
    for distance in [1, 2, 9, 30, 3] {
        let mut child = child(test, &env::current_exe().unwrap(), place.path()).spawn().unwrap();
        let mut said = 0;
        for head in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            let Some(head) = settled(&head) else { continue };
            heads.push(head);
            said += 1;
            if said >= distance {
                // Harmless a second time: the child is not waited for yet.
                child.kill().unwrap();
            }
        }
        assert!(!child.wait().unwrap().success());
        log.append(1, &event(0), Settle::Now).unwrap();
        let verified = log.verify(&heads, None).unwrap();
        assert!(verified.head.unwrap().n > heads.last().unwrap().n);
    }
    assert!(heads.len() >= 45);
}

#[test]
fn without_room_an_entry_is_refused_and_the_log_is_as_whole_as_before() {
    if let Some(folder) = in_child() {
        return append_on_and_on(Path::new(&folder));
    }
    let test = "audit::without_room_an_entry_is_refused_and_the_log_is_as_whole_as_before";
    let place = tempfile::tempdir().unwrap();
    // The shell makes a file over the limit an error instead of a deadly signal.
    let mut limited = Command::new("sh");
    limited.args(["-c", r#"trap '' XFSZ; ulimit -f 100; exec "$0" "$@""#]).arg0("sh");
    limited.arg(env::current_exe().unwrap()).args(child_arguments(test));
    limited.envs(child(test, Path::new(""), place.path()).get_envs().filter_map(|(k, v)| Some((k, v?))));
    let output = limited.stdout(Stdio::piped()).output().unwrap();
    let said: Vec<String> = output.stdout.lines().map(Result::unwrap).collect();
    let refused = said.iter().find_map(|line| line.strip_prefix("refused ")).unwrap();
    assert!(refused.starts_with("no room left to write the audit log"), "{refused}");
    assert!(refused.contains("no agent starts"), "{refused}");
    let heads: Vec<Head> = said.iter().filter_map(|line| settled(line)).collect();
    log(place.path()).verify(&heads, None).unwrap();
}

#[test]
fn the_journal_remembers_the_last_head_it_was_told() {
    let place = Place::new();
    let (journal, recovered) = place.open();
    assert_eq!(recovered.audit, None);
    let head = |n| Head { n, hash: LineHash::NOTHING };
    for (at_ms, audit) in [(1, Some(head(7))), (2, Some(head(134))), (3, None)] {
        wait_for(journal.append(Entry { audit, ..entry(at_ms, "in") })).unwrap();
    }
    assert_eq!(journal.reader().unwrap().audit_head().unwrap(), Some(head(134)));
    drop(journal);
    assert_eq!(place.open().1.audit, Some(head(134)));
}
