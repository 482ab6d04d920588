//! The tracker as it really is: which task is whose, until when, and what was
//! reported. It also keeps the truth that the invariants are checked against.

use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::report::{Report, ReportState};
use hostler_engine::task::{Claim, Control, Fence, Lease, RunId, RunRef, Task};
use hostler_engine::time::{Millis, Timestamp};

use crate::history::Violation;
use crate::scenario::{Scenario, Style, TaskSpec};

/// A task is given out at most so often before the tracker gives up on it.
const TIMES: usize = 4;

/// How long a task rests before it is given out again.
const REST: Millis = Millis::seconds(2);

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Anybody may have it from then on.
    Open(Timestamp),
    /// Somebody has it under this claim.
    Held(usize),
    /// Settled.
    Done,
}

/// One task, as the tracker sees it.
#[derive(Clone, Debug)]
pub struct Tracked {
    /// What the scenario says of it.
    pub spec: TaskSpec,
    /// Where it is.
    pub place: Place,
    /// Somebody wants it to end.
    pub cancelled: bool,
    fence: u64,
}

/// How a claim was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// A report was accepted.
    Reported,
    /// Its lease ran out.
    Expired,
    /// It was taken back early.
    Stolen,
    /// It was given back.
    Released,
    /// The same host asked for the task again, for a new run.
    Replaced,
}

/// One time that a task was given to a host.
#[derive(Clone, Debug)]
pub struct Given {
    /// Which task.
    pub task: usize,
    /// Its fence.
    pub fence: Fence,
    /// To which host.
    pub host: usize,
    /// For which run, as far as the tracker was told.
    pub run: Option<RunId>,
    /// Until when, if not for ever.
    pub deadline: Option<Timestamp>,
    /// How it was over; `None` while it stands.
    pub over: Option<Over>,
    accepted: Option<Box<Report>>,
}

/// The tracker.
#[derive(Debug)]
pub struct Tracker {
    style: Style,
    ttl: Option<Millis>,
    /// All tasks, in order.
    pub tasks: Vec<Tracked>,
    /// Every claim there ever was.
    pub claims: Vec<Given>,
}

/// Finds the task of an id made by [`Tracker::task`].
pub fn number_of(task: &Task) -> Option<usize> {
    task.id.strip_prefix("task-")?.parse().ok()
}

fn gone(message: &str) -> Problem {
    Problem::new(ProblemKind::Gone, message)
}

impl Tracker {
    /// The tracker of a scenario, with nothing given out.
    pub fn new(scenario: &Scenario) -> Self {
        let tracked = |spec: &TaskSpec| Tracked {
            spec: *spec,
            place: Place::Open(spec.arrives),
            cancelled: false,
            fence: 0,
        };
        let tasks = scenario.tasks.iter().map(tracked).collect();
        Self { style: scenario.style, ttl: scenario.lease, tasks, claims: Vec::new() }
    }

    fn task(&self, index: usize) -> Task {
        let Tracked { spec, .. } = &self.tasks[index];
        let id = format!("task-{}", spec.number);
        Task {
            key: id.clone(),
            title: id.clone(),
            id,
            sections: vec![],
            priority: 0,
            data: spec.data.to_owned(),
        }
    }

    fn index_of(&self, task: &Task) -> Option<usize> {
        let number = number_of(task)?;
        self.tasks.iter().position(|tracked| tracked.spec.number == number)
    }

    /// Ends claims whose time is over.
    pub fn sweep(&mut self, now: Timestamp) {
        for index in 0..self.claims.len() {
            let claim = &self.claims[index];
            if claim.over.is_none() && claim.deadline.is_some_and(|deadline| deadline <= now) {
                self.end(index, Over::Expired, Place::Open(now));
            }
        }
    }

    fn end(&mut self, claim: usize, over: Over, place: Place) {
        let given = &mut self.claims[claim];
        given.over = Some(over);
        let task = &mut self.tasks[given.task];
        if task.place == Place::Held(claim) {
            let spent =
                self.claims.iter().filter(|other| other.task == self.claims[claim].task).count() >= TIMES;
            task.place = match place {
                Place::Open(_) if spent || task.cancelled => Place::Done,
                place => place,
            };
        }
    }

    /// Takes a task back before its time is over.
    pub fn steal(&mut self, task: usize, now: Timestamp) {
        let leased = |claim: &usize| self.claims[*claim].deadline.is_some();
        if let Some(Place::Held(claim)) = self.tasks.get(task).map(|task| task.place)
            && leased(&claim)
        {
            self.end(claim, Over::Stolen, Place::Open(now));
        }
    }

    /// Somebody wants a task to end.
    pub fn cancel(&mut self, task: usize) {
        if let Some(task) = self.tasks.get_mut(task) {
            task.cancelled = true;
            if matches!(task.place, Place::Open(_)) {
                task.place = Place::Done;
            }
        }
    }

    fn give(&mut self, task: usize, host: usize, run: Option<RunId>, now: Timestamp) -> Option<Lease> {
        let tracked = &mut self.tasks[task];
        tracked.fence += 1;
        let fence = self.ttl.map_or(Fence::default(), |_| Fence(tracked.fence));
        tracked.place = Place::Held(self.claims.len());
        let deadline = self.ttl.map(|ttl| now + ttl);
        self.claims.push(Given { task, fence, host, run, deadline, over: None, accepted: None });
        self.lease(fence)
    }

    fn lease(&self, fence: Fence) -> Option<Lease> {
        self.ttl.map(|ttl| Lease { ttl, renew_every: Millis(ttl.0 / 4), fence })
    }

    /// Tasks this host may have; where polls give, they are its own from now on.
    pub fn poll(&mut self, host: usize, slots: u32, now: Timestamp) -> (Vec<Task>, Vec<Claim>) {
        self.sweep(now);
        let mine = |place: Place| match place {
            Place::Open(from) => from <= now,
            // A claim whose answer was lost: the host may ask again.
            Place::Held(claim) => self.ttl.is_none() && self.claims[claim].host == host,
            Place::Done => false,
        };
        let free: Vec<usize> = (0..self.tasks.len()).filter(|task| mine(self.tasks[*task].place)).collect();
        match self.style {
            Style::Offers => (free.into_iter().map(|task| self.task(task)).collect(), Vec::new()),
            Style::Gives => {
                let given = free.into_iter().take(usize::try_from(slots).unwrap_or(0)).map(|task| Claim {
                    lease: self.give(task, host, None, now),
                    task: self.task(task),
                    environment: vec![],
                });
                (Vec::new(), given.collect())
            }
        }
    }

    /// A host wants an offered task for a run. The same run may ask again.
    pub fn claim(&mut self, host: usize, wanted: &RunRef, now: Timestamp) -> Result<Option<Lease>, Problem> {
        self.sweep(now);
        let Some(task) = self.index_of(&wanted.task) else { return Err(gone("no such task")) };
        match self.tasks[task].place {
            Place::Open(from) if from <= now => Ok(self.give(task, host, Some(wanted.run.clone()), now)),
            Place::Held(claim) if self.claims[claim].run.as_ref() == Some(&wanted.run) => {
                let deadline = self.ttl.map(|ttl| now + ttl);
                self.claims[claim].deadline = deadline;
                Ok(self.lease(self.claims[claim].fence))
            }
            Place::Held(claim) if self.ttl.is_none() && self.claims[claim].host == host => {
                self.end(claim, Over::Replaced, Place::Held(claim));
                Ok(self.give(task, host, Some(wanted.run.clone()), now))
            }
            _ => Err(gone("somebody else has the task")),
        }
    }

    /// The claim that a run holds, whatever became of it.
    pub fn claim_of(&self, host: usize, run: &RunRef) -> Option<usize> {
        let task = self.index_of(&run.task)?;
        let same = |claim: &Given| {
            let named = claim.run.as_ref().is_none_or(|of| *of == run.run);
            claim.task == task && claim.host == host && claim.fence == run.fence && named
        };
        self.claims.iter().rposition(same)
    }

    /// A host says what it works on; each run gets its word.
    pub fn heartbeat(&mut self, host: usize, runs: &[RunRef], now: Timestamp) -> Vec<(RunId, Control)> {
        self.sweep(now);
        let mut words = Vec::new();
        for run in runs {
            let standing = self.claim_of(host, run).filter(|claim| self.claims[*claim].over.is_none());
            match standing {
                Some(claim) => {
                    if let Some(ttl) = self.ttl {
                        self.claims[claim].deadline = Some(now + ttl);
                        words.push((run.run.clone(), Control::Renewed(ttl)));
                    }
                    if self.tasks[self.claims[claim].task].cancelled {
                        words.push((run.run.clone(), Control::Cancel("not wanted any more".to_owned())));
                    }
                }
                None => words.push((run.run.clone(), Control::LeaseLost("not yours any more".to_owned()))),
            }
        }
        words
    }

    /// A host says how a run ended. Saying the same again is fine.
    pub fn report(
        &mut self,
        host: usize,
        run: &RunRef,
        report: &Report,
        now: Timestamp,
    ) -> Result<Result<(), Problem>, Violation> {
        self.sweep(now);
        let Some(index) = self.claim_of(host, run) else { return Ok(Err(gone("no such run"))) };
        let claim = &mut self.claims[index];
        if let Some(accepted) = &claim.accepted {
            if **accepted != *report {
                let message = format!(
                    "run {} reported twice, first {:?} after {} attempts, then {:?} after {}",
                    run.run, accepted.state, accepted.attempts, report.state, report.attempts
                );
                return Err(Violation { invariant: "I2", message });
            }
            return Ok(Ok(()));
        }
        if claim.over.is_some() {
            return Ok(Err(gone("not yours any more")));
        }
        claim.accepted = Some(Box::new(report.clone()));
        let again = report.state == ReportState::Failed && report.retryable;
        self.end(index, Over::Reported, if again { Place::Open(now + REST) } else { Place::Done });
        Ok(Ok(()))
    }

    /// Whether a run's report was accepted.
    pub fn has_report(&self, host: usize, run: &RunRef) -> bool {
        self.claim_of(host, run).is_some_and(|claim| self.claims[claim].accepted.is_some())
    }

    /// A host gives a task back.
    pub fn release(&mut self, host: usize, run: &RunRef, now: Timestamp) -> Result<(), Problem> {
        self.sweep(now);
        let standing = self.claim_of(host, run).filter(|claim| self.claims[*claim].over.is_none());
        let claim = standing.ok_or_else(|| gone("not yours any more"))?;
        self.end(claim, Over::Released, Place::Open(now + REST));
        Ok(())
    }
}
