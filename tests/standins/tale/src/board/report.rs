//! What a daemon says about a run it holds: events, and the end.

use serde::Serialize;
use thiserror::Error;

use super::{Board, CancelAck, Completion, FailReason, Run, RunId, RunState};
use crate::limits::{self, clip};
use crate::time::Time;

/// What an event tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventType {
    /// The agent works.
    Started,
    /// A line for the activity of the task.
    Progress(Option<String>),
    /// Nothing but a sign of life.
    Heartbeat,
}

/// The answer to an event. It has status 200 even when the run is not the daemon's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventAnswer {
    /// Whether the run is the daemon's, and live.
    pub ok: bool,
    /// Whether the daemon should end it.
    pub cancel_requested: bool,
}

/// Why a report was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotAccepted {
    /// Unknown, or of another organisation or daemon; a run that was queued again is nobody's.
    #[error("RUN_NOT_FOUND")]
    NotFound,
    /// The daemon's own, but over.
    #[error("RUN_NOT_LIVE")]
    NotLive,
}

impl Board {
    /// A sign of life of one run.
    pub fn event(
        &mut self,
        organization: &str,
        id: &RunId,
        daemon_id: &str,
        event: EventType,
        now: Time,
    ) -> EventAnswer {
        let Ok(run) = self.held_run(organization, id, daemon_id) else {
            return EventAnswer { ok: false, cancel_requested: true };
        };
        let was_claimed = matches!(run.state, RunState::Claimed(_));
        let Some(hold) = run.state.hold_mut() else {
            return EventAnswer { ok: false, cancel_requested: true };
        };
        hold.lease_until = now.plus(limits::LEASE);
        let (hold, task) = (hold.clone(), run.task.clone());
        let line = match event {
            EventType::Started if was_claimed => {
                run.state = RunState::Running(hold.clone());
                Some(("run_started", "the agent works".to_owned()))
            }
            EventType::Progress(Some(message)) => {
                Some(("run_progress", clip(&message, limits::ACTIVITY).to_owned()))
            }
            _ => None,
        };
        if let (Some(task), Some((kind, text))) = (self.task_mut(&task), line) {
            task.note(now, kind, text);
        }
        EventAnswer { ok: true, cancel_requested: hold.cancel_requested }
    }

    /// The run went well.
    pub fn complete(
        &mut self,
        organization: &str,
        id: &RunId,
        daemon_id: &str,
        completion: Completion,
        now: Time,
    ) -> Result<(), NotAccepted> {
        self.held_run(organization, id, daemon_id)?;
        self.end_completed(id, completion, now);
        Ok(())
    }

    /// The run went wrong. A retryable one is queued again while it has attempts
    /// left and nobody wants it cancelled.
    pub fn fail(
        &mut self,
        organization: &str,
        id: &RunId,
        daemon_id: &str,
        error: &str,
        retryable: bool,
        now: Time,
    ) -> Result<(), NotAccepted> {
        let cancel_ack = self.rules.cancel_ack;
        let run = self.held_run(organization, id, daemon_id)?;
        let cancelled = run.state.hold().is_some_and(|hold| hold.cancel_requested);
        let attempts = run.attempts;
        match (cancelled, cancel_ack) {
            (true, CancelAck::Cancelled) => self.end_cancelled(id, now),
            (false, _) if retryable && attempts < limits::MAX_ATTEMPTS => {
                self.queue_again(id, FailReason::Error, error, now);
            }
            _ => self.end_failed(id, FailReason::Error, Some(error), now),
        }
        Ok(())
    }

    /// A live run of this organisation that this daemon holds.
    fn held_run(&mut self, organization: &str, id: &RunId, daemon_id: &str) -> Result<&mut Run, NotAccepted> {
        let own = |run: &&mut Run| run.organization == organization && run.state.daemon() == Some(daemon_id);
        let run = self.run_mut(id).filter(own).ok_or(NotAccepted::NotFound)?;
        if run.state.hold().is_some() { Ok(run) } else { Err(NotAccepted::NotLive) }
    }
}
