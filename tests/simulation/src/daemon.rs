//! What the daemon does, as in `host/daemon`: recover, apply an input, write it down,
//! and act only once the entry is durable. A host may die between any two of these.

use std::collections::BTreeSet;

use hostler_engine::engine::Mode;
use hostler_engine::run::{Closing, LEASE_MARGIN, Run, State};
use hostler_engine::task::RunId;
use hostler_engine::time::{Millis, Timestamp};
use hostler_engine::{Engine, Input};

use crate::agent::Cause;
use crate::disk::{Entry, Standing};
use crate::event::{Deed, Event};
use crate::fault::{CrashPoint, Fault};
use crate::host::Process;
use crate::scenario::TRACKER;
use crate::world::World;

/// How long a person's restart takes if no fault says otherwise.
const RESTART: Millis = Millis::seconds(3);

/// How a host's process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Death {
    /// Entries under way that still reached the disk; `None`: any number of them.
    kept: Option<usize>,
    /// Until it is started again.
    down: Millis,
    /// The wall clock's error at the next start.
    clock: i64,
}

impl World {
    /// Starts a host: replays its journal, then says that it has started.
    pub(crate) fn boot(&mut self, host: usize) {
        if self.hosts[host].process.is_some() {
            return;
        }
        if self.hosts[host].full_until > self.now {
            let full_until = self.hosts[host].full_until;
            return self.queue.plan(full_until, Event::Boot { host });
        }
        let Some(engine) = self.recovered(host) else { return };
        let has_tracker = !self.boots_without_tracker(host);
        let disk = &self.hosts[host].disk;
        let (last, clock) = (disk.last(), self.hosts[host].clock(self.now));
        // A wall clock that was set back must not make the record go backwards.
        self.hosts[host].ahead += last.since(clock).0.cast_signed();
        self.hosts[host].process =
            Some(Process { engine, listens: BTreeSet::new(), has_tracker, tick: None });
        self.history.note(self.now, || format!("host {host} starts"));
        let (policy, life) = (self.scenario.policy(), self.hosts[host].life);
        let trackers = if has_tracker { vec![TRACKER.to_owned()] } else { vec![] };
        self.apply(host, Input::Configured { policy, trackers });
        self.apply(host, Input::Restarted);
        // It may have died on the way.
        if has_tracker && self.hosts[host].life == life {
            self.plan(Millis(20), Event::Beat { host, life });
            self.plan(Millis(40), Event::Poll { host, life });
        }
    }

    /// I8: the record gives one engine, and the one that was there if nothing was lost.
    fn recovered(&mut self, host: usize) -> Option<Engine> {
        let (once, twice) = (self.hosts[host].disk.replay(), self.hosts[host].disk.replay());
        match (once, twice) {
            (Ok(once), Ok(twice)) => {
                let known = self.hosts[host].last_known.take();
                if once != twice {
                    self.violated("I8", || format!("host {host}: two replays of one record differ"));
                } else if known.is_some_and(|known| *known != once) {
                    self.violated("I8", || format!("host {host}: the replay is not what the host knew"));
                }
                Some(once)
            }
            (Err(violation), _) | (_, Err(violation)) => {
                self.violated(violation.invariant, || violation.message);
                None
            }
        }
    }

    /// A start without the tracker follows the crash whose fault says so, once.
    fn boots_without_tracker(&mut self, host: usize) -> bool {
        let without = std::mem::take(&mut self.hosts[host].boots_without_tracker);
        if without {
            self.history.note(self.now, || format!("host {host} has no tracker this time"));
            let life = self.hosts[host].life;
            let stays = self.random.seconds(5, 60);
            self.plan(stays, Event::Leave { host, life });
        }
        without
    }

    /// An input reaches the engine, unless the host has died.
    pub(crate) fn arrive(&mut self, host: usize, input: Input) {
        self.counts.answers += 1;
        let nth = self.counts.answers;
        let echo = self.fault(|fault| match fault {
            Fault::Echo { nth: at, after } if *at == nth => Some(*after),
            _ => None,
        });
        if let Some(after) = echo
            && !matches!(input, Input::Offered { .. })
        {
            let life = self.hosts[host].life;
            self.plan(after, Event::Arrive { host, life, input: Box::new(input.clone()) });
        }
        self.apply(host, input);
    }

    /// Decides, and hands the entry to the journal.
    pub(crate) fn apply(&mut self, host: usize, input: Input) {
        let now = self.hosts[host].clock(self.now);
        let Some(process) = &mut self.hosts[host].process else { return };
        let text = serde_json::to_string(&input).unwrap_or_default();
        let about = input.run().cloned();
        let configures = matches!(input, Input::Configured { .. });
        let is_chatter = configures || matches!(input, Input::Heard { .. } | Input::Renewed { .. });
        let stopped = wished_to_stop(&process.engine, &input);
        let untouched = untouched_by(&process.engine, &input);
        let reports = matches!(input, Input::Reported { .. });
        let effects = process.engine.apply(now, input);
        let told = about.as_ref().filter(|_| reports).and_then(|id| process.engine.run(id));
        let told = told.filter(|run| matches!(run.state, State::Closed { how: Closing::Reported, .. }));
        let told = told.map(Run::reference);
        let lost = |run: &&Run| matches!(run.state, State::Closed { how: Closing::Lost(_), .. });
        let lost: Vec<_> = process.engine.runs().filter(lost).map(Run::reference).collect();
        let changed = untouched.filter(|before| process.engine.run(&before.id) != Some(before));
        let standings = standings(&process.engine, about.as_ref());
        let with_runs = |effect: hostler_engine::Effect| {
            let run = process.engine.run(&effect.at.run)?.clone();
            Some((effect, run))
        };
        let effects: Vec<_> = effects.into_iter().filter_map(with_runs).collect();
        // A host that starts is not over, whatever it was when it ended.
        let is_over = !configures && process.is_over();
        if let Some(run) = told.filter(|run| !self.tracker.has_report(host, run)) {
            self.violated("I2", || format!("{} counts as reported, but the tracker has no report", run.run));
        }
        if let Some(run) = lost.iter().find(|run| self.tracker.has_report(host, run)) {
            self.violated("I2", || format!("{} counts as lost, but the tracker has its report", run.run));
        }
        if let Some(before) = changed {
            self.violated("I5", || format!("{} was changed by a stale word: {text}", before.id));
        }
        if !effects.is_empty() || !is_chatter {
            self.history.note(self.now, || tell_applied(host, &text, &effects));
        }
        let entry = Entry { at: now, input: text, effects, standings, stopped };
        let host_state = &mut self.hosts[host];
        let Some(process) = &host_state.process else { return };
        let entries = host_state.disk.append(entry, &process.engine);
        host_state.entries += 1;
        let takes = self.random.millis(1, 30);
        let done = (self.now + takes).max(self.hosts[host].disk.busy_until);
        self.hosts[host].disk.busy_until = done;
        let life = self.hosts[host].life;
        self.queue.plan(done, Event::Durable { host, life, entries });
        self.keep_switches(host);
        self.plan_tick(host);
        self.strike_at_entry(host);
        if is_over && self.hosts[host].process.is_some() {
            self.leave(host);
        }
    }

    fn strike_at_entry(&mut self, host: usize) {
        let nth = self.hosts[host].entries;
        let full = self.fault(|fault| match fault {
            Fault::DiskFull { host: of, nth: at, lasts } if *of == host && *at == nth => Some(*lasts),
            _ => None,
        });
        if let Some(lasts) = full {
            self.history.note(self.now, || format!("host {host}: the disk is full for {lasts}"));
            self.hosts[host].full_until = self.now + lasts;
            return self.die(host, Death { kept: Some(0), down: lasts, clock: 0 });
        }
        let interjects = self.fault(|fault| match fault {
            Fault::Interject { host: of, nth: at, dies } if *of == host && *at == nth => Some(*dies),
            _ => None,
        });
        if let Some(dies) = interjects {
            self.interject(host, dies);
        } else {
            self.maybe_crash(host, CrashPoint::Applied, nth);
        }
    }

    fn interject(&mut self, host: usize, dies: bool) {
        let Some(run) = self.first_open(host, |_| true) else { return };
        let life = self.hosts[host].life;
        self.history.note(self.now, || format!("a person ends {} at host {host}", run.id));
        self.apply(host, Input::StopAsked { run: run.id });
        if dies && self.hosts[host].life == life {
            self.history.note(self.now, || format!("host {host} is killed"));
            self.die(host, Death { kept: Some(usize::MAX), down: RESTART, clock: 0 });
        }
    }

    /// Entries are on the disk: what they ask for may be done now.
    pub(crate) fn durable(&mut self, host: usize, entries: usize) {
        let new = self.hosts[host].disk.sync(entries).to_vec();
        for entry in new {
            self.settle(host, &entry);
            self.hosts[host].durable += 1;
            let (life, nth) = (self.hosts[host].life, self.hosts[host].durable);
            self.maybe_crash(host, CrashPoint::Durable, nth);
            if self.hosts[host].life != life {
                return;
            }
            for (effect, run) in entry.effects {
                let delay = self.random.millis(0, 20);
                let (effect, run) = (Box::new(effect), Box::new(run));
                self.plan(delay, Event::CarryOut { host, life, effect, run });
            }
        }
    }

    /// I3: what the record says of a run never goes backwards.
    fn settle(&mut self, host: usize, entry: &Entry) {
        for (run, standing) in &entry.standings {
            let before = self.hosts[host].floor.insert(run.clone(), *standing).unwrap_or_default();
            if !standing.reaches(&before) {
                self.violated("I3", || format!("{run}: {before:?} became {standing:?}"));
            }
        }
        if let Some((run, attempt)) = &entry.stopped {
            self.hosts[host].stopped.entry(run.clone()).or_insert(*attempt);
        }
    }

    /// Kills the host if a fault says that it dies here.
    pub(crate) fn maybe_crash(&mut self, host: usize, point: CrashPoint, nth: u32) {
        let death = self.fault(|fault| match *fault {
            Fault::Crash { host: of, point: at, nth: when, down, machine, clock, without_tracker }
                if of == host && at == point && when == nth =>
            {
                Some((Death { kept: None, down, clock }, machine, without_tracker))
            }
            _ => None,
        });
        let Some((death, machine, without_tracker)) = death else { return };
        self.history.note(self.now, || {
            let what = if machine { "its whole machine goes down" } else { "is killed" };
            format!("host {host} {what} ({point:?} {nth})")
        });
        self.hosts[host].boots_without_tracker = without_tracker;
        self.die(host, death);
        for agent in 0..self.agents.len() {
            if machine && self.agents[agent].host == host && self.agents[agent].lives() {
                self.agents[agent].dead = Some((self.now, Cause::Machine));
            }
        }
    }

    fn die(&mut self, host: usize, death: Death) {
        let pending = self.hosts[host].disk.pending();
        let kept = death.kept.unwrap_or_else(|| self.random.index(pending + 1));
        let Some(process) = self.hosts[host].process.take() else { return };
        self.hosts[host].life += 1;
        self.hosts[host].last_known = (kept >= pending).then(|| Box::new(process.engine));
        for entry in self.hosts[host].disk.cut(kept).to_vec() {
            self.settle(host, &entry);
        }
        self.hosts[host].disk.busy_until = self.now;
        self.hosts[host].ahead += death.clock;
        self.plan(death.down, Event::Boot { host });
    }

    /// The process ends by itself, its journal written; agents work on.
    pub(crate) fn leave(&mut self, host: usize) {
        self.history.note(self.now, || format!("host {host} ends"));
        let down = std::mem::replace(&mut self.hosts[host].down, RESTART);
        self.die(host, Death { kept: Some(usize::MAX), down: down.max(RESTART), clock: 0 });
    }

    /// Tells the supervisors how long their agents may live. Only a lease that the
    /// tracker confirmed counts: after a restart the clock may be wrong.
    fn keep_switches(&mut self, host: usize) {
        let Some(process) = &self.hosts[host].process else { return };
        for agent in 0..self.agents.len() {
            let one = &self.agents[agent];
            if one.host != host || !one.lives() || !process.listens.contains(&(one.run.clone(), one.attempt))
            {
                continue;
            }
            let lease =
                process.engine.run(&one.run).and_then(|run| run.lease).filter(|lease| lease.confirmed);
            let switch = lease.map(|lease| self.hosts[host].moment(switch_after(lease.deadline)));
            if let Some(at) = switch
                && one.switch != Some(at)
            {
                self.agents[agent].switch = Some(at);
                self.queue.plan(at, Event::Agent { agent, host, deed: Deed::Watched });
            }
        }
    }

    fn plan_tick(&mut self, host: usize) {
        let Some(process) = &self.hosts[host].process else { return };
        let Some(deadline) = process.engine.next_deadline() else { return };
        // A deadline is reached a moment after it, never before.
        let at = (self.hosts[host].moment(deadline) + Millis(1)).max(self.now + Millis(1));
        if process.tick.is_none_or(|planned| planned > at || planned <= self.now) {
            let life = self.hosts[host].life;
            self.queue.plan(at, Event::Tick { host, life });
            if let Some(process) = &mut self.hosts[host].process {
                process.tick = Some(at);
            }
        }
    }

    /// Looks whether a deadline has passed.
    pub(crate) fn tick(&mut self, host: usize) {
        let now = self.hosts[host].clock(self.now);
        let Some(process) = &mut self.hosts[host].process else { return };
        process.tick = None;
        if process.engine.next_deadline().is_some_and(|at| at <= now) {
            self.apply(host, Input::Tick);
        } else {
            self.plan_tick(host);
        }
    }

    /// What a person does about a host in the end: starts it again for reports that
    /// were refused, and ends runs that wait for an answer.
    pub(crate) fn help(&mut self, host: usize) {
        let Some(process) = &self.hosts[host].process else { return };
        let parked = |run: &&Run| matches!(run.state, State::Parked { .. });
        let Some(run) = process.engine.runs().find(parked) else { return };
        if matches!(run.state, State::Parked { report: Some(_), .. }) {
            return self.leave(host);
        }
        let run = run.id.clone();
        self.apply(host, Input::StopAsked { run });
    }

    /// Whether new work is taken, and by how many.
    pub(crate) fn free_slots(&self, host: usize) -> u32 {
        let process = self.hosts[host].process.as_ref();
        process
            .filter(|process| process.engine.mode() == Mode::Open)
            .map_or(0, |process| process.engine.free_slots())
    }
}

/// When an agent's supervisor ends it: after the engine would have, before the lease
/// is over.
pub fn switch_after(deadline: Timestamp) -> Timestamp {
    deadline + Millis(LEASE_MARGIN.0 / 2)
}

/// A wish that a run ends for good, which no restart may forget, and the first attempt
/// that must not start after it: a start that is under way cannot be called back.
fn wished_to_stop(engine: &Engine, input: &Input) -> Option<(RunId, u32)> {
    let fenced = |id: &RunId, fence| engine.run(id).is_some_and(|run| run.fence == fence);
    let wished = match input {
        Input::StopAsked { run } => Some(run),
        Input::CancelAsked { run, fence, .. } | Input::LeaseLost { run, fence, .. }
            if fenced(run, *fence) =>
        {
            Some(run)
        }
        _ => None,
    };
    let run = engine.run(wished?).filter(|run| !run.is_closed())?;
    Some((run.id.clone(), run.next_attempt() + u32::from(run.state.may_have_agent())))
}

/// The run that an input is about, if that input is stale and must not change it (I5).
fn untouched_by(engine: &Engine, input: &Input) -> Option<Run> {
    let run = engine.run(input.run()?)?;
    let step = match input {
        Input::ClaimAnswered { at, .. }
        | Input::Planned { at, .. }
        | Input::Prepared { at, .. }
        | Input::Started { at, .. }
        | Input::Adopted { at, .. }
        | Input::Collected { at, .. }
        | Input::Verified { at, .. }
        | Input::Landed { at, .. }
        | Input::Advised { at, .. }
        | Input::Reported { at, .. }
        | Input::Released { at, .. } => Some(at.number),
        _ => None,
    };
    let fence = match input {
        Input::Renewed { fence, .. } | Input::CancelAsked { fence, .. } | Input::LeaseLost { fence, .. } => {
            Some(*fence)
        }
        _ => None,
    };
    let stale = step.is_some_and(|step| step != run.step) || fence.is_some_and(|fence| fence != run.fence);
    // These go on by themselves whenever the engine looks at them.
    let moves = matches!(run.state, State::Waiting { .. } | State::Blocked { .. });
    (stale && !moves).then(|| run.clone())
}

/// How the run that an input is about stands; all runs for inputs about none.
fn standings(engine: &Engine, about: Option<&RunId>) -> Vec<(RunId, Standing)> {
    let meant = |run: &&Run| about.is_none_or(|id| *id == run.id);
    engine.runs().filter(meant).map(|run| (run.id.clone(), Standing::of(run))).collect()
}

fn tell_applied(host: usize, input: &str, effects: &[(hostler_engine::Effect, Run)]) -> String {
    let effects: Vec<String> = effects
        .iter()
        .map(|(effect, run)| {
            let action = format!("{:?}", effect.action);
            let name = action.split([' ', '{']).next().unwrap_or_default();
            format!("{name} for {} ({})", run.id, run.task.key)
        })
        .collect();
    let input: String = input.chars().take(170).collect();
    format!("host {host} ← {input} → [{}]", effects.join(", "))
}
