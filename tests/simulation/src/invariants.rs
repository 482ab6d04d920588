//! What must hold at every step, checked against the truth of the whole world, not
//! against what an engine believes.

use hostler_engine::run::{Run, Workspace};

use crate::agent::{Agent, SWITCH_GRACE};
use crate::tracker::Over;
use crate::world::World;

impl World {
    /// Checks what concerns living agents, after every event.
    pub(crate) fn check_agents(&mut self) {
        if self.violation.is_some() {
            return;
        }
        for index in 0..self.agents.len() {
            if self.agents[index].lives() && self.hosts[self.agents[index].host].asleep_until <= self.now {
                self.check_owner(index);
                self.check_lease(index);
            }
        }
    }

    /// I6: a host that runs knows about every agent on its machine.
    fn check_owner(&mut self, index: usize) {
        let agent = &self.agents[index];
        let Some(process) = &self.hosts[agent.host].process else { return };
        let owns = |run: &Run| run.state.may_have_agent() && run.next_attempt() == agent.attempt;
        let run = process.engine.run(&agent.run);
        if !run.is_some_and(owns) {
            let state = run.map_or("forgotten", |run| run.state.name());
            let message = format!("agent {index} lives, but its run {} is {state}", agent.run);
            self.violated("I6", || message);
        }
    }

    /// I1: no agent outlives its lease, whatever became of host and network. One that
    /// slept over it with its machine is the exception, see `slept_over_it`.
    fn check_lease(&mut self, index: usize) {
        let agent = &self.agents[index];
        let Some(claim) = agent.claim.map(|claim| &self.tracker.claims[claim]) else { return };
        let over = claim.deadline.is_some_and(|deadline| deadline < self.now);
        if over && !self.slept_over_it(agent) {
            let (run, host) = (agent.run.clone(), agent.host);
            let message = format!("agent {index} of {run} on host {host} outlives its lease");
            self.violated("I1", || message);
        }
    }

    /// An agent that worked when its machine fell asleep: its supervisor ends it as
    /// soon as both are awake. None that was to start then is spared.
    fn slept_over_it(&self, agent: &Agent) -> bool {
        let awoke = self.hosts[agent.host].asleep_until;
        agent.started < awoke && self.now <= awoke + SWITCH_GRACE
    }

    /// Checks an agent that is about to start, against all others on all hosts.
    pub(crate) fn check_start(&mut self, newcomer: &Agent, run: &Run) {
        for index in 0..self.agents.len() {
            let other = &self.agents[index];
            if !other.lives() {
                continue;
            }
            let here = other.host == newcomer.host;
            if other.task == newcomer.task
                && (here || (self.is_honoured(other) && self.is_honoured(newcomer)))
            {
                let hosts = (other.host, newcomer.host);
                self.violated("I1", || {
                    format!("two agents of one task: agent {index} and {} on hosts {hosts:?}", run.id)
                });
            } else if here && other.folder == newcomer.folder {
                let folder = newcomer.folder.clone();
                self.violated("I1", || {
                    format!("two agents in one folder: agent {index} and {} in {folder}", run.id)
                });
            }
        }
        self.check_right_to_start(newcomer, run);
        self.check_slots(newcomer.host);
        self.check_attempts(newcomer, run);
        self.check_folder(newcomer, run);
    }

    /// Whether the lease of an agent counts: it was not taken back early, and its
    /// machine was awake since the agent started.
    fn is_honoured(&self, agent: &Agent) -> bool {
        let claim = agent.claim.map(|claim| &self.tracker.claims[claim]);
        let stolen = claim.is_none_or(|claim| matches!(claim.over, Some(Over::Stolen | Over::Replaced)));
        !stolen && self.hosts[agent.host].asleep_until <= agent.started
    }

    fn check_right_to_start(&mut self, newcomer: &Agent, run: &Run) {
        let claim = newcomer.claim.map(|claim| self.tracker.claims[claim].clone());
        let expired = claim.is_some_and(|claim| claim.deadline.is_some_and(|deadline| deadline < self.now));
        if expired {
            self.violated("I1", || format!("{} starts an agent after its lease was over", run.id));
        }
        let forbidden = self.hosts[newcomer.host].stopped.get(&run.id);
        if forbidden.is_some_and(|first| newcomer.attempt >= *first) {
            self.violated("stop", || format!("{} starts an agent although its end was wished", run.id));
        }
    }

    fn check_slots(&mut self, host: usize) {
        let works = self.agents.iter().filter(|agent| agent.lives() && agent.host == host).count();
        let has_tracker = self.hosts[host].process.as_ref().is_some_and(|process| process.has_tracker);
        if has_tracker && works >= self.scenario.slots as usize {
            self.violated("slots", || format!("host {host} starts an agent while {works} work there"));
        }
    }

    /// Attempts that failed by themselves count, whatever the host went through (I3).
    fn check_attempts(&mut self, newcomer: &Agent, run: &Run) {
        let failed = |agent: &&Agent| agent.run == newcomer.run && agent.counts_as_failure();
        let failures = self.agents.iter().filter(failed).count();
        let allowed = self.scenario.limits.attempts as usize;
        if failures >= allowed {
            self.violated("I3", || format!("{} starts again after {failures} failures of {allowed}", run.id));
        }
    }

    /// A fresh attempt works in a clean workspace, every other in the one it had.
    fn check_folder(&mut self, newcomer: &Agent, run: &Run) {
        let folder = self.hosts[newcomer.host].folders.get(&newcomer.folder).cloned();
        let Some(folder) = folder.filter(|folder| folder.whole) else {
            return self.violated("I4", || format!("{} starts without a workspace", run.id));
        };
        let shared = run.workspace.as_ref().is_some_and(|workspace| workspace.branch.is_empty());
        if shared {
            return;
        }
        let number = run.workspace.as_ref().map(|workspace| workspace.number);
        let made_for = folder.made_for.as_ref();
        if made_for.map(|(of, at)| (of, Some(*at))) != Some((&run.id, number)) {
            self.violated("I4", || format!("{} works in the workspace of {made_for:?}", run.id));
        } else if run.fresh && (number != Some(newcomer.attempt) || folder.work > 0) {
            self.violated("I4", || format!("{} begins afresh among earlier work", run.id));
        }
    }

    /// I4: a workspace is removed only when nobody works in it.
    pub(crate) fn check_removal(&mut self, host: usize, run: &Run, workspace: &Workspace) {
        let in_it = |agent: &Agent| agent.lives() && agent.host == host && agent.folder == workspace.path;
        if self.agents.iter().any(in_it) {
            self.violated("I4", || format!("the workspace of {} is removed while its agent works", run.id));
        }
    }

    /// I2, once everything is over: every claim was ended by exactly one report, or
    /// went elsewhere.
    pub(crate) fn check_the_end(&mut self) {
        let open = self.tracker.claims.iter().position(|claim| claim.over.is_none());
        if let Some(claim) = open {
            let Some(run) = self.tracker.claims.get(claim).map(|claim| claim.run.clone()) else { return };
            self.violated("I2", || format!("claim {claim} ({run:?}) was never ended"));
        }
    }
}
