//! What happens next: the queue of events, ordered by time.

use std::collections::BTreeMap;

use hostler_engine::effect::WorkspaceOrder;
use hostler_engine::run::Run;
use hostler_engine::step::Step;
use hostler_engine::time::Timestamp;
use hostler_engine::{Effect, Input};

use crate::network::{Answer, Message};

/// Counts the starts of a host's process; what belongs to an earlier one is void.
pub type Life = u32;

/// Work on a machine that takes a while.
#[derive(Clone, Debug)]
pub enum Work {
    /// A workspace is made.
    Make(Step, Box<WorkspaceOrder>),
    /// An agent is started.
    Spawn(Step, u32),
    /// The host looks for an agent that it had before it was restarted.
    Look(Step, u32),
    /// The host ends an agent and proves that nothing of it lives.
    Prove(Box<Run>, u32),
    /// The host looks at what a run changed.
    Collect(Step),
    /// A command judges what a run changed.
    Judge(Step),
    /// The host brings the work of a run where its plan says.
    Land(Step),
    /// The host removes the workspace of a closed run if nothing is in it.
    Remove(Box<Run>),
}

/// What an agent does, or what befalls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Says something, and uses tokens.
    Speaks,
    /// Says that it is done.
    Finishes,
    /// Ends.
    Dies,
    /// Its supervisor looks whether lease or time are over.
    Watched,
}

/// Something that happens at a time.
#[derive(Clone, Debug)]
pub enum Event {
    /// A host's process is started.
    Boot { host: usize },
    /// An input reaches the engine.
    Arrive { host: usize, life: Life, input: Box<Input> },
    /// So many entries of the journal are on the disk.
    Durable { host: usize, life: Life, entries: usize },
    /// An effect whose entry is durable is carried out.
    CarryOut { host: usize, life: Life, effect: Box<Effect>, run: Box<Run> },
    /// Work on a machine is done.
    Work { host: usize, life: Life, work: Work },
    /// The tracker is asked for work.
    Poll { host: usize, life: Life },
    /// The tracker is told what runs.
    Beat { host: usize, life: Life },
    /// A person ends the host, to start it again with its tracker.
    Leave { host: usize, life: Life },
    /// A deadline of the engine may have passed.
    Tick { host: usize, life: Life },
    /// A request reaches the tracker.
    Request { message: Box<Message> },
    /// An answer reaches the host that asked.
    Reply { host: usize, life: Life, answer: Box<Answer> },
    /// An agent does something.
    Agent { agent: usize, host: usize, deed: Deed },
    /// A fault strikes.
    Strike { fault: usize },
    /// People look after what waits for them, and see whether all is done.
    Inspect,
}

impl Event {
    /// The machine it happens on; it waits while that machine sleeps.
    pub const fn machine(&self) -> Option<usize> {
        match self {
            Self::Boot { host }
            | Self::Arrive { host, .. }
            | Self::Durable { host, .. }
            | Self::CarryOut { host, .. }
            | Self::Work { host, .. }
            | Self::Poll { host, .. }
            | Self::Beat { host, .. }
            | Self::Tick { host, .. }
            | Self::Leave { host, .. }
            | Self::Reply { host, .. }
            | Self::Agent { host, .. } => Some(*host),
            Self::Request { .. } | Self::Strike { .. } | Self::Inspect => None,
        }
    }

    /// The start of the process it belongs to.
    pub const fn life(&self) -> Option<(usize, Life)> {
        match self {
            Self::Arrive { host, life, .. }
            | Self::Durable { host, life, .. }
            | Self::CarryOut { host, life, .. }
            | Self::Work { host, life, .. }
            | Self::Poll { host, life }
            | Self::Beat { host, life }
            | Self::Tick { host, life }
            | Self::Leave { host, life }
            | Self::Reply { host, life, .. } => Some((*host, *life)),
            _ => None,
        }
    }
}

/// Events by time; those of one moment in the order in which they were planned.
#[derive(Debug, Default)]
pub struct Queue {
    events: BTreeMap<(Timestamp, u64), Event>,
    planned: u64,
}

impl Queue {
    /// Plans an event.
    pub fn plan(&mut self, at: Timestamp, event: Event) {
        self.planned += 1;
        self.events.insert((at, self.planned), event);
    }

    /// The next event.
    pub fn next(&mut self) -> Option<(Timestamp, Event)> {
        self.events.pop_first().map(|((at, _), event)| (at, event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_and_then_as_they_were_planned() {
        let mut queue = Queue::default();
        for (at, fault) in [(2, 0), (1, 1), (1, 2)] {
            queue.plan(Timestamp(at), Event::Strike { fault });
        }
        let order: Vec<_> =
            std::iter::from_fn(|| queue.next()).map(|(_, event)| format!("{event:?}")).collect();
        assert_eq!(order, ["Strike { fault: 1 }", "Strike { fault: 2 }", "Strike { fault: 0 }"]);
    }
}
