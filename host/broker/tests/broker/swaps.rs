//! Compare and swap: of several writers that saw the same content, one wins.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::request::FileReply;
use hostler_engine::rights::Access;
use tempfile::tempdir;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::granted::{file, file_gate, tag_of, write};

/// Writes with as many gates at once, each its own content over the same tag.
async fn race(
    folder: &Path,
    writers: usize,
    expect: Option<&str>,
) -> Vec<(usize, Result<FileReply, Problem>)> {
    // Gates take a while to make: all are ready before the first one starts.
    let gates: Vec<_> = (0..writers).map(|_| file_gate(folder, Access::ReadWrite)).collect();
    let start = Arc::new(Barrier::new(writers));
    let mut racing = JoinSet::new();
    for (number, gate) in gates.into_iter().enumerate() {
        let request = write("a.md", format!("written by {number}"), expect);
        let start = Arc::clone(&start);
        racing.spawn(async move {
            start.wait().await;
            (number, file(&gate, request).await)
        });
    }
    racing.join_all().await
}

fn assert_one_won(folder: &Path, outcomes: &[(usize, Result<FileReply, Problem>)]) {
    let won: Vec<usize> = outcomes.iter().filter(|(_, it)| it.is_ok()).map(|(number, _)| *number).collect();
    assert_eq!(won.len(), 1, "{outcomes:?}");
    let lost = outcomes.iter().filter_map(|(_, outcome)| outcome.as_ref().err());
    assert!(lost.clone().all(|problem| problem.kind == ProblemKind::Gone), "{outcomes:?}");
    assert_eq!(fs::read_to_string(folder.join("a.md")).unwrap(), format!("written by {}", won[0]));
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1, "something was left beside the file");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_saw_the_same_content_one_wins() {
    for _ in 0..10 {
        let folder = tempdir().unwrap();
        fs::write(folder.path().join("a.md"), "seen by all").unwrap();
        let tag = tag_of(&file_gate(folder.path(), Access::Read), "a.md").await;
        assert_one_won(folder.path(), &race(folder.path(), 8, Some(&tag)).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_that_saw_nothing_one_creates() {
    for _ in 0..10 {
        let folder = tempdir().unwrap();
        assert_one_won(folder.path(), &race(folder.path(), 8, None).await);
    }
}

/// Creates the file as soon as the gate has begun to write, without any lock.
fn create_behind_the_lock(folder: &Path) -> bool {
    while !folder.join(".hostler-unfinished").exists() && !folder.join("a.md").exists() {
        std::hint::spin_loop();
    }
    fs::File::create_new(folder.join("a.md")).is_ok()
}

#[tokio::test]
async fn a_file_that_appears_while_one_is_created_is_not_overwritten() {
    let mut appeared = 0;
    for _ in 0..50 {
        let folder = tempdir().unwrap();
        let gate = file_gate(folder.path(), Access::ReadWrite);
        let path = folder.path().to_owned();
        let stranger = std::thread::spawn(move || create_behind_the_lock(&path));
        let written = file(&gate, write("a.md", "ours", None)).await;
        let created = stranger.join().unwrap();
        assert_ne!(created, written.is_ok(), "both or neither: {written:?}");
        let content = fs::read_to_string(folder.path().join("a.md")).unwrap();
        assert_eq!(content, if created { "" } else { "ours" });
        appeared += usize::from(created);
    }
    assert!(appeared > 0, "no file ever appeared in time: the test proves nothing");
}

#[tokio::test]
async fn a_write_over_other_content_changes_nothing() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.md");
    fs::write(&path, "first").unwrap();
    let gate = file_gate(folder.path(), Access::ReadWrite);
    let tag = tag_of(&gate, "a.md").await;
    fs::write(&path, "an editor was here").unwrap();
    for expect in [Some(tag.as_str()), Some(""), None] {
        let problem = file(&gate, write("a.md", "second", expect)).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Gone, "{problem}");
    }
    assert_eq!(fs::read(&path).unwrap(), b"an editor was here");
}

#[tokio::test]
async fn a_failed_write_leaves_the_old_file_and_nothing_else() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.md");
    fs::write(&path, "old").unwrap();
    let gate = file_gate(folder.path(), Access::ReadWrite);
    let tag = tag_of(&gate, "a.md").await;
    // A full directory stands where the new content would be written first.
    fs::create_dir_all(folder.path().join(".hostler-unfinished/full")).unwrap();
    file(&gate, write("a.md", "new", Some(&tag))).await.unwrap_err();
    assert_eq!(fs::read(&path).unwrap(), b"old");
    fs::remove_dir_all(folder.path().join(".hostler-unfinished")).unwrap();
    file(&gate, write("a.md", "new", Some(&tag))).await.unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}
