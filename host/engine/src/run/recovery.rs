//! What happens to a run when the host starts again.

use super::{Run, State, lease_deadline};
use crate::effect::{Action, Effect};
use crate::outcome::EndReason;
use crate::time::Timestamp;

impl Run {
    /// The host has started again. Whatever was under way is asked for again; an
    /// agent that may live is ended with proof before anything else (I1).
    pub fn recover(&mut self, now: Timestamp) -> Option<Effect> {
        if let Some(lease) = &mut self.lease {
            lease.confirmed = false;
            lease.deadline = lease_deadline(now, lease.ttl);
        }
        if self.stop.as_ref().is_some_and(|stop| stop.why == EndReason::Stopping) {
            self.stop = None;
        }
        let action = match &self.state {
            State::Claiming => Action::Claim,
            State::Planning => Action::Plan,
            State::Preparing => Action::Prepare { order: self.workspace_order()? },
            State::Starting { attempt } | State::Running { attempt, .. } => {
                let attempt = *attempt;
                return self.go(now, State::Ending { attempt, why: None }, Action::Reap { attempt });
            }
            State::Ending { attempt, why } => {
                let (attempt, why) = (*attempt, *why);
                return self.go(now, State::Ending { attempt, why }, Action::Reap { attempt });
            }
            State::Collecting => Action::Collect,
            State::Advising => Action::Advise,
            State::Releasing => Action::Release,
            State::Reporting { .. } | State::Parked { report: Some(_), .. } => return self.tell_again(now),
            State::Closed { .. } => Action::Tidy,
            State::Waiting { .. } | State::Blocked { .. } | State::Parked { .. } => return None,
        };
        let state = self.state.clone();
        self.go(now, state, action)
    }
}
