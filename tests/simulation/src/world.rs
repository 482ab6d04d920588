//! The whole simulated world, and its one loop: take the next event, let it happen,
//! check every invariant.

use hostler_engine::task::RunId;
use hostler_engine::time::{Millis, Timestamp};

use crate::agent::Agent;
use crate::event::{Event, Queue};
use crate::fault::Fault;
use crate::history::{History, Violation};
use crate::host::Host;
use crate::random::Random;
use crate::scenario::{BEGINNING, Scenario};
use crate::tracker::{Place, Tracker};

/// Once no fault strikes any more, everything must be over within this time: the
/// longest waits are reports that are tried every five minutes and refused claims,
/// after a night that a machine slept.
const PATIENCE: Millis = Millis::minutes(16 * 60);

/// More events than this mean that something spins: the busiest worlds need a tenth.
const MOST_EVENTS: u32 = 200_000;

/// How often people look after what waits for them.
const INSPECT_EVERY: Millis = Millis::seconds(60);

/// What counts over all hosts, for faults that strike at a count.
#[derive(Debug, Default)]
pub struct Counts {
    /// Runs that got an id.
    pub runs: u32,
    /// Requests to the tracker.
    pub messages: u32,
    /// Calls into plugins.
    pub plugin_calls: u32,
    /// Calls of git.
    pub git_calls: u32,
    /// Answers that reached an engine.
    pub answers: u32,
}

/// The world.
pub struct World {
    pub(crate) scenario: Scenario,
    pub(crate) now: Timestamp,
    pub(crate) random: Random,
    pub(crate) queue: Queue,
    pub(crate) hosts: Vec<Host>,
    pub(crate) tracker: Tracker,
    pub(crate) agents: Vec<Agent>,
    pub(crate) counts: Counts,
    pub(crate) history: History,
    pub(crate) violation: Option<Violation>,
    pub(crate) over: bool,
}

/// What came of a simulation.
#[derive(Debug)]
pub struct Ended {
    /// The first invariant that did not hold.
    pub violation: Option<Violation>,
    /// What happened, if it was recorded.
    pub history: History,
    /// How many events it took.
    pub events: u32,
    /// How many agents were started.
    pub agents: usize,
}

impl World {
    /// Plays a scenario to its end, or to the first violation.
    pub fn play(scenario: Scenario, recording: bool) -> Ended {
        let mut world = Self::new(scenario, recording);
        let mut events = 0;
        while let (None, false) = (&world.violation, world.over) {
            let Some((at, event)) = world.queue.next() else { break };
            world.now = at.max(world.now);
            events += 1;
            world.happen(event);
            world.check_agents();
            if events > MOST_EVENTS {
                world.violated("liveness", || format!("something spins: {MOST_EVENTS} events"));
            }
        }
        Ended { violation: world.violation, history: world.history, events, agents: world.agents.len() }
    }

    fn new(scenario: Scenario, recording: bool) -> Self {
        let mut world = Self {
            now: BEGINNING,
            random: Random::of(scenario.seed, &[3]),
            queue: Queue::default(),
            hosts: (0..scenario.hosts).map(|_| Host::default()).collect(),
            tracker: Tracker::new(&scenario),
            agents: Vec::new(),
            counts: Counts::default(),
            history: History::new(recording),
            violation: None,
            over: false,
            scenario,
        };
        for host in 0..world.hosts.len() {
            let delay = world.random.millis(0, 2000);
            world.plan(delay, Event::Boot { host });
        }
        for (fault, what) in world.scenario.faults.iter().enumerate() {
            if let Some(at) = what.at() {
                world.queue.plan(at, Event::Strike { fault });
            }
        }
        world.queue.plan(world.scenario.calm, Event::Inspect);
        world
    }

    /// Plans an event after a delay.
    pub(crate) fn plan(&mut self, delay: Millis, event: Event) {
        self.queue.plan(self.now + delay, event);
    }

    /// An invariant does not hold. Only the first counts.
    pub(crate) fn violated(&mut self, invariant: &'static str, message: impl FnOnce() -> String) {
        if self.violation.is_none() {
            let message = message();
            self.history.note(self.now, || format!("VIOLATED {invariant}: {message}"));
            self.violation = Some(Violation { invariant, message });
        }
    }

    /// The first fault that a question fits.
    pub(crate) fn fault<T>(&self, question: impl FnMut(&Fault) -> Option<T>) -> Option<T> {
        self.scenario.faults.iter().find_map(question)
    }

    /// An id that no run has had.
    pub(crate) fn fresh_id(&mut self) -> RunId {
        self.counts.runs += 1;
        RunId(format!("run-{:05}", self.counts.runs))
    }

    fn happen(&mut self, event: Event) {
        if let Some(host) = event.machine() {
            let asleep_until = self.hosts[host].asleep_until;
            if asleep_until > self.now {
                return self.queue.plan(asleep_until, event);
            }
        }
        if event.life().is_some_and(|(host, life)| self.hosts[host].life != life) {
            return;
        }
        match event {
            Event::Boot { host } => self.boot(host),
            Event::Arrive { host, input, .. } => self.arrive(host, *input),
            Event::Durable { host, entries, .. } => self.durable(host, entries),
            Event::CarryOut { host, effect, run, .. } => self.carry_out(host, *effect, *run),
            Event::Work { host, work, .. } => self.work_done(host, work),
            Event::Poll { host, .. } => self.poll(host),
            Event::Beat { host, .. } => self.beat(host),
            Event::Leave { host, .. } => self.leave(host),
            Event::Tick { host, .. } => self.tick(host),
            Event::Request { message } => self.request(*message),
            Event::Reply { host, answer, .. } => self.reply(host, *answer),
            Event::Agent { agent, deed, .. } => self.agent_does(agent, deed),
            Event::Strike { fault } => self.strike(fault),
            Event::Inspect => self.inspect(),
        }
    }

    /// Looks whether everything is over, and does what people do about runs that wait
    /// for them.
    fn inspect(&mut self) {
        let settled = self.tracker.tasks.iter().all(|task| task.place == Place::Done);
        let open: Vec<String> = self.hosts.iter().flat_map(Host::open_runs).collect();
        let down = self.hosts.iter().any(|host| host.process.is_none());
        let alive = self.agents.iter().any(Agent::lives);
        if settled && open.is_empty() && !down && !alive {
            self.check_the_end();
            self.over = true;
            return;
        }
        if self.now > self.scenario.calm + PATIENCE {
            let tasks: Vec<_> = self.tracker.tasks.iter().map(|task| task.place).collect();
            return self.violated("liveness", || {
                format!(
                    "not over: runs {open:?}, tasks {tasks:?}, agents alive: {alive}, a host down: {down}"
                )
            });
        }
        for host in 0..self.hosts.len() {
            self.help(host);
        }
        self.plan(INSPECT_EVERY, Event::Inspect);
    }
}
