//! What the journal shows of a run: its row, and its report in the outbox. Pure.

use hostler_engine::report::Report;
use hostler_engine::run::{Closing, Run, State};
use hostler_engine::time::Timestamp;
use hostler_journal::{OutboxChange, RunRow};

use crate::view::RunView;

/// The row of a run as it is now.
pub fn row(view: &RunView, now: Timestamp) -> RunRow {
    RunRow {
        id: view.id.clone(),
        task_key: view.task_key.clone(),
        title: view.title.clone(),
        tracker: view.tracker.clone(),
        provider: view.provider.clone(),
        state: view.state.clone(),
        state_since_ms: view.since,
        created_ms: view.created,
        updated_ms: now.0,
        closed: view.closed,
        body: serde_json::to_string(view).unwrap_or_default(),
    }
}

/// How the run's report stands in the outbox, if it has one.
pub fn outbox(run: &Run, now: Timestamp) -> Vec<OutboxChange> {
    let id = run.id.0.clone();
    match &run.state {
        State::Reporting { report, tries, next_try, last_problem } => {
            let last_problem = last_problem.as_ref().map(ToString::to_string);
            vec![put(run, report, *tries, next_try.unwrap_or(now), last_problem)]
        }
        State::Closed { how: Closing::Reported, report: Some(report) } => {
            vec![put(run, report, 0, now, None), OutboxChange::Accepted { run: id, at_ms: run.since.0 }]
        }
        // The tracker does not have it; it is kept where it can be seen.
        State::Parked { reason, report: Some(report) }
        | State::Closed { how: Closing::Lost(reason) | Closing::NotOurs(reason), report: Some(report) } => {
            vec![put(run, report, 0, now, None), OutboxChange::Parked { run: id, reason: reason.clone() }]
        }
        _ => Vec::new(),
    }
}

fn put(
    run: &Run,
    report: &Report,
    tries: u32,
    next_try: Timestamp,
    last_problem: Option<String>,
) -> OutboxChange {
    OutboxChange::Put {
        run: run.id.0.clone(),
        report: serde_json::to_string(report).unwrap_or_default(),
        since_ms: run.since.0,
        tries,
        next_try_ms: next_try.0,
        last_problem,
    }
}
