//! How a person ends a run.

use serde::Serialize;

use super::{Board, RunId, RunState};
use crate::time::Time;

/// What became of a wish to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cancelled {
    /// It was queued, and is over.
    AtOnce,
    /// The daemon hears of it with its next heartbeat or event.
    Requested,
    /// Nothing to cancel: the run is unknown or over.
    Nothing,
}

impl Board {
    /// Ends a queued run, or asks the daemon to end the one it holds.
    pub fn cancel(&mut self, id: &RunId, now: Time) -> Cancelled {
        let Some(run) = self.run_mut(id) else { return Cancelled::Nothing };
        match &mut run.state {
            RunState::Queued { .. } => {
                self.end_cancelled(id, now);
                Cancelled::AtOnce
            }
            RunState::Claimed(hold) | RunState::Running(hold) => {
                hold.cancel_requested = true;
                let task = run.task.clone();
                if let Some(task) = self.task_mut(&task) {
                    task.note(now, "cancel_requested", "a person wants the run ended");
                }
                Cancelled::Requested
            }
            _ => Cancelled::Nothing,
        }
    }
}
