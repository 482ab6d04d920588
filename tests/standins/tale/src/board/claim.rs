//! How a queued run becomes a daemon's.

use super::{Board, Hold, Run, RunId, RunState, Work};
use crate::limits;
use crate::time::Time;

impl Board {
    /// Gives the daemon the oldest run it may have, of the first few in the queue.
    /// A run that is skipped stays queued. Does not count as a sign of life.
    pub fn claim(
        &mut self,
        organization: &str,
        daemon_id: &str,
        adapter_types: &[String],
        now: Time,
    ) -> Option<Work> {
        let queued = self
            .runs
            .iter()
            .filter(|run| run.organization == organization && matches!(run.state, RunState::Queued { .. }));
        let fits = |run: &&Run| self.is_claimable(run, daemon_id, adapter_types, now);
        let id = queued.take(limits::RUNS_PER_CLAIM).find(fits)?.id.clone();
        self.hand_out(&id, daemon_id, now)
    }

    fn is_claimable(&self, run: &Run, daemon_id: &str, adapter_types: &[String], now: Time) -> bool {
        let RunState::Queued { deadline } = run.state else { return false };
        let agent = self.agent(&run.organization, &run.agent);
        adapter_types.contains(&run.adapter_type)
            && run.pinned_to.as_ref().is_none_or(|pinned| pinned == daemon_id)
            && now < deadline
            && self.task(&run.task).is_some_and(super::Task::is_open)
            && agent.is_some_and(|agent| self.may_claim(agent, now))
    }

    fn hand_out(&mut self, id: &RunId, daemon_id: &str, now: Time) -> Option<Work> {
        let run = self.run_mut(id)?;
        run.attempts += 1;
        run.state = RunState::Claimed(Hold {
            daemon_id: daemon_id.to_owned(),
            claimed_at: now,
            lease_until: now.plus(limits::LEASE),
            cancel_requested: false,
        });
        let run = run.clone();
        if let Some(task) = self.task_mut(&run.task) {
            task.note(now, "run_claimed", format!("claimed by {daemon_id}, attempt {}", run.attempts));
        }
        self.open_metrics(id, now);
        self.schedule_sweep(&run.organization, now.plus(limits::SWEEP_AFTER_CLAIM));
        self.schedule_sweep(&run.organization, now.plus(limits::SWEEP_AFTER_TIMEOUT));
        let env = self.agent(&run.organization, &run.agent).map(|agent| agent.env.clone());
        Some(run.work(env.unwrap_or_default()))
    }
}
