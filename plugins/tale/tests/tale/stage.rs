//! The plugin on one side, the server on the other, and a clock that both see.

use std::cell::RefCell;
use std::rc::Rc;

use hostler_plugin_tale::Tale;
use hostler_sdk::testing::{Done, FakeHost};
use hostler_sdk::tracker::{
    Claim, Control, Effect, Operation, Progress, ProviderInfo, Reply, Report, RunRef, RunStatus, Runner,
};
use hostler_sdk::{Problem, Usage};
use serde_json::{Value, json};

use crate::fake_tale::{Answer, FakeTale, handed_out};

/// When every test begins.
pub const START: f64 = 1_767_225_600_000.0;

pub const DAEMON: &str = "daemon_4b1e0000-0000-4000-8000-000000000000";

type Carry = Box<dyn FnMut(&Effect) -> Result<Reply, Problem>>;

pub struct Stage {
    pub tale: Rc<RefCell<FakeTale>>,
    pub host: FakeHost<Tale, Carry>,
}

/// A run this host was given: what the host would say of it.
pub fn at(claim: &Claim) -> RunRef {
    let fence = claim.lease.unwrap().fence;
    RunRef { run: format!("run-{}-{fence}", claim.task.id), task: claim.task.clone(), fence }
}

pub fn report(state: &str, reason: &str, message: &str) -> Report {
    Report {
        state: state.into(),
        reason: reason.into(),
        retryable: false,
        message: message.into(),
        summary: "Fixed it.".into(),
        branch: None,
        base: None,
        head: None,
        files: Vec::new(),
        attempts: 1,
        usage: Usage::default(),
        elapsed: 1_000,
        session: None,
        provider: "claude-code".into(),
        verified: None,
        landed: None,
    }
}

pub fn runner() -> Runner {
    let provider = |name: &str| ProviderInfo {
        name: name.to_owned(),
        version: "2.1.0".to_owned(),
        capabilities: vec!["json-output".into(), "resume".into()],
    };
    Runner {
        id: "host_4b1e0000-0000-4000-8000-000000000000".into(),
        name: "ada's machine".into(),
        version: "0.1.0".into(),
        providers: vec![provider("claude-code"), provider("codex"), provider("command")],
        repositories: vec!["app".into(), "web".into()],
        slots: 2,
    }
}

pub fn problem(done: &Done) -> &Problem {
    done.result.as_ref().unwrap().as_ref().unwrap_err()
}

impl Stage {
    /// Before the host has said who it is.
    pub fn unregistered(config: &Value) -> Self {
        let tale = Rc::new(RefCell::new(FakeTale::default()));
        let served = Rc::clone(&tale);
        let carry: Carry = Box::new(move |effect| served.borrow_mut().answer(effect));
        let mut stage = Self { tale, host: FakeHost::open(config, carry).unwrap() };
        stage.set_now(START);
        stage
    }

    /// Registered at [`START`].
    pub fn new() -> Self {
        let mut stage = Self::unregistered(&json!({ "url": "https://tale.example.com" }));
        assert_eq!(stage.register().result, Some(Ok(())));
        stage
    }

    pub fn set_now(&mut self, now: f64) {
        self.host.set_now(now);
        self.tale.borrow_mut().now = now;
    }

    /// Seconds after [`START`].
    pub fn at_second(&mut self, seconds: f64) {
        self.set_now(START + seconds * 1_000.0);
    }

    pub fn next(&mut self, end: &str, answer: Answer) {
        self.tale.borrow_mut().next(end, answer);
    }

    pub fn bodies(&self, end: &str) -> Vec<Value> {
        self.tale.borrow().bodies(end)
    }

    /// The types of the events that were sent.
    pub fn events(&self) -> Vec<String> {
        self.bodies("/events").iter().map(|body| body["type"].as_str().unwrap().to_owned()).collect()
    }

    pub fn register(&mut self) -> Done {
        self.host.run(Operation::Register(runner()))
    }

    pub fn poll(&mut self, slots: u32) -> Done {
        self.host.run(Operation::Poll(slots))
    }

    /// A run that is handed out and claimed.
    pub fn claimed(&mut self, id: &str) -> Claim {
        self.next("claim", handed_out(id));
        let mut done = self.poll(1);
        assert_eq!(done.result, Some(Ok(())));
        assert_eq!(done.claimed.len(), 1);
        done.claimed.remove(0)
    }

    pub fn heartbeat(&mut self, held: &[(&Claim, &str)]) -> Done {
        let status = |(claim, state): &(&Claim, &str)| RunStatus {
            at: at(claim),
            state: (*state).to_owned(),
            attempt: 1,
            elapsed: 1_000,
            usage: Usage::default(),
        };
        self.host.run(Operation::Heartbeat(held.iter().map(status).collect()))
    }

    /// What a heartbeat of one run that works brings.
    pub fn word_on(&mut self, claim: &Claim) -> Vec<Control> {
        let done = self.heartbeat(&[(claim, "running")]);
        done.controls
            .into_iter()
            .map(|(run, control)| {
                assert_eq!(run, at(claim).run);
                control
            })
            .collect()
    }

    pub fn progress(&mut self, claim: &Claim, lines: &[&str]) -> Done {
        let line = |(index, text): (usize, &&str)| Progress {
            sequence: u32::try_from(index).unwrap(),
            at: START,
            kind: "text".into(),
            text: (*text).to_owned(),
        };
        let lines = lines.iter().enumerate().map(line).collect();
        self.host.run(Operation::Progress((at(claim), lines)))
    }

    pub fn report(&mut self, claim: &Claim, report: Report) -> Done {
        self.host.run(Operation::Report((at(claim), report)))
    }

    pub fn succeed(&mut self, claim: &Claim) -> Done {
        self.report(claim, report("succeeded", "", ""))
    }

    /// Reports a failure that the server may try again.
    pub fn fail(&mut self, claim: &Claim) -> Done {
        self.report(claim, report("failed", "exit-code", "Claude Code ended with exit code 1: broken"))
    }

    pub fn release(&mut self, claim: &Claim) -> Done {
        self.host.run(Operation::Release(at(claim)))
    }
}
