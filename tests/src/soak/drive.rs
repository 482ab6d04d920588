//! Hands tasks out, lets time pass, and writes down how the host fares.
//!
//! The clocks of host and server run on by themselves, and are moved forward together
//! whenever the host has nothing to say: a pause of the protocol then takes
//! milliseconds. Agents and slow answers take the time they take.

use std::time::{Duration, Instant};

use standin_tale::Time;
use standin_tale::board::{RunId, TaskId};

use super::Plan;
use super::control::{self, ControlError, Status};
use super::machine::Machine;
use super::vitals::{self, Vitals};
use super::work::Work;
use crate::{HostProcess, PATIENCE, wait_until};

/// How often the board is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// A host that has asked nothing for so long waits for something.
const SETTLED: Duration = Duration::from_millis(20);

/// How far the clocks move at once: the shortest pause that the plugin makes.
const STEP: Duration = Duration::from_secs(1);

/// With less than this left of a lease that the host is to renew, time is not moved,
/// so that a machine that is busy elsewhere costs patience and not leases.
const LEASE_LEFT: Duration = Duration::from_secs(15);

/// How often the host is measured.
const MEASURE_EVERY: Duration = Duration::from_millis(100);

/// Without the end of a task for so long, the soak is stuck: on both clocks hours
/// have passed by then.
const STUCK_AFTER: Duration = Duration::from_mins(1);

/// A task on the board.
#[derive(Debug, Clone)]
pub struct Dispatched {
    /// What it is about.
    pub work: Work,
    /// Its id.
    pub task: TaskId,
    /// Its one run.
    pub run: RunId,
    /// When a claim was first seen.
    claimed: Option<Instant>,
    /// When its end was seen.
    ended: Option<Instant>,
}

impl Dispatched {
    /// From the first claim to the end, in real time.
    pub fn took(&self) -> Option<Duration> {
        Some(self.ended?.duration_since(self.claimed?))
    }
}

/// The host at a moment.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// How many tasks had ended.
    pub done: usize,
    /// What the host took.
    pub vitals: Vitals,
}

/// What came of it.
#[derive(Debug)]
pub struct Driven {
    /// All tasks.
    pub tasks: Vec<Dispatched>,
    /// The host before its first task.
    pub before: Vitals,
    /// The host while it worked, oldest first.
    pub samples: Vec<Sample>,
    /// The host after its last task.
    pub after: Vitals,
    /// Real time.
    pub took: Duration,
    /// How far the clocks were moved beside that.
    pub moved: Duration,
    /// What the host said in the end.
    pub status: Status,
}

/// Why a soak did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum DriveError {
    /// The host is gone.
    #[error("the host ended by itself: {0}")]
    HostEnded(String),
    /// The host does not answer.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// Nothing happens any more.
    #[error(
        "no task has ended for {} s; still open: {open:?}; the host knows of {known:?} and says: {said}",
        STUCK_AFTER.as_secs()
    )]
    Stuck {
        /// Tasks on the board that have not ended.
        open: Vec<String>,
        /// What the host says of its runs.
        known: Vec<String>,
        /// Its standard error.
        said: String,
    },
}

/// Works until every task has ended and the host has forgotten its runs.
pub fn drive(machine: &Machine, host: &mut HostProcess, plan: &Plan) -> Result<Driven, DriveError> {
    let before = idle(machine, host)?;
    let now = Instant::now();
    let mut drive = Drive {
        machine,
        host,
        plan,
        tasks: Vec::new(),
        samples: Vec::new(),
        done: 0,
        requests: 0,
        quiet_since: now,
        measured: now,
        last_end: now,
        moved: Duration::ZERO,
    };
    let begun = Instant::now();
    loop {
        drive.hand_out();
        drive.look();
        drive.measure()?;
        if let Some(status) = drive.end()? {
            let Drive { tasks, samples, moved, host, .. } = drive;
            let after = idle(machine, host)?;
            return Ok(Driven { tasks, before, samples, after, took: begun.elapsed(), moved, status });
        }
        drive.let_time_pass()?;
        drive.check_for_progress()?;
    }
}

/// What the host takes without any work, as soon as it is ready for some.
fn idle(machine: &Machine, host: &HostProcess) -> Result<Vitals, DriveError> {
    let ready = || if machine.server.traffic().requests > 0 { Ok(()) } else { Err(host.stderr()) };
    wait_until(PATIENCE, "the host registers", ready);
    control::status(&machine.socket())?;
    vitals::of(host.pid()).ok_or_else(|| DriveError::HostEnded(host.stderr()))
}

struct Drive<'a> {
    machine: &'a Machine,
    host: &'a mut HostProcess,
    plan: &'a Plan,
    tasks: Vec<Dispatched>,
    samples: Vec<Sample>,
    done: usize,
    /// How many requests the server had when somebody last looked.
    requests: u64,
    quiet_since: Instant,
    measured: Instant,
    last_end: Instant,
    moved: Duration,
}

impl Drive<'_> {
    /// Keeps as many tasks waiting as there are slots: a run that nobody claims within
    /// two minutes is given up by the server.
    fn hand_out(&mut self) {
        let queued = |run: &&standin_tale::board::Run| run.state.name() == "queued";
        let waiting = self.machine.server.board(|board| board.runs().iter().filter(queued).count());
        let room = (self.plan.parallel as usize).saturating_sub(waiting);
        let left = self.plan.tasks - self.tasks.len();
        for _ in 0..room.min(left) {
            let work = Work::of(self.tasks.len() + 1, self.plan.seed);
            let (task, run) = self.machine.assign(&work);
            self.tasks.push(Dispatched { work, task, run, claimed: None, ended: None });
        }
    }

    /// Notes which runs were claimed and which have ended.
    fn look(&mut self) {
        let now = Instant::now();
        self.machine.server.board(|board| {
            for task in self.tasks.iter_mut().filter(|task| task.ended.is_none()) {
                let Some(run) = board.run(&task.run) else { continue };
                if run.attempts > 0 {
                    task.claimed.get_or_insert(now);
                }
                task.ended = run.state.is_over().then_some(now);
            }
        });
        let done = self.tasks.iter().filter(|task| task.ended.is_some()).count();
        if done > self.done {
            self.done = done;
            self.last_end = now;
        }
    }

    fn measure(&mut self) -> Result<(), DriveError> {
        if self.measured.elapsed() < MEASURE_EVERY {
            return Ok(());
        }
        self.measured = Instant::now();
        if !self.host.is_running() {
            return Err(DriveError::HostEnded(self.host.stderr()));
        }
        if let Some(vitals) = vitals::of(self.host.pid()) {
            self.samples.push(Sample { done: self.done, vitals });
        }
        Ok(())
    }

    /// What the host says once all is over, for it as well.
    fn end(&self) -> Result<Option<Status>, DriveError> {
        if self.done < self.plan.tasks {
            return Ok(None);
        }
        let status = control::status(&self.machine.socket())?;
        Ok(status.runs.is_empty().then_some(status))
    }

    fn let_time_pass(&mut self) -> Result<(), DriveError> {
        let traffic = self.machine.server.traffic();
        if traffic.requests != self.requests {
            self.requests = traffic.requests;
            self.quiet_since = Instant::now();
        }
        let settled = traffic.unanswered == 0 && self.quiet_since.elapsed() >= SETTLED;
        if settled && self.leases_are_safe()? {
            control::advance(&self.machine.socket(), STEP)?;
            self.machine.server.advance(STEP);
            self.moved += STEP;
            self.quiet_since = Instant::now();
        } else {
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Whether every lease that the host is to renew is far from its end. Leases that
    /// it does not know of, because the answer to its claim was lost, are to run out.
    fn leases_are_safe(&self) -> Result<bool, DriveError> {
        let now = self.machine.server.now();
        let ends_soon = |until: Time| until.since(now) < LEASE_LEFT;
        let ending: Vec<String> = self.machine.server.board(|board| {
            let held = board.runs().iter().filter_map(|run| Some((run, run.state.hold()?)));
            held.filter(|(_, hold)| ends_soon(hold.lease_until))
                .map(|(run, _)| run.task.to_string())
                .collect()
        });
        if ending.is_empty() {
            return Ok(true);
        }
        let known = control::status(&self.machine.socket())?.runs;
        Ok(!known.iter().any(|run| !run.closed && ending.contains(&run.task_id)))
    }

    fn check_for_progress(&self) -> Result<(), DriveError> {
        if self.last_end.elapsed() < STUCK_AFTER {
            return Ok(());
        }
        let open = self.tasks.iter().filter(|task| task.ended.is_none());
        let known = control::status(&self.machine.socket())?.runs;
        Err(DriveError::Stuck {
            open: open.map(|task| format!("{} ({})", task.work.key(), task.work.kind)).collect(),
            known: known.iter().map(|run| format!("{} {}", run.task_id, run.state)).collect(),
            said: self.host.stderr(),
        })
    }
}
