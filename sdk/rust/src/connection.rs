//! A [`Tracker`] behind the contract's `connection` resource.

use std::cell::RefCell;
use std::marker::PhantomData;
use std::rc::Rc;

use crate::bindings::tracker::exports::hostler::plugin::tracker as wit;
use crate::steps::{Shared, Steps};
use crate::tracker::{Attempt, Claim, Frame, Operation, Output, Reply, RunPlan, Task, Verdict, Workspace};
use crate::{Config, Context, Instant, Problem, Section, Tracker};

/// One tracker and its operations under way.
pub struct Connection<T> {
    tracker: Rc<T>,
    steps: RefCell<Steps>,
}

impl<T: Tracker> Connection<T> {
    /// Opens the tracker, as the host would.
    pub fn open(config: &str, saved: Option<Vec<u8>>) -> Result<Self, Problem> {
        let tracker = T::open(Config::from_json(config)?, saved)?;
        Ok(Self { tracker: Rc::new(tracker), steps: RefCell::default() })
    }

    /// Starts an operation and gives what came up to its first effect.
    pub fn begin(&self, id: u32, operation: Operation, now: Instant) -> Vec<Output> {
        let mut steps = self.steps.borrow_mut();
        let context = Context::new(steps.shared());
        let future = perform(Rc::clone(&self.tracker), context, operation);
        steps.start(id, end_operation, now, future)
    }

    /// Goes on after an effect.
    pub fn resume(&self, call: u32, reply: Result<Reply, Problem>, now: Instant) -> Vec<Output> {
        self.steps.borrow_mut().resume(call, reply, now)
    }

    /// Hands over a frame.
    pub fn receive(&self, frame: Frame, now: Instant) -> Vec<Output> {
        let mut steps = self.steps.borrow_mut();
        let context = Context::new(steps.shared());
        let tracker = Rc::clone(&self.tracker);
        let future = async move { tracker.receive(&context, frame).await };
        steps.start(0, end_frame, now, future)
    }

    /// What the next connection should know.
    pub fn save(&self) -> Vec<u8> {
        self.tracker.save()
    }
}

async fn perform<T: Tracker>(tracker: Rc<T>, cx: Context, operation: Operation) -> Result<(), Problem> {
    match operation {
        Operation::Register(runner) => tracker.register(&cx, runner).await,
        Operation::Poll(limit) => {
            let polled = tracker.poll(&cx, limit).await?;
            if !polled.offered.is_empty() {
                cx.offer(polled.offered);
            }
            if !polled.claimed.is_empty() {
                cx.claimed(polled.claimed);
            }
            if let Some(every) = polled.pace {
                cx.pace(every);
            }
            Ok(())
        }
        Operation::Claim(run) => {
            let claim: Claim = tracker.claim(&cx, run).await?;
            cx.claimed(vec![claim]);
            Ok(())
        }
        Operation::Heartbeat(runs) => {
            for (run, control) in tracker.heartbeat(&cx, runs).await? {
                cx.control(&run, control);
            }
            Ok(())
        }
        Operation::Progress((run, lines)) => tracker.progress(&cx, run, lines).await,
        Operation::Report((run, report)) => tracker.report(&cx, run, report).await,
        Operation::Release(run) => tracker.release(&cx, run).await,
        Operation::FollowUp((run, word)) => tracker.follow_up(&cx, run, word).await,
        Operation::Other((name, details)) => tracker.other(&cx, name, details).await,
    }
}

fn end_operation(shared: &Shared, id: u32, result: Result<(), Problem>) {
    shared.emit(Output::Done((id, result)));
}

/// A frame has no operation that could fail, so its problem goes to the log.
fn end_frame(shared: &Shared, _: u32, result: Result<(), Problem>) {
    if let Err(problem) = result {
        shared.log("warn", format!("A frame could not be handled: {}", problem.message));
    }
}

impl<T: Tracker> wit::GuestConnection for Connection<T> {
    fn open(config: String, saved: Option<Vec<u8>>) -> Result<wit::Connection, Problem> {
        Connection::<T>::open(&config, saved).map(wit::Connection::new)
    }

    fn begin(&self, id: u32, operation: Operation, now: Instant) -> Vec<Output> {
        Connection::begin(self, id, operation, now)
    }

    fn resume(&self, call: u32, reply: Result<Reply, Problem>, now: Instant) -> Vec<Output> {
        Connection::resume(self, call, reply, now)
    }

    fn receive(&self, frame: Frame, now: Instant) -> Vec<Output> {
        Connection::receive(self, frame, now)
    }

    fn save(&self) -> Vec<u8> {
        Connection::save(self)
    }
}

/// A tracker as the contract's interface; named by [`tracker!`](crate::tracker!).
pub struct Export<T>(PhantomData<T>);

impl<T: Tracker> wit::Guest for Export<T> {
    type Connection = Connection<T>;

    fn plan(config: String, task: Task) -> Result<RunPlan, Problem> {
        T::plan(&Config::from_json(&config)?, &task)
    }

    fn prompt(
        config: String,
        task: Task,
        at: Workspace,
        history: Vec<Attempt>,
    ) -> Result<Vec<Section>, Problem> {
        T::prompt(&Config::from_json(&config)?, &task, &at, &history)
    }

    fn retry(config: String, task: Task, history: Vec<Attempt>) -> Verdict {
        match Config::from_json(&config) {
            Ok(config) => T::retry(&config, &task, &history),
            Err(problem) => Verdict::Park(problem.message),
        }
    }
}
