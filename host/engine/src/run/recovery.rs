//! What happens to a run when the host starts again.

use super::{Run, State, lease_deadline};
use crate::effect::{Action, Effect};
use crate::mutation::Mutation;
use crate::outcome::EndReason;
use crate::time::{Millis, Timestamp};

impl Run {
    /// The host has started again. Whatever was under way is asked for again; an
    /// agent outlives its host, so one that may live is taken up again, or its end is
    /// proven, before anything else (I1). An agent whose tracker is not there
    /// (`awake` is false) has nobody to work for and is ended.
    ///
    /// The lease's deadline is when waiting for its confirmation ends. It is no leave
    /// for the agent to work on: its supervisor ends it at the last confirmed one.
    pub fn recover(&mut self, now: Timestamp, awake: bool) -> Option<Effect> {
        if let Some(lease) = &mut self.lease {
            lease.confirmed = false;
            lease.deadline = lease_deadline(now, lease.ttl);
        }
        if Mutation::ForgottenAttempts.is_on() {
            self.attempts.clear();
        }
        if Mutation::ForgottenPause.is_on() {
            self.last_pause = Millis::default();
        }
        if Mutation::ForgottenStop.is_on()
            || self.stop.as_ref().is_some_and(|stop| stop.why == EndReason::Stopping)
        {
            self.stop = None;
        }
        let action = match &self.state {
            State::Claiming => Action::Claim,
            State::Planning => Action::Plan,
            State::Preparing { tries, .. } => {
                let (tries, order) = (*tries, self.workspace_order()?);
                return self.go(now, State::Preparing { tries, next_try: None }, Action::Prepare { order });
            }
            State::Starting { attempt } => return self.take_up(now, *attempt, None, awake),
            State::Running { attempt, finished, .. } | State::Adopting { attempt, finished } => {
                return self.take_up(now, *attempt, *finished, awake);
            }
            State::Ending { attempt, why } => {
                let (attempt, why) = (*attempt, *why);
                return self.go(now, State::Ending { attempt, why }, Action::Reap { attempt });
            }
            State::Collecting => Action::Collect,
            State::Verifying { .. } => return self.judge(now),
            State::Landing { tries, .. } => {
                let tries = *tries;
                return self.go(now, State::Landing { tries, next_try: None }, Action::Land);
            }
            State::Advising => Action::Advise,
            State::Releasing => Action::Release,
            State::Reporting { .. } | State::Parked { report: Some(_), .. } => return self.tell_again(now),
            State::Closed { .. } => Action::Tidy,
            State::Waiting { .. } | State::Blocked { .. } | State::Parked { .. } => return None,
        };
        let state = self.state.clone();
        self.go(now, state, action)
    }

    fn take_up(
        &mut self,
        now: Timestamp,
        attempt: u32,
        finished: Option<Timestamp>,
        awake: bool,
    ) -> Option<Effect> {
        if Mutation::NotAdopted.is_on() {
            self.enter(now, State::Waiting { until: now });
            return None;
        }
        if awake {
            self.go(now, State::Adopting { attempt, finished }, Action::Adopt { attempt })
        } else {
            self.go(now, State::Ending { attempt, why: None }, Action::Reap { attempt })
        }
    }

    /// The agent still works and is listened to again. Its silence counts from now:
    /// what it said meanwhile is yet to be read.
    pub fn adopted(&mut self, now: Timestamp, process: String) -> Option<Effect> {
        let State::Adopting { attempt, finished } = self.state else { return None };
        self.works(now, State::Running { attempt, process, heard: now, finished })
    }
}
