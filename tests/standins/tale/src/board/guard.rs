//! What stands between an agent and a run: budgets, caps, and the breaker of a task.

use super::{Agent, Board, Task};
use crate::limits;
use crate::time::Time;

/// Where an agent's budget stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BudgetState {
    /// Nothing to say.
    Fine,
    /// The prompt warns; how many percent are spent.
    Warned(u32),
    /// Nothing starts any more.
    Paused,
}

impl Board {
    /// Where an agent's budget stands.
    pub(super) fn budget_state(&self, agent: &Agent, now: Time) -> BudgetState {
        let Some(budget) = agent.budget else { return BudgetState::Fine };
        let spent = self.spent_cents(&agent.organization, &agent.slug, now);
        // A budget of nothing is spent before the first cent.
        let percent = spent.saturating_mul(100).checked_div(budget.monthly_cents).unwrap_or(u64::MAX);
        let percent = u32::try_from(percent).unwrap_or(u32::MAX);
        if percent >= budget.pause_pct.unwrap_or(limits::BUDGET_PAUSE_PERCENT) {
            BudgetState::Paused
        } else if percent >= budget.warn_pct.unwrap_or(limits::BUDGET_WARN_PERCENT) {
            BudgetState::Warned(percent)
        } else {
            BudgetState::Fine
        }
    }

    /// Whether another run of the agent may be claimed now.
    pub(super) fn may_claim(&self, agent: &Agent, now: Time) -> bool {
        let held = self.runs.iter().filter(|run| run.organization == agent.organization);
        let held: Vec<&str> =
            held.filter(|run| run.state.hold().is_some()).map(|run| run.agent.as_str()).collect();
        let own = held.iter().filter(|slug| **slug == agent.slug).count();
        let organization = self.organization(&agent.organization);
        agent.enabled
            && self.budget_state(agent, now) != BudgetState::Paused
            && agent.max_concurrent_tasks.is_none_or(|most| own < most)
            && organization
                .and_then(|organization| organization.max_concurrent_runs)
                .is_none_or(|most| held.len() < most)
    }

    /// Whether a task was dispatched so often of late that something must be wrong.
    pub(super) fn breaker_is_open(&self, task: &Task, now: Time) -> bool {
        let recent =
            self.runs_of(&task.id).filter(|run| now.since(run.enqueued_at) < limits::BREAKER_WINDOW).count();
        recent >= limits::DISPATCHES_PER_HOUR
    }
}
