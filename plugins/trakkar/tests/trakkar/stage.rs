//! The plugin on one side, the server on the other, and a clock that both see.

use std::cell::RefCell;
use std::rc::Rc;

use hostler_plugin_trakkar::Trakkar;
use hostler_sdk::testing::{Done, FakeHost};
use hostler_sdk::tracker::{
    Claim, Control, Effect, FileChange, FollowUp, Landed, Operation, Progress, ProviderInfo, Reply, Report,
    RunRef, RunStatus, Runner,
};
use hostler_sdk::{Problem, Usage};
use serde_json::{Value, json};

use crate::fake_trakkar::{Answer, FakeTrakkar, handed_out};

/// When every test begins.
pub const START: f64 = 1_767_225_600_000.0;

pub const RUNNER: &str = "4b1e0000-0000-4000-8000-000000000000";

type Carry = Box<dyn FnMut(&Effect) -> Result<Reply, Problem>>;

pub struct Stage {
    pub trakkar: Rc<RefCell<FakeTrakkar>>,
    pub host: FakeHost<Trakkar, Carry>,
    /// How many lines were told.
    lines: u32,
}

/// A run this host was given: what the host would say of it.
pub fn at(claim: &Claim) -> RunRef {
    RunRef {
        run: format!("host-{}", claim.task.id),
        task: claim.task.clone(),
        fence: claim.lease.unwrap().fence,
    }
}

pub fn report(state: &str, reason: &str, message: &str) -> Report {
    Report {
        state: state.into(),
        reason: reason.into(),
        retryable: false,
        message: message.into(),
        summary: "Added it.".into(),
        branch: Some("trakkar/t_one-add-csv-export".into()),
        base: None,
        head: None,
        files: vec![FileChange { path: "a.ts".into(), kind: "added".into(), added: 1, removed: 0 }],
        attempts: 1,
        usage: Usage::default(),
        elapsed: 1_000,
        session: Some("s1".into()),
        provider: "claude-code".into(),
        verified: None,
        landed: None,
    }
}

/// The report of work that is in a pull request.
pub fn opened() -> Report {
    let landed = Landed {
        kind: "pull-request".into(),
        url: Some("https://github.com/acme/api/pull/7".into()),
        number: Some(7),
        note: String::new(),
    };
    Report { landed: Some(landed), ..report("succeeded", "", "") }
}

pub fn runner(providers: &[&str], slots: u32) -> Runner {
    let provider = |name: &&str| ProviderInfo {
        name: (*name).to_owned(),
        version: "2.1.0".to_owned(),
        capabilities: Vec::new(),
    };
    Runner {
        id: format!("host_{RUNNER}"),
        name: "ada's machine".into(),
        version: "0.1.0".into(),
        providers: providers.iter().map(provider).collect(),
        repositories: vec!["app".into()],
        slots,
    }
}

pub fn problem(done: &Done) -> &Problem {
    done.result.as_ref().unwrap().as_ref().unwrap_err()
}

impl Stage {
    /// Before the host has said who it is.
    pub fn unregistered(config: &Value) -> Self {
        let trakkar = Rc::new(RefCell::new(FakeTrakkar::default()));
        let served = Rc::clone(&trakkar);
        let carry: Carry = Box::new(move |effect| served.borrow_mut().answer(effect));
        let mut stage = Self { trakkar, host: FakeHost::open(config, carry).unwrap(), lines: 0 };
        stage.set_now(START);
        stage
    }

    pub fn with(config: &Value) -> Self {
        let mut stage = Self::unregistered(config);
        assert_eq!(stage.register().result, Some(Ok(())));
        stage
    }

    /// Registered at [`START`].
    pub fn new() -> Self {
        Self::with(&json!({}))
    }

    pub fn set_now(&mut self, now: f64) {
        self.host.set_now(now);
        self.trakkar.borrow_mut().now = now;
    }

    /// Seconds after [`START`].
    pub fn at_second(&mut self, seconds: f64) {
        self.set_now(START + seconds * 1_000.0);
    }

    pub fn next(&mut self, end: &str, answer: Answer) {
        self.trakkar.borrow_mut().next(end, answer);
    }

    pub fn bodies(&self, end: &str) -> Vec<Value> {
        self.trakkar.borrow().bodies(end)
    }

    /// Everything that was asked, in order.
    pub fn calls(&self) -> Vec<String> {
        self.trakkar.borrow().seen.iter().map(|seen| seen.call.clone()).collect()
    }

    pub fn register(&mut self) -> Done {
        self.host.run(Operation::Register(runner(&["claude-code"], 4)))
    }

    pub fn poll(&mut self, slots: u32) -> Done {
        self.host.run(Operation::Poll(slots))
    }

    /// A task that is handed out and claimed.
    pub fn claimed(&mut self, id: &str) -> Claim {
        self.next("claim", handed_out(&[id]));
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

    /// What a heartbeat of one run that works brings, but for the word that it is ours.
    pub fn word_on(&mut self, claim: &Claim) -> Vec<Control> {
        let done = self.heartbeat(&[(claim, "running")]);
        let controls = done.controls.into_iter().map(|(run, control)| {
            assert_eq!(run, at(claim).run);
            control
        });
        controls.filter(|control| !matches!(control, Control::Renewed(_))).collect()
    }

    /// The next line of a run.
    pub fn line(&mut self, text: &str) -> Progress {
        self.lines += 1;
        Progress { sequence: self.lines, at: START, kind: "text".into(), text: text.to_owned() }
    }

    pub fn progress(&mut self, claim: &Claim, lines: &[&str]) -> Done {
        let lines = lines.iter().map(|text| self.line(text)).collect();
        self.host.run(Operation::Progress((at(claim), lines)))
    }

    pub fn report(&mut self, claim: &Claim, report: Report) -> Done {
        self.host.run(Operation::Report((at(claim), report)))
    }

    /// Something came back to the work of a run that is over.
    pub fn follow_up(&mut self, claim: &Claim, number: u32, message: &str) -> Done {
        let word = FollowUp { number, message: message.to_owned() };
        self.host.run(Operation::FollowUp((at(claim), word)))
    }

    pub fn release(&mut self, claim: &Claim) -> Done {
        self.host.run(Operation::Release(at(claim)))
    }

    /// Another connection, with what this one saved.
    pub fn reconnect(&self) -> hostler_sdk::tracker::Connection<Trakkar> {
        hostler_sdk::tracker::Connection::open("{}", Some(self.host.connection().save())).unwrap()
    }
}
