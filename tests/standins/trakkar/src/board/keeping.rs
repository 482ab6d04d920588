//! What a runner says while it holds runs.

use serde::{Deserialize, Serialize};

use super::{Board, NotDone, RunState, Runner};
use crate::time::Time;

/// One line of progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// `status`, `message`, `tool`, `verify` or `error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// For people.
    pub text: String,
    /// When, as the runner says.
    pub at: String,
}

/// A batch of progress.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Progress {
    /// Grows by one within a run.
    pub seq: u64,
    /// Oldest first.
    pub events: Vec<Event>,
}

/// What a person wants of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Control {
    /// It is to end.
    pub stop: bool,
    /// For the agent.
    pub messages: Vec<String>,
}

impl Board {
    /// Takes a batch. One that was taken before is passed over.
    pub fn progress(
        &mut self,
        agent: &str,
        runner: &str,
        run: &str,
        batch: Progress,
    ) -> Result<Control, NotDone> {
        let run = self.held(agent, runner, run)?;
        let last = run.seqs.last().copied().unwrap_or_default();
        let mut complaint = None;
        if batch.seq <= last {
            run.repeated += 1;
        } else {
            if batch.seq != last + 1 {
                complaint = Some(format!("{} jumped from batch {last} to {}", run.id, batch.seq));
            }
            run.seqs.push(batch.seq);
            run.events.extend(batch.events);
        }
        let control = Control { stop: run.stop, messages: std::mem::take(&mut run.messages) };
        self.complaints.extend(complaint);
        Ok(control)
    }

    /// Whether a run is to stop.
    pub fn control(&mut self, agent: &str, runner: &str, run: &str) -> Result<bool, NotDone> {
        Ok(self.held(agent, runner, run)?.stop)
    }

    /// A runner lives, and names what it works on. Other runs of its are not kept alive.
    pub fn heartbeat(&mut self, agent: &str, runner: &str, running: &[String], free_slots: u64, now: Time) {
        for run in self.runs.iter_mut().filter(|run| run.agent == agent && running.contains(&run.id)) {
            if let RunState::Held { runner: holder, seen } = &mut run.state
                && holder == runner
            {
                *seen = now;
            }
        }
        let alive = Runner { id: runner.to_owned(), agent: agent.to_owned(), seen: now, free_slots };
        match self.runners.iter_mut().find(|known| known.id == runner) {
            Some(known) => *known = alive,
            None => self.runners.push(alive),
        }
    }
}
