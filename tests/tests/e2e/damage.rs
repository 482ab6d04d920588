//! A damaged record: one clear sentence, nothing half-written believed, and a way back.

use std::fs::{self, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use hostler_tests::scripted_agent::{Script, Step, imitations, transcript};

use crate::stage::{Stage, assert_one_sentence};

fn journal(stage: &Stage) -> PathBuf {
    stage.sandbox.state_folder().join("journal.db")
}

/// Where one task was done, and the host ended well.
fn done() -> Stage {
    let (stage, _) = Stage::with_claude(&imitations::does_its_task());
    stage.task("hello", "Write hello.txt\n");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage
}

/// Overwrites everything after the first page, which says that it is a journal.
fn scribble(stage: &Stage) {
    let path = journal(stage);
    let length = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
    let mut file = OpenOptions::new().write(true).open(path).unwrap();
    file.seek(SeekFrom::Start(4096)).unwrap();
    file.write_all(&vec![0xA5; length - 4096]).unwrap();
}

#[test]
fn a_damaged_journal_is_told_in_one_sentence_whose_advice_works() {
    let stage = done();
    let path = journal(&stage);
    let copy = path.with_file_name("journal.db.copy");
    assert!(copy.is_file(), "made at a clean end");
    scribble(&stage);
    let before = fs::read(&path).unwrap();
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(9), "{output:?}");
    assert_one_sentence(&output.stderr);
    for part in ["is damaged", &path.display().to_string(), &copy.display().to_string()] {
        assert!(output.stderr.contains(part), "no {part:?} in {}", output.stderr);
    }
    assert_eq!(fs::read(&path).unwrap(), before, "it is left as it is");
    for words in [&["runs"][..], &["explain", "hello"], &["gc"]] {
        let output = stage.sandbox.host(words);
        assert_eq!(output.code, Some(9), "{output:?}");
        assert_one_sentence(&output.stderr);
    }

    // What the sentence says.
    for end in ["", "-wal", "-shm"] {
        let file = path.with_file_name(format!("journal.db{end}"));
        if file.exists() {
            fs::rename(&file, stage.sandbox.folder().join(format!("away{end}"))).unwrap();
        }
    }
    fs::rename(&copy, &path).unwrap();
    stage.task("next", "Write hello.txt\n");
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(stage.run("hello")["result"], "succeeded", "what the copy knew is there");
    assert!(copy.is_file(), "there is a new one");
}

#[test]
fn a_file_that_is_no_journal_any_more_is_told_and_left_alone() {
    let stage = done();
    let path = journal(&stage);
    for end in ["-wal", "-shm"] {
        let _ = fs::remove_file(path.with_file_name(format!("journal.db{end}")));
    }
    fs::write(&path, "not a journal\n".repeat(1000)).unwrap();
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(9), "{output:?}");
    assert_one_sentence(&output.stderr);
    assert!(output.stderr.contains("is not a journal of Hostler"), "{}", output.stderr);
    assert!(fs::read_to_string(&path).unwrap().starts_with("not a journal"));
}

#[test]
fn the_torn_end_of_a_log_is_not_believed_and_the_run_goes_on_with_its_agent() {
    let script = Script::always([
        Step::write("hello.txt", "hello\n"),
        Step::commit("Work"),
        Step::mark("working"),
        Step::wait_for("go"),
        Step::transcript(transcript("claude-success")),
    ]);
    let (stage, agent) = Stage::with_claude(&script);
    stage.task("hello", "Write hello.txt\n");
    let mut host = stage.start(&[]);
    agent.wait_for_mark("working");
    stage.wait_for_state("hello", "running");
    host.kill_9();
    // The last page of the last transaction did not reach the disk whole.
    let log = OpenOptions::new().write(true).open(journal(&stage).with_file_name("journal.db-wal")).unwrap();
    let length = log.metadata().unwrap().len();
    assert!(length > 4096, "the log holds what was written last");
    log.set_len(length - 100).unwrap();
    agent.let_go("go").unwrap();
    let output = stage.run_once(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    stage.assert_reported_once("hello", "done");
    assert_eq!(agent.starts().unwrap().len(), 1, "the same agent");
    assert_eq!(stage.sandbox.host(&["replay", "hello"]).code, Some(0));
}
