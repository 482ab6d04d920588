//! What the journal promises, proven from outside.
#![allow(clippy::unwrap_used)]

mod audit;
mod crash;
mod damage;
mod past;
mod pruning;
mod queries;
mod recording;

use std::future::Future;
use std::path::PathBuf;

use hostler_journal::{Entry, Journal, OutboxChange, Recovered, RunRow};
use tempfile::TempDir;

/// A folder that is gone after the test, and the journal's path in it.
struct Place {
    folder: TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/journal.db");
        Self { folder, path }
    }

    fn open(&self) -> (Journal, Recovered) {
        Journal::open(&self.path).unwrap()
    }
}

fn wait_for<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn entry(at_ms: i64, input: impl Into<String>) -> Entry {
    Entry { at_ms, input: input.into(), effects: "[]".to_owned(), ..Entry::default() }
}

fn about(run: &str, at_ms: i64, input: impl Into<String>) -> Entry {
    Entry { run: Some(run.to_owned()), ..entry(at_ms, input) }
}

fn run(id: &str, created_ms: i64) -> RunRow {
    RunRow {
        id: id.to_owned(),
        task_key: format!("KEY-{id}"),
        title: format!("Title of {id}"),
        tracker: "folder".to_owned(),
        provider: "scripted".to_owned(),
        state: "running".to_owned(),
        state_since_ms: created_ms,
        created_ms,
        updated_ms: created_ms,
        closed: false,
        body: "{}".to_owned(),
    }
}

fn put(run: &str, since_ms: i64) -> OutboxChange {
    OutboxChange::Put {
        run: run.to_owned(),
        report: format!(r#"{{"run":"{run}"}}"#),
        since_ms,
        tries: 0,
        next_try_ms: since_ms,
        last_problem: None,
    }
}

fn accepted(run: &str, at_ms: i64) -> OutboxChange {
    OutboxChange::Accepted { run: run.to_owned(), at_ms }
}
