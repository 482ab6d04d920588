//! Attempts to leave a granted directory, or to do more there than granted.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hostler_broker::Gate;
use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::request::{FilePath, FileReply, FileRequest};
use hostler_engine::rights::Access;
use tempfile::{TempDir, tempdir};

use crate::granted::{at, file, file_gate, write};

/// A granted directory `in` beside a file that must stay out of reach.
fn beside_a_secret() -> TempDir {
    let base = tempdir().unwrap();
    fs::create_dir(base.path().join("in")).unwrap();
    fs::create_dir(base.path().join("out")).unwrap();
    fs::write(base.path().join("out/secret"), "out of reach").unwrap();
    base
}

fn gate(base: &Path) -> Gate {
    file_gate(&base.join("in"), Access::ReadWrite)
}

async fn every_use(gate: &Gate, path: &str) -> [Problem; 4] {
    [
        file(gate, FileRequest::List(at(path))).await.unwrap_err(),
        file(gate, FileRequest::Read(at(path))).await.unwrap_err(),
        file(gate, write(path, "overwritten", None)).await.unwrap_err(),
        file(gate, write(path, "overwritten", Some("tag"))).await.unwrap_err(),
    ]
}

#[tokio::test]
async fn paths_that_climb_or_are_absolute_are_denied() {
    let base = beside_a_secret();
    let gate = gate(base.path());
    let absolute = base.path().join("out/secret").to_str().unwrap().to_owned();
    let climbing =
        ["../out/secret", "..", "x/../../out/secret", "./../out/secret", "..\\out\\secret", "a\0b", ""];
    for path in climbing.into_iter().chain([absolute.as_str()]) {
        for problem in every_use(&gate, path).await {
            assert_eq!(problem.kind, ProblemKind::Denied, "{path:?}: {problem}");
        }
    }
    assert_eq!(gate.denials().by_reason["file-path"].times, 32);
    assert_eq!(fs::read(base.path().join("out/secret")).unwrap(), b"out of reach");
}

#[tokio::test]
async fn a_link_to_a_directory_outside_is_denied() {
    let base = beside_a_secret();
    symlink("../out", base.path().join("in/relative")).unwrap();
    symlink(base.path().join("out"), base.path().join("in/absolute")).unwrap();
    symlink("/proc/self/cwd", base.path().join("in/magic")).unwrap();
    let gate = gate(base.path());
    for path in ["relative/secret", "absolute/secret", "magic/secret"] {
        for problem in every_use(&gate, path).await {
            assert_eq!(problem.kind, ProblemKind::Denied, "{path}: {problem}");
        }
    }
    assert_eq!(file(&gate, FileRequest::List(at("relative"))).await.unwrap_err().kind, ProblemKind::Denied);
    assert_eq!(fs::read(base.path().join("out/secret")).unwrap(), b"out of reach");
    assert_eq!(fs::read_dir(base.path().join("out")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_link_to_a_file_is_neither_read_nor_replaced() {
    let base = beside_a_secret();
    symlink("../out/secret", base.path().join("in/link")).unwrap();
    symlink("../out/new", base.path().join("in/dangling")).unwrap();
    fs::write(base.path().join("in/plain"), "inside").unwrap();
    symlink("plain", base.path().join("in/inside")).unwrap();
    let gate = gate(base.path());
    for path in ["link", "dangling", "inside"] {
        for problem in every_use(&gate, path).await {
            assert!(!problem.kind.may_pass(), "{path}: {problem}");
        }
        assert!(base.path().join("in").join(path).is_symlink());
    }
    assert_eq!(fs::read(base.path().join("out/secret")).unwrap(), b"out of reach");
    assert!(!base.path().join("out/new").exists());
}

#[tokio::test]
async fn a_leftover_that_is_a_link_is_not_written_through() {
    let base = beside_a_secret();
    symlink("../out/secret", base.path().join("in/.hostler-unfinished")).unwrap();
    file(&gate(base.path()), write("a", "new", None)).await.unwrap();
    assert_eq!(fs::read(base.path().join("out/secret")).unwrap(), b"out of reach");
    assert_eq!(fs::read(base.path().join("in/a")).unwrap(), b"new");
    assert_eq!(fs::read_dir(base.path().join("in")).unwrap().count(), 1);
}

#[tokio::test]
async fn links_to_directories_inside_are_followed() {
    let base = beside_a_secret();
    fs::create_dir(base.path().join("in/real")).unwrap();
    fs::write(base.path().join("in/real/a"), "inside").unwrap();
    symlink("real", base.path().join("in/alias")).unwrap();
    file(&gate(base.path()), FileRequest::Read(at("alias/a"))).await.unwrap();
}

/// Exchanges `in/a` between a plain file and a link to the outside, as fast as it can.
fn exchange(base: &Path, stop: &AtomicBool) {
    let (plain, link, name) = (base.join("plain"), base.join("link"), base.join("in/a"));
    while !stop.load(Ordering::Relaxed) {
        fs::write(&plain, "inside").unwrap();
        fs::rename(&plain, &name).unwrap();
        symlink("../out/secret", &link).unwrap();
        fs::rename(&link, &name).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_exchanged_for_a_link_meanwhile_gives_nothing_from_outside() {
    let base = beside_a_secret();
    let gate = gate(base.path());
    let stop = Arc::new(AtomicBool::new(false));
    let (path, stopped) = (base.path().to_owned(), Arc::clone(&stop));
    let rival = std::thread::spawn(move || exchange(&path, &stopped));
    let (mut tried, mut read, deadline) = (0, 0, Instant::now() + Duration::from_secs(10));
    // On a busy machine the rival may be paused with the link in place for long.
    while tried < 2000 || (read == 0 && Instant::now() < deadline) {
        tried += 1;
        if let Ok(FileReply::Content { content, .. }) = file(&gate, FileRequest::Read(at("a"))).await {
            assert_eq!(content, b"inside");
            read += 1;
        }
    }
    stop.store(true, Ordering::Relaxed);
    rival.join().unwrap();
    assert!(read > 0, "the plain file was never met: the test proves nothing");
}

#[tokio::test]
async fn reading_is_not_writing() {
    let base = beside_a_secret();
    fs::write(base.path().join("in/a"), "old").unwrap();
    let gate = file_gate(&base.path().join("in"), Access::Read);
    file(&gate, FileRequest::Read(at("a"))).await.unwrap();
    let problem = file(&gate, write("b", "new", None)).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Denied);
    assert!(problem.message.contains("`tasks` is granted for reading only"), "{problem}");
    assert!(!base.path().join("in/b").exists());
}

#[tokio::test]
async fn a_folder_without_a_grant_is_denied() {
    let base = beside_a_secret();
    let gate = gate(base.path());
    let elsewhere = FilePath { directory: "home".to_owned(), path: ".".to_owned() };
    let problem = file(&gate, FileRequest::List(elsewhere)).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Denied);
    assert!(problem.message.contains("no grant covers a folder `home` (granted: tasks)"), "{problem}");
    assert_eq!(gate.denials().by_reason["folder"].last, problem.message);
}
