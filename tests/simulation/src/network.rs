//! Requests to the tracker and their answers: late, lost, doubled, refused.

use hostler_engine::Input;
use hostler_engine::input::Offer;
use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::report::Report;
use hostler_engine::run::Run;
use hostler_engine::step::Step;
use hostler_engine::task::{Claim, Control, Fence, Lease, RunId, RunRef, Task};
use hostler_engine::time::{Millis, Timestamp};

use crate::event::{Event, Life};
use crate::fault::{Fault, MessageFault, SLOW_BEFORE};
use crate::host::Process;
use crate::scenario::TRACKER;
use crate::world::World;

/// When a host gives up on an answer.
const GIVES_UP: Millis = Millis::seconds(30);

/// How often a host polls while it has room.
const POLL_EVERY: Millis = Millis::seconds(5);

/// How often a host without room looks whether it has some.
const LOOK_EVERY: Millis = Millis::seconds(2);

/// How often heartbeats are sent if no lease wants them more often.
const BEAT_EVERY: Millis = Millis::seconds(10);

/// Longest time a message is on its way if nothing is wrong.
const LATENCY: u64 = 150;

/// What a host wants of the tracker.
#[derive(Clone, Debug)]
pub enum Call {
    /// Tasks, at most so many.
    Poll(u32),
    /// One task.
    Claim(Step, Box<RunRef>),
    /// To tell what runs.
    Heartbeat(Vec<RunRef>),
    /// To tell how a run ended.
    Report(Step, Box<RunRef>, Box<Report>),
    /// To give a task back.
    Release(Step, Box<RunRef>),
}

/// A request on its way.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who asks.
    pub host: usize,
    /// In which life.
    pub life: Life,
    /// When it was sent, by the host's clock.
    pub sent: Timestamp,
    /// What.
    pub call: Call,
    /// What befalls it.
    pub fault: Option<MessageFault>,
    /// Whether the host waits for the answer.
    pub awaited: bool,
}

/// An answer on its way.
#[derive(Clone, Debug)]
pub enum Answer {
    /// What a poll brought.
    Polled(Timestamp, Vec<Task>, Vec<Claim>),
    /// Whether the task is ours.
    Claimed(Step, Timestamp, Result<Option<Lease>, Problem>),
    /// A word for each run, with the fence under which it was asked for.
    Words(Timestamp, Vec<(RunId, Fence, Control)>),
    /// Whether the report was accepted.
    Reported(Step, Result<(), Problem>),
    /// Whether the task is back.
    Released(Step, Result<(), Problem>),
}

impl World {
    /// Asks the tracker for work if there is room.
    pub(crate) fn poll(&mut self, host: usize) {
        let life = self.hosts[host].life;
        match self.free_slots(host) {
            0 => self.plan(LOOK_EVERY, Event::Poll { host, life }),
            slots => self.send(host, Call::Poll(slots)),
        }
    }

    /// Tells the tracker what runs.
    pub(crate) fn beat(&mut self, host: usize) {
        let Some(process) = &self.hosts[host].process else { return };
        let held: Vec<RunRef> = process.engine.held(TRACKER).into_iter().map(Run::reference).collect();
        if held.is_empty() {
            let life = self.hosts[host].life;
            return self.plan(Millis::seconds(1), Event::Beat { host, life });
        }
        self.send(host, Call::Heartbeat(held));
    }

    /// Sends a request; exactly one answer comes to a host that lives on.
    pub(crate) fn send(&mut self, host: usize, call: Call) {
        self.counts.messages += 1;
        let nth = self.counts.messages;
        let fault = self.fault(|fault| match fault {
            Fault::Message { nth: at, how } if *at == nth => Some(*how),
            _ => None,
        });
        if let Some(fault) = fault {
            self.history.note(self.now, || format!("host {host}: request {nth} {fault:?}: {call:?}"));
        }
        let (life, sent) = (self.hosts[host].life, self.hosts[host].clock(self.now));
        let lost = fault == Some(MessageFault::RequestLost) || self.is_cut_off(host);
        let late = matches!(fault, Some(MessageFault::RequestLate(_)));
        if lost || late {
            let given_up = failed(&call, sent, "no answer in time");
            self.plan(GIVES_UP, Event::Reply { host, life, answer: Box::new(given_up) });
        }
        if lost {
            return;
        }
        let message = Box::new(Message { host, life, sent, call, fault, awaited: !late });
        let takes = self.random.millis(5, LATENCY);
        match fault {
            Some(MessageFault::RequestLate(by)) => self.plan(by, Event::Request { message }),
            Some(MessageFault::Twice(after)) => {
                let again = Box::new(Message { awaited: false, ..(*message).clone() });
                self.plan(takes, Event::Request { message });
                self.plan(Millis(takes.0 + after.0), Event::Request { message: again });
            }
            _ => self.plan(takes, Event::Request { message }),
        }
    }

    fn is_cut_off(&self, host: usize) -> bool {
        self.hosts[host].cut_off_until > self.now
    }

    /// How long answers take to a host that is about to be cut off.
    fn slowness(&self, host: usize) -> Option<Millis> {
        self.fault(|fault| match *fault {
            Fault::Partition { host: of, from, slow, .. }
                if of == host && from > self.now && from < self.now + SLOW_BEFORE && slow > Millis(0) =>
            {
                Some(slow)
            }
            _ => None,
        })
    }

    /// A request has reached the tracker.
    pub(crate) fn request(&mut self, message: Message) {
        let Message { host, life, sent, call, fault, awaited } = message;
        let answer = match fault {
            Some(MessageFault::Refused(kind)) => refused(&call, sent, kind),
            _ => match self.serve(host, &call, sent) {
                Some(answer) => answer,
                None => return,
            },
        };
        if !awaited {
            return;
        }
        let takes = self.random.millis(5, LATENCY);
        let takes = self.slowness(host).unwrap_or(takes);
        let (delay, answer) = match fault {
            Some(MessageFault::ReplyLost) => (GIVES_UP, failed(&call, sent, "the answer was lost")),
            _ if self.is_cut_off(host) => (GIVES_UP, failed(&call, sent, "the answer was lost")),
            Some(MessageFault::ReplyLate(by)) => (by, answer),
            _ => (takes, answer),
        };
        self.plan(delay, Event::Reply { host, life, answer: Box::new(answer) });
    }

    /// What the tracker does and says.
    fn serve(&mut self, host: usize, call: &Call, sent: Timestamp) -> Option<Answer> {
        let now = self.now;
        Some(match call {
            Call::Poll(slots) => {
                let (offered, given) = self.tracker.poll(host, *slots, now);
                for claim in &given {
                    let (key, lease) = (&claim.task.key, claim.lease);
                    self.history.note(now, || format!("tracker gives {key} to host {host}: {lease:?}"));
                }
                Answer::Polled(sent, offered, given)
            }
            Call::Claim(at, run) => {
                let answer = self.tracker.claim(host, run, now);
                self.history
                    .note(now, || format!("tracker: {} claims {}: {answer:?}", run.run, run.task.key));
                Answer::Claimed(at.clone(), sent, answer)
            }
            Call::Heartbeat(runs) => {
                let fence = |id: &RunId| runs.iter().find(|run| run.run == *id).map(|run| run.fence);
                let words = self.tracker.heartbeat(host, runs, now).into_iter();
                Answer::Words(
                    sent,
                    words.filter_map(|(id, word)| Some((id.clone(), fence(&id)?, word))).collect(),
                )
            }
            Call::Report(at, run, report) => match self.tracker.report(host, run, report, now) {
                Ok(answer) => {
                    let state = report.state;
                    self.history.note(now, || {
                        format!("tracker: {} of {} reports {state:?}: {answer:?}", run.run, run.task.key)
                    });
                    Answer::Reported(at.clone(), answer)
                }
                Err(violation) => {
                    self.violated(violation.invariant, || violation.message);
                    return None;
                }
            },
            Call::Release(at, run) => {
                let answer = self.tracker.release(host, run, now);
                self.history
                    .note(now, || format!("tracker: {} gives {} back: {answer:?}", run.run, run.task.key));
                Answer::Released(at.clone(), answer)
            }
        })
    }

    /// An answer has reached the host.
    pub(crate) fn reply(&mut self, host: usize, answer: Answer) {
        let life = self.hosts[host].life;
        match answer {
            Answer::Polled(sent, offered, given) => {
                self.plan(POLL_EVERY, Event::Poll { host, life });
                self.take_tasks(host, sent, offered, given);
            }
            Answer::Claimed(at, sent, answer) => {
                self.arrive(host, Input::ClaimAnswered { at, sent, answer, environment: vec![] });
            }
            Answer::Words(sent, words) => {
                let every = |process: &Process| process.engine.heartbeat_every(BEAT_EVERY);
                let pause = self.hosts[host].process.as_ref().map_or(BEAT_EVERY, every);
                self.plan(pause, Event::Beat { host, life });
                for (run, fence, word) in words {
                    let Some(input) = word_as_input(run, fence, sent, word) else { continue };
                    let delay = self.random.millis(0, 10);
                    self.plan(delay, Event::Arrive { host, life, input: Box::new(input) });
                }
            }
            Answer::Reported(at, answer) => self.arrive(host, Input::Reported { at, answer }),
            Answer::Released(at, answer) => self.arrive(host, Input::Released { at, answer }),
        }
    }

    fn take_tasks(&mut self, host: usize, sent: Timestamp, offered: Vec<Task>, given: Vec<Claim>) {
        let (life, tracker) = (self.hosts[host].life, TRACKER.to_owned());
        if !offered.is_empty() && self.free_slots(host) > 0 {
            let offers = offered.into_iter().map(|task| Offer { run: self.fresh_id(), task }).collect();
            self.arrive(host, Input::Offered { tracker: tracker.clone(), offers });
        }
        for claim in given {
            if self.hosts[host].life != life {
                return;
            }
            let run = self.fresh_id();
            self.arrive(host, Input::Given { tracker: tracker.clone(), run, sent, claim });
        }
    }
}

fn word_as_input(run: RunId, fence: Fence, sent: Timestamp, word: Control) -> Option<Input> {
    match word {
        Control::Renewed(ttl) => Some(Input::Renewed { run, fence, sent, ttl }),
        Control::Cancel(reason) => Some(Input::CancelAsked { run, fence, reason }),
        Control::LeaseLost(reason) => Some(Input::LeaseLost { run, fence, reason }),
        Control::Message(_) => None,
    }
}

fn failed(call: &Call, sent: Timestamp, message: &str) -> Answer {
    refusal(call, sent, Problem::transient(message))
}

fn refused(call: &Call, sent: Timestamp, kind: ProblemKind) -> Answer {
    refusal(call, sent, Problem::new(kind, "the tracker has a problem"))
}

fn refusal(call: &Call, sent: Timestamp, problem: Problem) -> Answer {
    match call {
        Call::Poll(_) => Answer::Polled(sent, vec![], vec![]),
        Call::Heartbeat(_) => Answer::Words(sent, vec![]),
        Call::Claim(at, _) => Answer::Claimed(at.clone(), sent, Err(problem)),
        Call::Report(at, ..) => Answer::Reported(at.clone(), Err(problem)),
        Call::Release(at, _) => Answer::Released(at.clone(), Err(problem)),
    }
}
