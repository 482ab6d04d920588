//! What is said about a disk that is full or a file that cannot be right.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{BufRead, Seek, SeekFrom, Write};
use std::ops::RangeInclusive;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use hostler_journal::{Journal, JournalError, Reader, Seq};
use rusqlite::Connection;

use crate::crash::{acknowledged, child, child_arguments, counted, how_far, in_child, say_acknowledged};
use crate::{Place, about, entry, wait_for};

fn refusal(path: &Path) -> JournalError {
    Journal::open(path).map(drop).unwrap_err()
}

/// Counts until an append fails, and says why, and what the next append gets.
fn count_until_refused(path: &OsStr) {
    let (journal, _) = Journal::open(Path::new(path)).unwrap();
    let first = (1..10_000).find_map(|number| match wait_for(journal.append(counted(number, 20_000))) {
        Ok(seq) => {
            say_acknowledged(seq);
            None
        }
        Err(error) => Some(error),
    });
    println!("refused {}", first.unwrap());
    println!("then {}", wait_for(journal.append(entry(0, "more"))).unwrap_err());
}

#[test]
fn when_no_more_bytes_fit_nothing_acknowledged_is_lost_and_it_is_called_no_room() {
    if let Some(path) = in_child() {
        return count_until_refused(&path);
    }
    let place = Place::new();
    let test = "damage::when_no_more_bytes_fit_nothing_acknowledged_is_lost_and_it_is_called_no_room";
    // The shell makes a file over the limit an error instead of a deadly signal.
    let mut limited = Command::new("sh");
    limited.args(["-c", r#"trap '' XFSZ; ulimit -f 2000; exec "$0" "$@""#]);
    limited.arg(env::current_exe().unwrap()).args(child_arguments(test));
    limited.envs(child(test, Path::new(""), &place.path).get_envs().filter_map(|(k, v)| Some((k, v?))));
    let output = limited.stdout(Stdio::piped()).output().unwrap();
    let said: Vec<String> = output.stdout.lines().map(Result::unwrap).collect();

    let last = said.iter().filter_map(|line| acknowledged(line)).max().unwrap();
    let tell = |prefix: &str| said.iter().find_map(|line| line.strip_prefix(prefix)).unwrap();
    let refused = tell("refused ");
    assert!(refused.starts_with("no room left to write the journal"), "{refused}");
    assert!(refused.contains("File too large (os error 27)"), "{refused}");
    assert_eq!(
        tell("then "),
        format!("the journal takes nothing more since an earlier write failed: {refused}")
    );

    let end = how_far(&place.path);
    assert!(end >= last, "{last} was acknowledged, {end} is there");
    let (journal, _) = place.open();
    let next = wait_for(journal.append(counted(end + 1, 0))).unwrap();
    assert_eq!(next, Seq::new(end + 1));
}

#[test]
fn a_file_without_the_right_to_write_is_called_read_only() {
    if let Some(path) = in_child() {
        println!("refused {}", refusal(Path::new(&path)));
        return;
    }
    let place = Place::new();
    drop(place.open());
    fs::set_permissions(&place.path, Permissions::from_mode(0o444)).unwrap();

    // Root may write everything, so root's child becomes nobody first.
    let test = "damage::a_file_without_the_right_to_write_is_called_read_only";
    let folder = place.folder.path();
    let mut child = if fs::metadata(folder).unwrap().uid() == 0 {
        let program = folder.join("program");
        fs::copy(env::current_exe().unwrap(), &program).unwrap();
        for open in [folder, place.path.parent().unwrap(), &program] {
            fs::set_permissions(open, Permissions::from_mode(0o755)).unwrap();
        }
        let mut child = child(test, &program, &place.path);
        child.uid(65534).gid(65534).current_dir(folder);
        child
    } else {
        child(test, &env::current_exe().unwrap(), &place.path)
    };
    let output = child.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let expected =
        format!("refused the journal {} cannot be written (Permission denied", place.path.display());
    assert!(said.contains(&expected), "{said}");
}

#[test]
fn a_file_that_is_no_database_is_left_as_it_is() {
    let place = Place::new();
    fs::create_dir_all(place.path.parent().unwrap()).unwrap();
    let text = "my notes\n".repeat(1000);
    fs::write(&place.path, &text).unwrap();
    let error = refusal(&place.path);
    assert!(matches!(error, JournalError::NotAJournal { .. }), "{error}");
    assert_eq!(fs::read_to_string(&place.path).unwrap(), text);
    let error = Reader::open(&place.path).unwrap_err();
    assert!(matches!(error, JournalError::NotAJournal { .. }), "{error}");
}

#[test]
fn a_database_of_another_program_is_refused() {
    for statement in ["CREATE TABLE songs (title)", "PRAGMA application_id = 7", "PRAGMA user_version = 1"] {
        let place = Place::new();
        fs::create_dir_all(place.path.parent().unwrap()).unwrap();
        Connection::open(&place.path).unwrap().execute_batch(statement).unwrap();
        let error = refusal(&place.path);
        assert!(matches!(error, JournalError::NotAJournal { .. }), "{statement}: {error}");
    }
}

#[test]
fn a_journal_of_a_later_version_is_refused_in_one_sentence() {
    let place = Place::new();
    drop(place.open());
    Connection::open(&place.path).unwrap().pragma_update(None, "user_version", 4).unwrap();
    let expected = format!(
        "the journal {} has schema 4, and this version of Hostler knows 3 at most; \
         install the newer version again",
        place.path.display()
    );
    assert_eq!(refusal(&place.path).to_string(), expected);
    assert_eq!(Reader::open(&place.path).unwrap_err().to_string(), expected);
}

#[test]
fn a_reader_does_not_bring_a_journal_forward() {
    let place = Place::new();
    drop(place.open());
    Connection::open(&place.path).unwrap().pragma_update(None, "user_version", 0).unwrap();
    let path = place.path.clone();
    assert_eq!(Reader::open(&place.path).unwrap_err(), JournalError::Older { path, found: 0, known: 3 });
}

/// Overwrites pages, counted from 1.
pub fn scribble(path: &Path, pages: RangeInclusive<u64>) {
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start((pages.start() - 1) * 4096)).unwrap();
    for _ in pages {
        file.write_all(&[0xA5; 4096]).unwrap();
    }
}

#[test]
fn overwritten_pages_are_noticed_by_start_by_readers_and_by_verify() {
    let place = Place::new();
    let (journal, _) = place.open();
    for number in 0..200 {
        wait_for(journal.append(about("r", number, "x".repeat(2000)))).unwrap();
    }
    drop(journal);
    let reader = Reader::open(&place.path).unwrap();
    reader.verify().unwrap();
    drop(reader);
    let pages = fs::metadata(&place.path).unwrap().len() / 4096;
    assert!(pages > 40);
    scribble(&place.path, 21..=pages);

    let corrupt = |error: &JournalError| matches!(error, JournalError::Corrupt { .. });
    let error = refusal(&place.path);
    assert!(corrupt(&error), "{error}");
    let reader = Reader::open(&place.path).unwrap();
    let error = reader.history("r", Seq::START, 1000).unwrap_err();
    assert!(corrupt(&error), "{error}");
    let error = reader.verify().unwrap_err();
    assert!(corrupt(&error), "{error}");
}

#[test]
fn a_damaged_index_that_a_start_does_not_need_stops_the_host_before_it_acknowledges() {
    let place = Place::new();
    let (journal, _) = place.open();
    wait_for(journal.append(about("r", 0, "first"))).unwrap();
    drop(journal);
    let root: u32 = Connection::open(&place.path)
        .unwrap()
        .query_one("SELECT rootpage FROM sqlite_schema WHERE name = 'entries_of_run'", [], |row| row.get(0))
        .unwrap();
    scribble(&place.path, root.into()..=root.into());

    // A start does not read the index that is damaged; writing does.
    let (journal, recovered) = place.open();
    assert_eq!(recovered.inputs.len(), 1);
    let error = wait_for(journal.append(about("r", 0, "next"))).unwrap_err();
    assert!(matches!(error, JournalError::Corrupt { .. }), "{error}");
    let next = wait_for(journal.append(entry(0, "more"))).unwrap_err();
    assert_eq!(next, JournalError::Stopped { first: Box::new(error) });
}

#[test]
fn every_message_names_the_file_and_a_remedy() {
    let path = || Path::new("/state/journal.db").to_owned();
    let detail = || "what was seen".to_owned();
    for error in [
        JournalError::DiskFull { path: path(), detail: detail() },
        JournalError::ReadOnly { path: path(), detail: detail() },
        JournalError::Corrupt { path: path(), detail: detail(), copy: None },
        JournalError::Corrupt { path: path(), detail: detail(), copy: Some(path()) },
        JournalError::NotAJournal { path: path(), detail: detail() },
        JournalError::Missing { path: path() },
        JournalError::Newer { path: path(), found: 9, known: 1 },
        JournalError::Older { path: path(), found: 0, known: 1 },
        JournalError::Unshareable { path: path() },
        JournalError::Busy { path: path() },
        JournalError::Io { path: path(), detail: detail() },
        JournalError::Other { path: path(), detail: detail() },
        JournalError::Contradiction { path: path(), detail: detail() },
    ] {
        let message = error.to_string();
        let (what, remedy) = message.split_once("; ").unwrap();
        assert!(what.contains("/state/journal.db"), "{message}");
        assert!(!remedy.is_empty() && !message.ends_with('.'), "{message}");
    }
}
