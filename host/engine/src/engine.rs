//! All runs of one host: admission, slots, and which run an input belongs to.

mod admission;
mod follow_up;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use self::admission::Refusal;
pub use self::admission::{FIRST_REFUSAL_PAUSE, MAX_REFUSAL_PAUSE, REMEMBERED_FENCES, REMEMBERED_REFUSALS};
pub use self::follow_up::MAX_WATCHED;
use crate::effect::{Action, Effect};
use crate::follow_up::Watched;
use crate::input::Input;
use crate::mutation::Mutation;
use crate::outcome::EndReason;
use crate::policy::Policy;
use crate::run::{Run, State, Stop, lease_deadline};
use crate::step::Step;
use crate::task::{Fence, RunId};
use crate::time::{Millis, Timestamp};

/// Whether new work is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Yes.
    #[default]
    Open,
    /// No; what runs may finish.
    Draining,
    /// No; what runs is ended and goes on at the next start.
    Stopping,
}

/// The state of one host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Engine {
    policy: Policy,
    mode: Mode,
    /// Those that can be spoken to now.
    trackers: Vec<String>,
    runs: BTreeMap<RunId, Run>,
    /// Highest fence per tracker and task, in order of arrival.
    fences: Vec<(String, String, Fence)>,
    /// Tasks that could not be claimed, in order of arrival.
    #[serde(default)]
    refusals: Vec<Refusal>,
    /// Pull requests whose task may go on, in the order in which they were opened.
    #[serde(default)]
    watched: Vec<Watched>,
}

impl Engine {
    /// The operator's policy in force.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether new work is taken.
    pub const fn mode(&self) -> Mode {
        self.mode
    }

    /// Runs that are not forgotten yet, oldest first.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.runs.values()
    }

    /// One run.
    pub fn run(&self, id: &RunId) -> Option<&Run> {
        self.runs.get(id)
    }

    /// How many more runs could start now.
    pub fn free_slots(&self) -> u32 {
        if self.mode != Mode::Open {
            return 0;
        }
        // Runs that wait for their next attempt come before new ones.
        let due = self.awake().filter(|run| matches!(run.state, State::Blocked { .. })).count();
        self.unoccupied().saturating_sub(u32::try_from(due).unwrap_or(u32::MAX))
    }

    /// Runs whose tracker can be spoken to. The others keep their place, but no slot.
    fn awake(&self) -> impl Iterator<Item = &Run> {
        self.runs.values().filter(|run| self.trackers.contains(&run.tracker))
    }

    fn unoccupied(&self) -> u32 {
        let takes_one = |run: &&Run| match run.state {
            State::Running { .. } => true,
            _ => run.state.occupies_slot() && !Mutation::MiscountedSlots.is_on(),
        };
        let occupied = self.awake().filter(takes_one).count();
        self.policy.slots.max(1).saturating_sub(u32::try_from(occupied).unwrap_or(u32::MAX))
    }

    /// When `Tick` is due, if nothing else happens before. `None`: never.
    pub fn next_deadline(&self) -> Option<Timestamp> {
        let may_start = self.mode == Mode::Open && self.unoccupied() > 0;
        self.awake()
            .filter_map(|run| match run.state {
                State::Waiting { .. }
                    if !may_start || !run.is_due(Timestamp(i64::MAX)) || self.folder_is_taken(run) =>
                {
                    run.lease.map(|lease| lease.deadline)
                }
                _ => run.deadline(),
            })
            .min()
    }

    /// Takes what happened and says what is to be done. Deterministic: the same
    /// inputs lead to the same state and effects.
    pub fn apply(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        let mut effects = self.react(now, input);
        effects.extend(self.unblock(now));
        effects.extend(self.start_due(now));
        self.give_to_agents(&effects);
        debug_assert!(self.one_agent_per_task(), "two runs of one task may have an agent");
        effects
    }

    fn react(&mut self, now: Timestamp, input: Input) -> Vec<Effect> {
        match input {
            Input::Configured { policy, trackers } => {
                self.policy = policy;
                self.trackers = trackers;
                Vec::new()
            }
            Input::Restarted => {
                self.mode = Mode::Open;
                let trackers = &self.trackers;
                let recover = |run: &mut Run| {
                    let awake = trackers.contains(&run.tracker);
                    if awake || run.state.may_have_agent() { run.recover(now, awake) } else { None }
                };
                let mut effects: Vec<Effect> = self.runs.values_mut().filter_map(recover).collect();
                effects.extend(self.tell_again());
                effects
            }
            Input::Offered { tracker, offers } => self.offered(now, &tracker, offers),
            Input::Given { tracker, run, sent, claim } => {
                self.given(now, tracker, run, sent, claim).into_iter().collect()
            }
            Input::Drain => {
                self.mode = self.mode.max_of(Mode::Draining);
                Vec::new()
            }
            Input::StopNow => {
                self.mode = Mode::Stopping;
                self.runs.values_mut().filter_map(|run| stop_for_now(run, now)).collect()
            }
            Input::Woke { slept } => {
                self.runs.values_mut().for_each(|run| run.woke(now, slept));
                Vec::new()
            }
            Input::Tick => {
                let trackers = &self.trackers;
                let awake = self.runs.values_mut().filter(|run| trackers.contains(&run.tracker));
                awake.filter_map(|run| run.tick(now)).collect()
            }
            other => self.react_one(now, other).into_iter().collect(),
        }
    }

    /// Inputs about one run.
    fn react_one(&mut self, now: Timestamp, input: Input) -> Option<Effect> {
        let policy = self.policy.clone();
        match input {
            Input::ClaimAnswered { at, sent, answer, environment } => {
                let run = self.at_step(&at).filter(|run| run.state == State::Claiming)?;
                match answer {
                    Ok(lease) => {
                        run.environment = environment;
                        let effect = run.claimed(now, sent, lease);
                        let (tracker, task, fence) = (run.tracker.clone(), run.task.id.clone(), run.fence);
                        self.forget_refusal(&tracker, &task);
                        self.remember_fence(tracker, task, fence);
                        effect
                    }
                    Err(problem) => {
                        let effect = run.claim_refused(now, &problem);
                        let (tracker, task) = (run.tracker.clone(), run.task.id.clone());
                        self.remember_refusal(now, tracker, task);
                        effect
                    }
                }
            }
            Input::Planned { at, wish } => {
                let run = self.at_step(&at).filter(|run| run.state == State::Planning)?;
                let effect = run.planned(now, wish, &policy);
                self.unless_folder_is_taken(now, effect)
            }
            Input::Prepared { at, workspace } => self.at_step(&at)?.prepared(now, workspace),
            Input::Started { at, process } => {
                let run = self.at_step(&at)?;
                let State::Starting { attempt } = run.state else { return None };
                run.started(now, attempt, process)
            }
            Input::Adopted { at, process } => self.at_step(&at)?.adopted(now, process),
            Input::Heard { run, attempt, usage } => self.working(&run, attempt)?.heard(now, usage),
            Input::AgentFinished { run, attempt } => {
                self.working(&run, attempt)?.agent_finished(now);
                None
            }
            Input::AttemptEnded { run, attempt, outcome } => {
                self.working(&run, attempt)?.attempt_ended(now, attempt, outcome)
            }
            Input::Collected { at, changes } => self
                .at_step(&at)
                .filter(|run| run.state == State::Collecting)?
                .collected(now, changes, &policy),
            Input::Verified { at, found } => {
                let verifying = |run: &&mut Run| matches!(run.state, State::Verifying { .. });
                self.at_step(&at).filter(verifying)?.verified(now, found)
            }
            Input::Landed { at, landed } => self.at_step(&at)?.landed(now, landed),
            Input::Advised { at, verdict } => {
                self.at_step(&at).filter(|run| run.state == State::Advising)?.advised(now, verdict, &policy)
            }
            Input::Reported { at, answer } => {
                let effect = self.at_step(&at)?.reported(now, answer);
                self.watch(now, &at.run);
                effect
            }
            Input::PullRequestSeen { run, seen } => self.pull_request_seen(now, &run, &seen),
            Input::FollowUpAnswered { at, answer } => self.follow_up_answered(now, &at, answer),
            Input::Released { at, answer: _ } => {
                self.at_step(&at).filter(|run| run.state == State::Releasing)?.released(now)
            }
            Input::Tidied { run } => {
                if self.runs.get(&run).is_some_and(Run::is_closed) {
                    self.runs.remove(&run);
                }
                None
            }
            Input::Renewed { run, fence, sent, ttl } => {
                let run = self.fenced(&run, fence)?;
                let sent = if Mutation::LeaseFromReply.is_on() { now } else { sent };
                if let Some(lease) = &mut run.lease {
                    lease.deadline = lease.deadline.max(lease_deadline(sent, ttl));
                    lease.confirmed = true;
                }
                None
            }
            Input::CancelAsked { run, fence, reason } => {
                let stop = Stop { why: EndReason::Cancelled, message: reason };
                self.fenced(&run, fence)?.stop(now, stop)
            }
            Input::LeaseLost { run, fence, reason } => self.fenced(&run, fence)?.lost(now, reason),
            Input::StopAsked { run } => {
                let message = "Stopped by the operator.".to_owned();
                let run = self.runs.get_mut(&run).filter(|run| !run.is_closed())?;
                run.stop(now, Stop { why: EndReason::Cancelled, message })
            }
            _ => None,
        }
    }

    /// The run that is at this step; a stale step finds nothing.
    fn at_step(&mut self, at: &Step) -> Option<&mut Run> {
        self.runs.get_mut(&at.run).filter(|run| run.step == at.number || Mutation::StaleStep.is_on())
    }

    /// The run whose agent of this attempt may live.
    fn working(&mut self, id: &RunId, attempt: u32) -> Option<&mut Run> {
        self.runs.get_mut(id).filter(|run| run.state.may_have_agent() && run.next_attempt() == attempt)
    }

    /// The run, if the word about it came under the fence it holds (I5).
    fn fenced(&mut self, id: &RunId, fence: Fence) -> Option<&mut Run> {
        let holds = |run: &Run| run.fence == fence || Mutation::AnyFence.is_on();
        self.runs.get_mut(id).filter(|run| holds(run) && !run.is_closed())
    }

    /// Runs whose predecessor is closed may begin. One that ends at once may free
    /// the next.
    fn unblock(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(id) = self.first_unblocked() {
            effects.extend(self.runs.get_mut(&id).and_then(|run| run.unblocked(now)));
        }
        effects
    }

    fn first_unblocked(&self) -> Option<RunId> {
        let is_free = |run: &&Run| match &run.state {
            State::Blocked { by } => self.runs.get(by).is_none_or(|run| {
                let ending = Mutation::UnblockedEarly.is_on() && matches!(run.state, State::Ending { .. });
                run.is_closed() || ending
            }),
            _ => false,
        };
        self.runs.values().find(is_free).map(|run| run.id.clone())
    }

    /// Starts the next attempt of runs whose pause is over, oldest first, while
    /// there are slots.
    fn start_due(&mut self, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.mode != Mode::Open {
            return effects;
        }
        let due: Vec<RunId> = self.awake().filter(|run| run.is_due(now)).map(|run| run.id.clone()).collect();
        for id in due {
            if self.unoccupied() == 0 {
                break;
            }
            if self.runs.get(&id).is_some_and(|run| self.folder_is_taken(run)) {
                continue;
            }
            effects.extend(self.runs.get_mut(&id).and_then(|run| run.resume(now)));
        }
        effects
    }

    /// Whether another run works in the plain folder that this one needs.
    fn folder_is_taken(&self, run: &Run) -> bool {
        let folder = |run: &Run| run.plan.as_ref().map(|plan| plan.repository.clone());
        let Some(wanted) = folder(run).filter(|key| self.policy.shared.contains(key)) else { return false };
        let works_there = |other: &Run| {
            let here = folder(other).is_some_and(|key| key == wanted);
            other.id != run.id && here && other.state.occupies_slot()
        };
        self.awake().any(works_there)
    }

    /// Lets an effect pass, unless it would put a second run into a plain folder.
    fn unless_folder_is_taken(&mut self, now: Timestamp, effect: Option<Effect>) -> Option<Effect> {
        let effect = effect?;
        let prepares = matches!(effect.action, Action::Prepare { .. });
        let taken = self.runs.get(&effect.at.run).is_some_and(|run| self.folder_is_taken(run));
        if prepares && taken {
            self.runs.get_mut(&effect.at.run)?.wait_for_folder(now);
            return None;
        }
        Some(effect)
    }

    // ── questions of the daemon ─────────────────────────────────────────────

    /// Whether a drain is complete: no slot is taken and no report is on its way.
    /// Reports that wait for their next try stay in the outbox.
    pub fn is_quiet(&self) -> bool {
        self.awake().all(|run| match &run.state {
            State::Preparing { next_try, .. }
            | State::Reporting { next_try, .. }
            | State::Landing { next_try, .. } => next_try.is_some(),
            State::Releasing => false,
            state => !state.occupies_slot(),
        })
    }

    /// Whether nothing is left to do at all, short of what waits for a person.
    pub fn is_done(&self) -> bool {
        self.awake().all(|run| matches!(run.state, State::Closed { .. } | State::Parked { .. }))
    }

    /// Runs the tracker should hear of in a heartbeat.
    pub fn held(&self, tracker: &str) -> Vec<&Run> {
        self.runs
            .values()
            .filter(|run| {
                run.tracker == tracker
                    && !matches!(
                        run.state,
                        State::Claiming | State::Closed { .. } | State::Releasing | State::Blocked { .. }
                    )
            })
            .collect()
    }

    /// How often to send heartbeats: as often as the most impatient lease wants.
    pub fn heartbeat_every(&self, default: Millis) -> Millis {
        self.runs
            .values()
            .filter(|run| !run.is_closed())
            .filter_map(|run| run.lease.map(|lease| lease.renew_every))
            .fold(default, Millis::min)
    }

    /// I1, as far as the engine can see it.
    pub fn one_agent_per_task(&self) -> bool {
        let mut seen = std::collections::BTreeSet::new();
        self.runs
            .values()
            .filter(|run| run.state.may_have_agent())
            .all(|run| seen.insert((&run.tracker, &run.task.id)))
    }
}

impl Mode {
    fn max_of(self, other: Self) -> Self {
        if self == Self::Open { other } else { self }
    }
}

/// Ends a run's agent so that the run goes on at the next start.
fn stop_for_now(run: &mut Run, now: Timestamp) -> Option<Effect> {
    let works = matches!(
        run.state,
        State::Preparing { next_try: None, .. }
            | State::Running { .. }
            | State::Starting { .. }
            | State::Adopting { .. }
            | State::Verifying { paused: false }
            | State::Landing { next_try: None, .. }
    );
    if !works {
        return None;
    }
    run.stop(now, Stop { why: EndReason::Stopping, message: "The host is stopping.".to_owned() })
}

#[cfg(test)]
mod tests;
