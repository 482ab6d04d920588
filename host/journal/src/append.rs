//! Writes one entry inside a transaction that the writer holds.

use rusqlite::{Connection, params};

use crate::audit::Head;
use crate::entry::{Entry, OutboxChange, RunRow, Seq};
use crate::error::Fault;

/// Entries between two states that are kept to replay the past: few enough to replay
/// in a moment, many enough that the states take little room beside the entries.
pub(crate) const CHECKPOINT_ENTRIES: i64 = 4096;

/// Writes the input and everything that belongs to it.
pub(crate) fn append(connection: &Connection, entry: &Entry) -> Result<Seq, Fault> {
    let seq = put_input(connection, entry)?;
    for run in &entry.runs {
        put_run(connection, run)?;
    }
    for change in &entry.outbox {
        change_outbox(connection, change)?;
    }
    if let Some(body) = &entry.snapshot {
        put_snapshot(connection, seq, entry.at_ms, body)?;
    }
    if let Some(head) = entry.audit {
        put_audit_head(connection, head)?;
    }
    Ok(seq)
}

fn put_input(connection: &Connection, entry: &Entry) -> rusqlite::Result<Seq> {
    connection
        .prepare_cached("INSERT INTO entries (at_ms, run, input, effects) VALUES (?, ?, ?, ?)")?
        .insert(params![entry.at_ms, entry.run, entry.input, entry.effects])
        .map(Seq::new)
}

fn put_audit_head(connection: &Connection, head: Head) -> Result<(), Fault> {
    let n = i64::try_from(head.n)
        .map_err(|_| Fault::Contradiction(format!("the audit log has {} entries", head.n)))?;
    connection
        .prepare_cached("REPLACE INTO audit_head (only, n, hash) VALUES (1, ?, ?)")?
        .execute(params![n, head.hash.to_string()])?;
    Ok(())
}

fn put_run(connection: &Connection, run: &RunRow) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO runs (id, task_key, title, tracker, provider, state,
                               state_since_ms, created_ms, updated_ms, closed, body)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET
                 task_key = excluded.task_key, title = excluded.title,
                 tracker = excluded.tracker, provider = excluded.provider,
                 state = excluded.state, state_since_ms = excluded.state_since_ms,
                 created_ms = excluded.created_ms, updated_ms = excluded.updated_ms,
                 closed = excluded.closed, body = excluded.body",
        )?
        .execute(params![
            run.id,
            run.task_key,
            run.title,
            run.tracker,
            run.provider,
            run.state,
            run.state_since_ms,
            run.created_ms,
            run.updated_ms,
            run.closed,
            run.body,
        ])
        .map(drop)
}

fn put_snapshot(connection: &Connection, seq: Seq, at_ms: i64, body: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached("REPLACE INTO snapshot (only, seq, at_ms, body) VALUES (1, ?, ?, ?)")?
        .execute(params![seq.get(), at_ms, body])?;
    connection
        .prepare_cached(
            "INSERT INTO checkpoints (seq, at_ms, body)
             SELECT ?1, ?2, ?3
             WHERE ?1 - coalesce((SELECT max(seq) FROM checkpoints), 0) >= ?4",
        )?
        .execute(params![seq.get(), at_ms, body, CHECKPOINT_ENTRIES])
        .map(drop)
}

fn change_outbox(connection: &Connection, change: &OutboxChange) -> Result<(), Fault> {
    match change {
        OutboxChange::Put { run, report, since_ms, tries, next_try_ms, last_problem } => {
            connection
                .prepare_cached(
                    "INSERT INTO outbox (run, report, since_ms, tries, next_try_ms, last_problem)
                     VALUES (?, ?, ?, ?, ?, ?)
                     ON CONFLICT (run) DO UPDATE SET
                         report = excluded.report, since_ms = excluded.since_ms,
                         tries = excluded.tries, next_try_ms = excluded.next_try_ms,
                         last_problem = excluded.last_problem, parked_reason = NULL
                     WHERE accepted_ms IS NULL",
                )?
                .execute(params![run, report, since_ms, tries, next_try_ms, last_problem])?;
            Ok(())
        }
        OutboxChange::Accepted { run, at_ms } => {
            let rows = connection
                .prepare_cached(
                    "UPDATE outbox SET accepted_ms = coalesce(accepted_ms, ?2), parked_reason = NULL
                     WHERE run = ?1",
                )?
                .execute(params![run, at_ms])?;
            require_report(rows, run)
        }
        OutboxChange::Parked { run, reason } => {
            let rows = connection
                .prepare_cached(
                    "UPDATE outbox SET parked_reason = iif(accepted_ms IS NULL, ?2, NULL)
                     WHERE run = ?1",
                )?
                .execute(params![run, reason])?;
            require_report(rows, run)
        }
    }
}

fn require_report(rows: usize, run: &str) -> Result<(), Fault> {
    if rows == 0 {
        return Err(Fault::Contradiction(format!("run {run} has no report in the outbox")));
    }
    Ok(())
}
