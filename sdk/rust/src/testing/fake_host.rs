//! A host that answers a tracker's effects from a closure.

use std::collections::VecDeque;

use crate::tracker::{Claim, Connection, Control, Effect, Frame, Operation, Output, Reply, Task};
use crate::{Instant, LogLine, Milliseconds, Problem, Tracker};

/// No operation of a sane tracker takes this many effects; more is a loop.
const EFFECTS: usize = 10_000;

/// What one operation came to.
#[derive(Debug, Default)]
pub struct Done {
    /// Tasks that can be claimed.
    pub offered: Vec<Task>,
    /// Tasks that are ours.
    pub claimed: Vec<Claim>,
    /// Words about runs.
    pub controls: Vec<(String, Control)>,
    /// The last pace asked for.
    pub pace: Option<Milliseconds>,
    /// How many runs at once the tracker advised.
    pub slots: Option<u32>,
    /// Sentences for the person at the host.
    pub notices: Vec<String>,
    /// Lines for the log.
    pub logs: Vec<LogLine>,
    /// Every effect asked for, in order.
    pub effects: Vec<Effect>,
    /// How it ended; absent if it never did.
    pub result: Option<Result<(), Problem>>,
}

/// Drives a tracker natively, step by step, exactly as the host does.
pub struct FakeHost<T, A> {
    connection: Connection<T>,
    answer: A,
    now: Instant,
    operations: u32,
}

impl<T: Tracker, A: FnMut(&Effect) -> Result<Reply, Problem>> FakeHost<T, A> {
    /// Opens the tracker. `answer` carries out its effects.
    pub fn open(config: &serde_json::Value, answer: A) -> Result<Self, Problem> {
        Ok(Self { connection: Connection::open(&config.to_string(), None)?, answer, now: 0.0, operations: 0 })
    }

    /// Sets the clock.
    pub fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// What carries out the effects.
    pub fn answer(&mut self) -> &mut A {
        &mut self.answer
    }

    /// The connection itself, for tests that step by hand.
    pub fn connection(&self) -> &Connection<T> {
        &self.connection
    }

    /// Runs one operation to its end.
    pub fn run(&mut self, operation: Operation) -> Done {
        self.operations += 1;
        let outputs = self.connection.begin(self.operations, operation, self.now);
        self.drive(outputs)
    }

    /// Hands over a frame and carries out what comes of it.
    pub fn receive(&mut self, frame: Frame) -> Done {
        let outputs = self.connection.receive(frame, self.now);
        self.drive(outputs)
    }

    fn drive(&mut self, outputs: Vec<Output>) -> Done {
        let mut done = Done::default();
        let mut outputs = VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Effect((call, effect)) if done.effects.len() < EFFECTS => {
                    if let Effect::Wake(time) = effect {
                        self.now += f64::from(time);
                    }
                    let reply = (self.answer)(&effect);
                    done.effects.push(effect);
                    outputs.extend(self.connection.resume(call, reply, self.now));
                }
                Output::Effect(_) => {
                    done.result = Some(Err(Problem::permanent(format!(
                        "The operation asked for more than {EFFECTS} effects."
                    ))));
                    return done;
                }
                Output::Offered(tasks) => done.offered.extend(tasks),
                Output::Claimed(claims) => done.claimed.extend(claims),
                Output::Control(control) => done.controls.push(control),
                Output::Pace(every) => done.pace = Some(every),
                Output::Other((name, details)) if name == "slots" => done.slots = details.parse().ok(),
                Output::Other((name, details)) if name == "notice" => {
                    done.notices.extend(serde_json::from_str::<String>(&details).ok());
                }
                Output::Log(line) => done.logs.push(line),
                Output::Done((_, result)) => done.result = Some(result),
                Output::Other(_) => {}
            }
        }
        done
    }
}
