//! An engine with everything around it simulated.

use super::*;
use crate::outcome::{Class, Outcome, OutcomeState};
use crate::plan::Wish;
use crate::problem::Problem;
use crate::report::Changes;
use crate::run::Workspace;
use crate::task::Lease;
use crate::verdict::Verdict;

/// Drives an engine the way a daemon would, with a clock under the test's thumb.
pub struct World {
    pub engine: Engine,
    pub now: Timestamp,
    pub effects: Vec<Effect>,
}

pub fn run_id(name: &str) -> RunId {
    RunId(name.to_owned())
}

pub fn task(id: &str) -> Task {
    Task {
        id: id.to_owned(),
        key: id.to_owned(),
        title: id.to_owned(),
        sections: Vec::new(),
        priority: 0,
        data: "{}".to_owned(),
    }
}

pub fn lease(fence: u64) -> Lease {
    Lease { ttl: Millis::seconds(60), renew_every: Millis::seconds(15), fence: Fence(fence) }
}

pub fn policy() -> Policy {
    Policy {
        repositories: vec!["main".to_owned()],
        providers: vec!["claude-code".to_owned(), "codex".to_owned()],
        ..Policy::default()
    }
}

pub fn success() -> Outcome {
    Outcome { state: OutcomeState::Succeeded, ..Outcome::failed("", Class::Retryable, "") }
}

pub fn failure() -> Outcome {
    Outcome::failed("exit-code", Class::Retryable, "It broke.")
}

impl World {
    pub fn new() -> Self {
        Self::with(policy())
    }

    pub fn with(policy: Policy) -> Self {
        let mut world = Self { engine: Engine::default(), now: Timestamp(1_000_000), effects: Vec::new() };
        world.tell(Input::Configured { policy, trackers: vec!["t".to_owned()] });
        world
    }

    pub fn tell(&mut self, input: Input) {
        self.effects = self.engine.apply(self.now, input);
    }

    pub fn pass(&mut self, length: Millis) {
        self.now = self.now + length;
        self.tell(Input::Tick);
    }

    pub fn offer(&mut self, name: &str) {
        let offers = vec![Offer { run: run_id(name), task: task(name) }];
        self.tell(Input::Offered { tracker: "t".to_owned(), offers });
    }

    pub fn give(&mut self, name: &str, task_id: &str, fence: u64) {
        let claim = Claim { task: task(task_id), lease: Some(lease(fence)), environment: vec![] };
        let sent = self.now;
        self.tell(Input::Given { tracker: "t".to_owned(), run: run_id(name), sent, claim });
    }

    pub fn run(&self, name: &str) -> &Run {
        self.engine.run(&run_id(name)).unwrap()
    }

    pub fn state(&self, name: &str) -> &'static str {
        self.run(name).state.name()
    }

    pub fn at(&self, name: &str) -> Step {
        self.run(name).at()
    }

    /// The claim was answered, without a lease.
    pub fn claimed(&mut self, name: &str) {
        let (at, sent) = (self.at(name), self.now);
        self.tell(Input::ClaimAnswered { at, sent, answer: Ok(None), environment: vec![] });
    }

    pub fn planned(&mut self, name: &str, wish: Wish) {
        let at = self.at(name);
        self.tell(Input::Planned { at, wish: Ok(wish) });
    }

    pub fn prepared(&mut self, name: &str) {
        let at = self.at(name);
        let number = match self.effects.iter().find(|effect| effect.at == at).map(|effect| &effect.action) {
            Some(Action::Prepare { order }) => order.number,
            other => panic!("{name} should prepare, but does {other:?}"),
        };
        let workspace = Workspace {
            path: format!("/w/{name}-{number}"),
            branch: format!("b-{number}"),
            base: "base".to_owned(),
            number,
            continued: false,
            record: String::new(),
        };
        self.tell(Input::Prepared { at, workspace: Ok(workspace) });
    }

    pub fn started(&mut self, name: &str) {
        let at = self.at(name);
        self.tell(Input::Started { at, process: "p".to_owned() });
    }

    pub fn adopted(&mut self, name: &str) {
        let at = self.at(name);
        self.tell(Input::Adopted { at, process: "p".to_owned() });
    }

    /// From offer to a running agent.
    pub fn running(&mut self, name: &str) {
        self.running_as(name, Wish::default());
    }

    pub fn running_as(&mut self, name: &str, wish: Wish) {
        self.offer(name);
        self.claimed(name);
        self.planned(name, wish);
        self.prepared(name);
        self.started(name);
        assert_eq!(self.state(name), "running");
    }

    pub fn ended(&mut self, name: &str, outcome: Outcome) {
        let attempt = self.run(name).next_attempt();
        self.tell(Input::AttemptEnded { run: run_id(name), attempt, outcome });
    }

    pub fn collected(&mut self, name: &str) {
        let at = self.at(name);
        let changes = Changes { commits: 1, ..Changes::default() };
        self.tell(Input::Collected { at, changes: Ok(changes) });
    }

    pub fn advised(&mut self, name: &str, fresh: bool) {
        let at = self.at(name);
        let verdict = Some(Verdict::Retry { after: Millis(0), fresh });
        self.tell(Input::Advised { at, verdict });
    }

    pub fn reported(&mut self, name: &str, answer: Result<(), Problem>) {
        let at = self.at(name);
        self.tell(Input::Reported { at, answer });
    }

    pub fn report(&self, name: &str) -> &crate::report::Report {
        match &self.run(name).state {
            State::Reporting { report, .. } => report,
            other => panic!("{name} should report, but is {other:?}"),
        }
    }
}
