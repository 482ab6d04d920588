//! Which tasks become runs: slots, duplicates, stale claims, and tasks that cannot be
//! claimed.

use serde::{Deserialize, Serialize};

use super::Engine;
use crate::effect::{Action, Effect};
use crate::input::Offer;
use crate::mutation::Mutation;
use crate::outcome::EndReason;
use crate::run::{Run, State, Stop};
use crate::task::{Claim, Fence, RunId, Task};
use crate::time::{Millis, Timestamp};

/// The highest fence seen is remembered for this many tasks, so that a late
/// duplicate of an old claim starts nothing; older tasks are long settled.
pub const REMEMBERED_FENCES: usize = 10_000;

/// So many tasks that could not be claimed are remembered.
pub const REMEMBERED_REFUSALS: usize = 1_000;

/// How long a task is left alone after it could not be claimed; doubles each time.
pub const FIRST_REFUSAL_PAUSE: Millis = Millis::seconds(5);

/// Longest of these pauses.
pub const MAX_REFUSAL_PAUSE: Millis = Millis::minutes(10);

/// A task that could not be claimed, and until when it is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Refusal {
    tracker: String,
    task: String,
    times: u32,
    until: Timestamp,
}

impl Engine {
    pub(super) fn offered(&mut self, now: Timestamp, tracker: &str, mut offers: Vec<Offer>) -> Vec<Effect> {
        if !self.is_configured(tracker) {
            return Vec::new();
        }
        offers.sort_by_key(|offer| std::cmp::Reverse(offer.task.priority));
        let mut effects = Vec::new();
        for Offer { run: id, task } in offers {
            let taken = self.open_runs_of(tracker, &task).next().is_some() || self.runs.contains_key(&id);
            if taken || self.free_slots() == 0 || self.was_refused(now, tracker, &task.id) {
                continue;
            }
            let run = Run::new(id.clone(), tracker.to_owned(), task, State::Claiming, now);
            effects.push(Effect { at: run.at(), action: Action::Claim });
            self.runs.insert(id, run);
        }
        effects
    }

    pub(super) fn given(
        &mut self,
        now: Timestamp,
        tracker: String,
        id: RunId,
        sent: Timestamp,
        claim: Claim,
    ) -> Option<Effect> {
        let fence = claim.lease.map_or(Fence::default(), |lease| lease.fence);
        let stale = fence > Fence::default()
            && !Mutation::OldClaim.is_on()
            && fence <= self.known_fence(&tracker, &claim.task.id);
        if self.runs.contains_key(&id) || stale || !self.is_configured(&tracker) {
            return None;
        }
        // A report that is on its way ends its run by its answer: it may have counted, and
        // then the task was given out again because of it. Nothing of that run lives.
        let reporting = |run: &Run| matches!(run.state, State::Reporting { .. });
        let stands_in_the_way = |run: &&Run| fence == Fence::default() || !reporting(run);
        let earlier = self.open_runs_of(&tracker, &claim.task).rev().find(stands_in_the_way);
        let earlier = earlier.map(|run| run.id.clone());
        if earlier.is_some() && fence == Fence::default() {
            return None;
        }
        self.remember_fence(tracker.clone(), claim.task.id.clone(), fence);
        let mut newcomer = Run::new(id.clone(), tracker, claim.task, State::Claiming, now);
        newcomer.hold(sent, claim.lease);
        newcomer.environment = claim.environment;
        let effect = if let Some(by) = earlier {
            let message = "The tracker gave the task out again.".to_owned();
            newcomer.state = State::Blocked { by: by.clone() };
            self.runs.get_mut(&by).and_then(|run| run.lost(now, message))
        } else {
            if self.free_slots() == 0 {
                let message = "No free slot.".to_owned();
                newcomer.stop = Some(Stop { why: EndReason::Cancelled, message });
            }
            newcomer.claimed(now, sent, claim.lease)
        };
        self.runs.insert(id, newcomer);
        effect
    }

    /// Nothing is taken from a tracker that nobody can speak to: no report would reach it.
    fn is_configured(&self, tracker: &str) -> bool {
        self.trackers.iter().any(|configured| configured == tracker)
    }

    /// Oldest first; a blocked run is the newest of its task.
    pub(super) fn open_runs_of(&self, tracker: &str, task: &Task) -> impl DoubleEndedIterator<Item = &Run> {
        let same = move |run: &&Run| run.tracker == tracker && run.task.id == task.id && !run.is_closed();
        self.runs.values().filter(same)
    }

    /// A task that cannot be claimed is not asked for again at every poll.
    pub(super) fn was_refused(&self, now: Timestamp, tracker: &str, task: &str) -> bool {
        let same = |refusal: &&Refusal| refusal.tracker == tracker && refusal.task == task;
        self.refusals.iter().find(same).is_some_and(|refusal| refusal.until > now)
    }

    pub(super) fn remember_refusal(&mut self, now: Timestamp, tracker: String, task: String) {
        let times = self.forget_refusal(&tracker, &task).saturating_add(1);
        let pause = (FIRST_REFUSAL_PAUSE.0 << (times - 1).min(16)).min(MAX_REFUSAL_PAUSE.0);
        self.refusals.push(Refusal { tracker, task, times, until: now + Millis(pause) });
        if self.refusals.len() > REMEMBERED_REFUSALS {
            self.refusals.remove(0);
        }
    }

    /// Gives how often it was refused.
    pub(super) fn forget_refusal(&mut self, tracker: &str, task: &str) -> u32 {
        let same = |refusal: &Refusal| refusal.tracker == tracker && refusal.task == task;
        let index = self.refusals.iter().position(same);
        index.map_or(0, |index| self.refusals.remove(index).times)
    }

    pub(super) fn known_fence(&self, tracker: &str, task: &str) -> Fence {
        self.fences
            .iter()
            .find(|(of, id, _)| of == tracker && id == task)
            .map_or(Fence::default(), |(_, _, fence)| *fence)
    }

    pub(super) fn remember_fence(&mut self, tracker: String, task: String, fence: Fence) {
        if fence == Fence::default() {
            return;
        }
        let fence = fence.max(self.known_fence(&tracker, &task));
        self.fences.retain(|(of, id, _)| *of != tracker || *id != task);
        self.fences.push((tracker, task, fence));
        if self.fences.len() > REMEMBERED_FENCES {
            self.fences.remove(0);
        }
    }
}
