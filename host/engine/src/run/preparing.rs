//! The way to a workspace: what is ordered, and what follows from the answer.

use super::finishing::landing_pause;
use super::{LANDING_TRIES, Run, State, Stop, Workspace};
use crate::effect::{Action, Effect, WorkspaceOrder};
use crate::mutation::Mutation;
use crate::outcome::EndReason;
use crate::plan::{Base, folder_of};
use crate::problem::Problem;
use crate::time::Timestamp;

/// How often a workspace is tried before the run fails, with the pauses of a landing: it
/// waits for the same remote.
pub const PREPARING_TRIES: u32 = LANDING_TRIES;

impl Run {
    /// Makes the workspace of the next attempt, or opens the last one again.
    pub(super) fn prepare(&mut self, now: Timestamp) -> Option<Effect> {
        self.try_to_prepare(now, 1)
    }

    /// Tries to make the workspace again.
    pub(super) fn prepare_again(&mut self, now: Timestamp) -> Option<Effect> {
        let State::Preparing { tries, .. } = self.state else { return None };
        self.try_to_prepare(now, tries.saturating_add(1))
    }

    fn try_to_prepare(&mut self, now: Timestamp, tries: u32) -> Option<Effect> {
        let order = self.workspace_order()?;
        self.go(now, State::Preparing { tries, next_try: None }, Action::Prepare { order })
    }

    pub(super) fn workspace_order(&self) -> Option<WorkspaceOrder> {
        let plan = self.plan.as_ref()?;
        let number = match &self.workspace {
            Some(workspace) if !self.fresh || Mutation::WorkspaceReused.is_on() => workspace.number,
            _ => self.next_attempt(),
        };
        Some(WorkspaceOrder {
            repository: plan.repository.clone(),
            base: plan.start(),
            start: self.workspace.as_ref().map(|workspace| workspace.base.clone()),
            branch: plan.branch_of(number),
            folder: folder_of(&self.task, &self.id, number),
            number,
            session: plan.session.clone().filter(|_| self.goes_on()),
            last: plan.session.is_none() && self.goes_on(),
            worktrees: plan.worktrees.clone(),
            link: plan.link.clone(),
        })
    }

    /// Whether an earlier run's workspace is gone on with: for the first attempt, and
    /// for those that follow in the same workspace.
    fn goes_on(&self) -> bool {
        let wished = self.plan.as_ref().is_some_and(|plan| plan.base == Base::PreviousSession);
        wished && self.workspace.as_ref().is_none_or(|workspace| workspace.continued && !self.fresh)
    }

    /// The workspace is there, or could not be made. What may pass is tried again.
    pub fn prepared(&mut self, now: Timestamp, workspace: Result<Workspace, Problem>) -> Option<Effect> {
        let State::Preparing { tries, .. } = self.state else { return None };
        let problem = match workspace {
            Ok(workspace) => {
                self.settle_in(workspace);
                None
            }
            Err(problem) => Some(problem),
        };
        if self.lease.is_some_and(|lease| lease.deadline <= now) && self.stop.is_none() {
            // The machine slept, and nothing has looked at the clock since.
            let message = "The lease ran out while the workspace was made.".to_owned();
            self.stop = Some(Stop { why: EndReason::LeaseLost, message });
        }
        match (self.stop.as_ref().map(|stop| stop.why), problem) {
            // The next start of the host asks again.
            (Some(EndReason::Stopping), _) => {
                self.enter(now, State::Preparing { tries, next_try: Some(now) });
                None
            }
            (Some(_), _) => self.finish(now),
            (None, Some(problem)) if problem.kind.may_pass() && tries < PREPARING_TRIES => {
                let pause = landing_pause(tries).max(problem.retry_after.unwrap_or_default());
                self.enter(now, State::Preparing { tries, next_try: Some(now + pause) });
                None
            }
            (None, Some(problem)) => self.fail(now, "workspace", problem.message),
            (None, None) => self.begin_attempt(now),
        }
    }

    fn begin_attempt(&mut self, now: Timestamp) -> Option<Effect> {
        if self.lease.is_some_and(|lease| !lease.confirmed) && !Mutation::UnconfirmedStart.is_on() {
            // The task may have gone to somebody else while the host was down.
            self.enter(now, State::Waiting { until: now });
            return None;
        }
        let attempt = self.next_attempt();
        let session = self.session_to_resume();
        self.attempt_started = now;
        self.go(now, State::Starting { attempt }, Action::Start { attempt, session })
    }

    /// A session whose workspace is gone is not resumed.
    fn settle_in(&mut self, workspace: Workspace) {
        if let Some(plan) = &mut self.plan
            && plan.base == Base::PreviousSession
            && !workspace.continued
        {
            plan.session = None;
        }
        self.workspace = Some(workspace);
    }
}
