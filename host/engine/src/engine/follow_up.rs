//! Pull requests of runs that are over, and the tasks that go on because of them.

use super::{Engine, Mode};
use crate::effect::{Action, Effect};
use crate::follow_up::{Decided, Seen, Stage, Told, Watched};
use crate::problem::Problem;
use crate::run::{Closing, State};
use crate::step::Step;
use crate::task::RunId;
use crate::time::Timestamp;

/// So many pull requests are watched; each costs the forge some requests every few
/// minutes, and those that are older than so many others are mostly forgotten.
pub const MAX_WATCHED: usize = 50;

impl Engine {
    /// Pull requests that are to be looked at now: those of tasks that nobody works on.
    pub fn pull_requests(&self) -> impl Iterator<Item = &Watched> {
        self.watched.iter().filter(|watched| watched.is_watched() && self.may_go_on(watched))
    }

    fn may_go_on(&self, watched: &Watched) -> bool {
        self.trackers.contains(&watched.tracker)
            && self.open_runs_of(&watched.tracker, &watched.run.task).next().is_none()
    }

    /// A report was answered: if the tracker has it, the pull request is watched in which
    /// the work has landed.
    pub(super) fn watch(&mut self, now: Timestamp, id: &RunId) {
        let taken = |state: &State| matches!(state, State::Closed { how: Closing::Reported, .. });
        let Some(run) = self.runs.get(id).filter(|run| taken(&run.state)) else { return };
        let same =
            |watched: &&mut Watched| watched.tracker == run.tracker && watched.run.task.id == run.task.id;
        if let Some(watched) = self.watched.iter_mut().find(same) {
            return watched.went_on(run, now);
        }
        self.watched.extend(Watched::of(run, now));
        if self.watched.len() > MAX_WATCHED {
            self.watched.remove(0);
        }
    }

    /// Somebody has looked at the forge.
    pub(super) fn pull_request_seen(&mut self, now: Timestamp, run: &RunId, seen: &Seen) -> Option<Effect> {
        let follow_up = self.policy.follow_up;
        let index = self.index_of(run)?;
        let decided = match self.watched[index].take_in(seen, follow_up, now) {
            Decided::Wait if self.mode == Mode::Open && self.may_go_on(&self.watched[index]) => {
                self.watched[index].decide(follow_up, now)
            }
            decided => decided,
        };
        self.carry_on(index, decided)
    }

    /// The tracker was told that something came back.
    pub(super) fn follow_up_answered(
        &mut self,
        now: Timestamp,
        at: &Step,
        answer: Result<(), Problem>,
    ) -> Option<Effect> {
        let index = self.index_of(&at.run)?;
        let decided = self.watched[index].answered(at.number, answer, now);
        self.carry_on(index, decided)
    }

    /// After a restart: nobody knows whether the tracker heard what it was being told.
    pub(super) fn tell_again(&self) -> Vec<Effect> {
        let effect = |watched: &Watched| {
            let Stage::Telling { told, next_try: None } = &watched.stage else { return None };
            Some(tell(watched, told.clone()))
        };
        self.watched.iter().filter(|watched| self.may_go_on(watched)).filter_map(effect).collect()
    }

    /// Agents that start now are given what came back for their task.
    pub(super) fn give_to_agents(&mut self, effects: &[Effect]) {
        for Effect { at, action } in effects {
            if !matches!(action, Action::Start { .. }) {
                continue;
            }
            let Some(run) = self.runs.get_mut(&at.run) else { continue };
            let same = |watched: &&mut Watched| {
                watched.tracker == run.tracker && watched.run.task.id == run.task.id && watched.is_waiting()
            };
            if let Some(watched) = self.watched.iter_mut().find(same) {
                run.brought.extend(watched.hand_over());
            }
        }
    }

    fn index_of(&self, run: &RunId) -> Option<usize> {
        self.watched.iter().position(|watched| watched.run.run == *run)
    }

    fn carry_on(&mut self, index: usize, decided: Decided) -> Option<Effect> {
        let watched = &self.watched[index];
        match decided {
            Decided::Wait => None,
            Decided::Tell(told) => Some(tell(watched, told)),
            Decided::Say(message) => {
                let at = Step { run: watched.run.run.clone(), number: watched.words };
                Some(Effect { at, action: Action::Say { message } })
            }
            Decided::Forget => {
                self.watched.remove(index);
                None
            }
        }
    }
}

fn tell(watched: &Watched, told: Told) -> Effect {
    let at = Step { run: watched.run.run.clone(), number: told.number };
    Effect { at, action: Action::FollowUp { run: Box::new(watched.run.clone()), told } }
}
