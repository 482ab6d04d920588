//! Straight-line code over the contract's steps.
//!
//! The host calls `begin` and `resume`; the author wrote one `async fn`. Between
//! two calls the future is parked here, under the numbers of the effects it
//! waits for. Nothing wakes a future but a reply, so no waker is needed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{self, Poll, Waker};

use crate::bindings::tracker::exports::hostler::plugin::tracker::{Effect, Output, Reply};
use crate::bindings::tracker::hostler::plugin::effects::CallId;
use crate::{Instant, LogLine, Problem};

/// Why a parked future is never going to go on.
const STUCK: &str = "The plugin waits for something that is not an effect of the host; this is an error in the plugin, report it to its author.";

type Parked = Pin<Box<dyn Future<Output = Result<(), Problem>>>>;

/// What is shared between the steps and the contexts inside the futures.
#[derive(Default)]
pub(crate) struct Shared {
    outputs: RefCell<Vec<Output>>,
    calls: RefCell<BTreeMap<CallId, Call>>,
    last_call: Cell<CallId>,
    now: Cell<Instant>,
    polled: Cell<u64>,
}

/// An effect that was asked for.
struct Call {
    /// The future that asked.
    by: u64,
    state: CallState,
}

enum CallState {
    Waiting,
    Replied(Result<Reply, Problem>),
    /// The future does not want the answer any more.
    Abandoned,
}

impl Shared {
    pub(crate) fn now(&self) -> Instant {
        self.now.get()
    }

    pub(crate) fn emit(&self, output: Output) {
        self.outputs.borrow_mut().push(output);
    }

    pub(crate) fn log(&self, level: &str, message: String) {
        self.emit(Output::Log(LogLine { level: level.to_owned(), message }));
    }

    fn send(&self, effect: Effect) -> CallId {
        let mut calls = self.calls.borrow_mut();
        let mut id = self.last_call.get().wrapping_add(1);
        while calls.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        self.last_call.set(id);
        let by = self.polled.get();
        calls.insert(id, Call { by, state: CallState::Waiting });
        self.emit(Output::Effect((id, effect)));
        id
    }

    fn take_reply(&self, id: CallId) -> Option<Result<Reply, Problem>> {
        let mut calls = self.calls.borrow_mut();
        match calls.remove(&id)? {
            Call { state: CallState::Replied(reply), .. } => Some(reply),
            waiting => {
                calls.insert(id, waiting);
                None
            }
        }
    }

    fn abandon(&self, id: CallId) {
        let mut calls = self.calls.borrow_mut();
        match calls.get_mut(&id) {
            Some(call) if matches!(call.state, CallState::Waiting) => {
                call.state = CallState::Abandoned;
            }
            _ => {
                calls.remove(&id);
            }
        }
    }

    fn waits(&self, by: u64) -> bool {
        self.calls.borrow().values().any(|call| call.by == by && matches!(call.state, CallState::Waiting))
    }
}

/// A future's wish for one effect; sent when it is first polled.
pub(crate) struct EffectCall {
    shared: Rc<Shared>,
    state: EffectState,
}

enum EffectState {
    Unsent(Option<Effect>),
    Sent(CallId),
    Answered,
}

impl EffectCall {
    pub(crate) fn new(shared: Rc<Shared>, effect: Effect) -> Self {
        Self { shared, state: EffectState::Unsent(Some(effect)) }
    }
}

impl Future for EffectCall {
    type Output = Result<Reply, Problem>;

    fn poll(mut self: Pin<&mut Self>, _: &mut task::Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            EffectState::Unsent(effect) => {
                if let Some(effect) = effect.take() {
                    let id = self.shared.send(effect);
                    self.state = EffectState::Sent(id);
                }
                Poll::Pending
            }
            EffectState::Sent(id) => {
                let id = *id;
                match self.shared.take_reply(id) {
                    Some(reply) => {
                        self.state = EffectState::Answered;
                        Poll::Ready(reply)
                    }
                    None => Poll::Pending,
                }
            }
            EffectState::Answered => Poll::Pending,
        }
    }
}

impl Drop for EffectCall {
    fn drop(&mut self) {
        if let EffectState::Sent(id) = self.state {
            self.shared.abandon(id);
        }
    }
}

/// How a future that ran out ends towards the host.
pub(crate) type Ending = fn(&Shared, u32, Result<(), Problem>);

struct Operation {
    future: Parked,
    ending: Ending,
    id: u32,
}

/// The parked futures of one connection.
#[derive(Default)]
pub(crate) struct Steps {
    shared: Rc<Shared>,
    parked: BTreeMap<u64, Operation>,
    started: u64,
}

impl Steps {
    pub(crate) fn shared(&self) -> Rc<Shared> {
        Rc::clone(&self.shared)
    }

    /// Runs a new future up to its first effect.
    pub(crate) fn start(
        &mut self,
        id: u32,
        ending: Ending,
        now: Instant,
        future: impl Future<Output = Result<(), Problem>> + 'static,
    ) -> Vec<Output> {
        self.shared.now.set(now);
        self.started += 1;
        let operation = Operation { future: Box::pin(future), ending, id };
        self.step(self.started, operation);
        self.shared.outputs.take()
    }

    /// Hands a reply to the future that waits for it.
    pub(crate) fn resume(
        &mut self,
        call: CallId,
        reply: Result<Reply, Problem>,
        now: Instant,
    ) -> Vec<Output> {
        self.shared.now.set(now);
        if let Some(by) = self.deliver(call, reply)
            && let Some(operation) = self.parked.remove(&by)
        {
            self.step(by, operation);
        }
        self.shared.outputs.take()
    }

    fn deliver(&self, id: CallId, reply: Result<Reply, Problem>) -> Option<u64> {
        let mut calls = self.shared.calls.borrow_mut();
        let Some(mut call) = calls.remove(&id) else {
            drop(calls);
            let message = format!("A reply came for call {id}, which is not under way; it is ignored.");
            self.shared.log("warn", message);
            return None;
        };
        if matches!(call.state, CallState::Abandoned) {
            return None;
        }
        let by = call.by;
        call.state = CallState::Replied(reply);
        calls.insert(id, call);
        Some(by)
    }

    fn step(&mut self, by: u64, mut operation: Operation) {
        self.shared.polled.set(by);
        let mut context = task::Context::from_waker(Waker::noop());
        let polled = operation.future.as_mut().poll(&mut context);
        let result = match polled {
            Poll::Pending if self.shared.waits(by) => {
                self.parked.insert(by, operation);
                return;
            }
            Poll::Pending => Err(Problem::permanent(STUCK)),
            Poll::Ready(result) => result,
        };
        (operation.ending)(&self.shared, operation.id, result);
    }
}

#[cfg(test)]
mod tests;
