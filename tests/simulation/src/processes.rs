//! The life of agents on a machine: started, heard of, ended, by whomever.

use hostler_engine::Input;
use hostler_engine::outcome::Usage;
use hostler_engine::step::Step;
use hostler_engine::task::RunId;
use hostler_engine::time::Millis;

use crate::agent::{Agent, Cause, Ending, Habit, SPEAKS_EVERY, SWITCH_GRACE};
use crate::daemon::switch_after;
use crate::event::{Deed, Event};
use crate::tracker::number_of;
use crate::world::World;

/// The supervisor's own time limit comes so long after the engine's.
const TIME_MARGIN: Millis = Millis::seconds(5);

impl World {
    /// The living agent of an attempt.
    pub(crate) fn living(&self, host: usize, run: &RunId, attempt: u32) -> Option<usize> {
        self.agents.iter().position(|agent| agent.lives() && agent.is(host, run, attempt))
    }

    /// A process begins to run.
    pub(crate) fn spawn(&mut self, host: usize, at: Step, attempt: u32) {
        let process = self.hosts[host].process.as_ref();
        let Some(run) = process.and_then(|process| process.engine.run(&at.run)).cloned() else { return };
        if run.lease.is_some_and(|lease| lease.deadline <= self.hosts[host].clock(self.now)) {
            // The machine slept since the start was decided, and the daemon looks.
            return self.tell_end(host, at.run, attempt);
        }
        let Some(number) = number_of(&run.task) else { return };
        let Some(task) = self.tracker.tasks.iter().position(|task| task.spec.number == number) else {
            return;
        };
        let nth = self.agents.iter().filter(|agent| agent.task == task).count();
        let habit = Habit::of(self.scenario.seed, number, nth);
        let moment = |clock| self.hosts[host].moment(clock);
        let agent = Agent {
            host,
            run: run.id.clone(),
            attempt,
            task,
            claim: self.tracker.claim_of(host, &run.reference()),
            folder: run.workspace.as_ref().map(|workspace| workspace.path.clone()).unwrap_or_default(),
            habit,
            started: self.now,
            tokens: 0,
            ending: None,
            dead: None,
            switch: run.lease.map(|lease| moment(switch_after(lease.deadline))),
            time_over: self.scenario.limits.time.map(|time| self.now + time + TIME_MARGIN),
            asked: false,
        };
        self.check_start(&agent, &run);
        let (index, switch, time_over) = (self.agents.len(), agent.switch, agent.time_over);
        self.history.note(self.now, || {
            format!("host {host} starts agent {index} for {} attempt {attempt}: {habit:?}", run.id)
        });
        self.agents.push(agent);
        for at in [switch, time_over].into_iter().flatten() {
            self.queue.plan(at, Event::Agent { agent: index, host, deed: Deed::Watched });
        }
        if habit.ending != Ending::Hangs {
            self.plan(SPEAKS_EVERY, Event::Agent { agent: index, host, deed: Deed::Speaks });
        }
        if !matches!(habit.ending, Ending::Hangs | Ending::Babbles) {
            self.plan(habit.works, Event::Agent { agent: index, host, deed: Deed::Finishes });
        }
        self.listen(host, &run.id, attempt);
        self.arrive(host, Input::Started { at, process: "agent".to_owned() });
    }

    /// The host listens to an agent from now on.
    pub(crate) fn listen(&mut self, host: usize, run: &RunId, attempt: u32) {
        if let Some(process) = &mut self.hosts[host].process {
            process.listens.insert((run.clone(), attempt));
        }
    }

    fn is_heard(&self, agent: usize) -> bool {
        let Agent { host, run, attempt, .. } = &self.agents[agent];
        let process = self.hosts[*host].process.as_ref();
        process.is_some_and(|process| process.listens.contains(&(run.clone(), *attempt)))
    }

    /// Asks an agent to end; it dies a little later.
    pub(crate) fn end_agent(&mut self, agent: usize, cause: Cause) {
        let Agent { host, habit, ending, .. } = self.agents[agent];
        self.agents[agent].asked = true;
        let by_switch = matches!(cause, Cause::LeaseOver | Cause::TimeOver);
        // The switch hastens an end that is under way; a second wish of the host does not.
        if ending.is_some() && !by_switch {
            return;
        }
        self.agents[agent].ending = Some(ending.unwrap_or(cause));
        let takes = if by_switch { habit.obeys.min(SWITCH_GRACE) } else { habit.obeys };
        self.plan(takes, Event::Agent { agent, host, deed: Deed::Dies });
    }

    /// An agent does something, unless it is dead.
    pub(crate) fn agent_does(&mut self, agent: usize, deed: Deed) {
        if !self.agents[agent].lives() {
            return;
        }
        let Agent { host, habit, ref run, attempt, .. } = self.agents[agent];
        let run = run.clone();
        match deed {
            Deed::Speaks => {
                self.agents[agent].tokens += habit.tokens;
                if habit.changes {
                    self.change_files(agent);
                }
                self.plan(SPEAKS_EVERY, Event::Agent { agent, host, deed });
                if self.is_heard(agent) {
                    let usage = Usage { output_tokens: self.agents[agent].tokens, ..Usage::default() };
                    self.arrive(host, Input::Heard { run, attempt, usage });
                }
            }
            Deed::Finishes => {
                let lingers = habit.ending == Ending::Lingers;
                if !lingers && self.agents[agent].ending.is_none() {
                    self.agents[agent].ending = Some(Cause::Itself);
                    self.plan(Millis(80), Event::Agent { agent, host, deed: Deed::Dies });
                }
                if self.is_heard(agent) {
                    self.arrive(host, Input::AgentFinished { run, attempt });
                }
            }
            Deed::Dies => {
                let cause = self.agents[agent].ending.unwrap_or(Cause::Itself);
                self.agents[agent].dead = Some((self.now, cause));
                self.history.note(self.now, || format!("host {host}: agent {agent} ends ({cause:?})"));
                if self.is_heard(agent) {
                    self.tell_end(host, run, attempt);
                }
            }
            Deed::Watched => self.watch(agent),
        }
    }

    fn change_files(&mut self, agent: usize) {
        let Agent { host, ref folder, .. } = self.agents[agent];
        if let Some(folder) = self.hosts[host].folders.get_mut(folder) {
            folder.work += 1;
            return;
        }
        let folder = folder.clone();
        self.violated("I4", || format!("agent {agent} works in {folder}, which was removed"));
    }

    /// The supervisor ends an agent whose lease or time is over.
    fn watch(&mut self, agent: usize) {
        let Agent { switch, time_over, .. } = self.agents[agent];
        if switch.is_some_and(|at| at <= self.now) {
            self.end_agent(agent, Cause::LeaseOver);
        } else if time_over.is_some_and(|at| at <= self.now) {
            self.end_agent(agent, Cause::TimeOver);
        }
    }
}
