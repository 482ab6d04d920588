//! Invariants I1, I3, I5 and I8 under arbitrary sequences of inputs: answers that
//! come late, twice or not at all, restarts at any moment, leases that move. And what
//! comes back from a pull request reaches one agent, and the tracker a few times at most.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};

use hostler_engine::follow_up::{Check, CheckState, FollowUp, MAX_CONTINUATIONS, Seen, Standing};
use hostler_engine::input::Offer;
use hostler_engine::landing::{Landed, Landing, LandingKind, PullRequest, Verification, Verify};
use hostler_engine::outcome::{Class, Outcome, OutcomeState, Usage};
use hostler_engine::plan::Wish;
use hostler_engine::policy::{Policy, VerifyRule};
use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::report::Changes;
use hostler_engine::run::Workspace;
use hostler_engine::task::{Claim, Fence, Lease, RunId, Task};
use hostler_engine::time::{Millis, Timestamp};
use hostler_engine::verdict::Verdict;
use hostler_engine::{Action, Effect, Engine, Input};
use proptest::prelude::*;
use proptest::test_runner::RngAlgorithm;

/// What the world does next. Numbers choose among what is possible then.
#[derive(Clone, Debug)]
enum Move {
    Offer { task: u8 },
    Give { task: u8, fence: u8 },
    Answer { which: u8, how: u8 },
    AnswerTwice { which: u8, how: u8 },
    Heard { which: u8, tokens: u16 },
    Finished { which: u8 },
    AgentDies { which: u8, how: u8 },
    Renew { which: u8, fence: u8 },
    LoseLease { which: u8, fence: u8 },
    Cancel { which: u8 },
    Look { which: u8, what: u8 },
    Pass { seconds: u16 },
    Restart,
    Drain,
    StopNow,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        3 => any::<u8>().prop_map(|task| Move::Offer { task }),
        3 => (any::<u8>(), 1..5_u8).prop_map(|(task, fence)| Move::Give { task, fence }),
        30 => (any::<u8>(), any::<u8>()).prop_map(|(which, how)| Move::Answer { which, how }),
        3 => (any::<u8>(), any::<u8>()).prop_map(|(which, how)| Move::AnswerTwice { which, how }),
        4 => (any::<u8>(), any::<u16>()).prop_map(|(which, tokens)| Move::Heard { which, tokens }),
        2 => any::<u8>().prop_map(|which| Move::Finished { which }),
        6 => (any::<u8>(), any::<u8>()).prop_map(|(which, how)| Move::AgentDies { which, how }),
        2 => (any::<u8>(), 0..5_u8).prop_map(|(which, fence)| Move::Renew { which, fence }),
        2 => (any::<u8>(), 0..5_u8).prop_map(|(which, fence)| Move::LoseLease { which, fence }),
        1 => any::<u8>().prop_map(|which| Move::Cancel { which }),
        6 => (any::<u8>(), any::<u8>()).prop_map(|(which, what)| Move::Look { which, what }),
        4 => any::<u16>().prop_map(|seconds| Move::Pass { seconds }),
        2 => Just(Move::Restart),
        1 => Just(Move::Drain),
        1 => Just(Move::StopNow),
    ];
    prop::collection::vec(one, 1..120)
}

/// The engine and everything around it, simulated.
struct World {
    engine: Engine,
    now: Timestamp,
    next_run: u32,
    /// Effects nobody has answered yet.
    open: Vec<Effect>,
    /// Agents that may live: run, attempt, task.
    live: BTreeSet<(RunId, u32, String)>,
    record: Vec<(Timestamp, String)>,
    floor: BTreeMap<RunId, (usize, u64, Millis)>,
    /// Which run was given what came back.
    given: BTreeMap<String, RunId>,
}

fn task(id: u8) -> Task {
    let id = format!("task-{}", id % 4);
    Task { key: id.clone(), title: id.clone(), id, sections: vec![], priority: 0, data: String::new() }
}

fn policy() -> Policy {
    Policy {
        slots: 3,
        landings: vec![LandingKind::Push, LandingKind::PullRequest],
        follow_up: FollowUp::All,
        verify: VerifyRule::Allow,
        repositories: vec!["main".to_owned()],
        providers: vec!["agent".to_owned()],
        ..Policy::default()
    }
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            engine: Engine::default(),
            now: Timestamp(1_000_000),
            next_run: 0,
            open: vec![],
            live: BTreeSet::new(),
            record: vec![],
            floor: BTreeMap::new(),
            given: BTreeMap::new(),
        };
        world.tell(Input::Configured { policy: policy(), trackers: vec!["t".to_owned()] });
        world
    }

    fn tell(&mut self, input: Input) {
        self.record.push((self.now, serde_json::to_string(&input).unwrap()));
        if let Input::AttemptEnded { run, attempt, .. } = &input {
            self.live.retain(|(of, number, _)| of != run || number != attempt);
        }
        let effects = self.engine.apply(self.now, input);
        for effect in &effects {
            self.note_start(effect);
            self.check_follow_up(effect);
        }
        self.open.extend(effects);
        self.check_nothing_goes_backwards();
        self.check_given_once();
    }

    /// Nobody is told to go on with what an agent works on, nor for ever.
    fn check_follow_up(&self, effect: &Effect) {
        let Action::FollowUp { run, told } = &effect.action else { return };
        assert!(self.live.iter().all(|(_, _, task)| *task != run.task.id), "an agent has it: {run:?}");
        let words = self.engine.pull_requests().find(|watched| watched.run.run == run.run).unwrap();
        assert!(words.continuations < MAX_CONTINUATIONS && words.words == told.number, "{words:?}");
    }

    /// What came back is given to one run, once.
    fn check_given_once(&mut self) {
        for run in self.engine.runs() {
            let mut seen = BTreeSet::new();
            for check in &run.brought.checks {
                assert!(seen.insert(&check.id), "{} has {} twice", run.id, check.id);
                let given = self.given.entry(check.id.clone()).or_insert_with(|| run.id.clone());
                assert_eq!(*given, run.id, "{} was given to two runs", check.id);
            }
        }
    }

    /// I1: from here on a process may live, until its end is proven.
    fn note_start(&mut self, effect: &Effect) {
        let Action::Start { attempt, .. } = effect.action else { return };
        let task = self.engine.run(&effect.at.run).unwrap().task.id.clone();
        assert!(self.live.iter().all(|(_, _, of)| *of != task), "a second agent for {task}: {:?}", self.live);
        self.live.insert((effect.at.run.clone(), attempt, task));
    }

    /// I3.
    fn check_nothing_goes_backwards(&mut self) {
        for run in self.engine.runs() {
            let now = (run.attempts.len(), run.spent().tokens(), run.last_pause);
            let before = self.floor.insert(run.id.clone(), now).unwrap_or_default();
            assert!(now.0 >= before.0 && now.1 >= before.1 && now.2 >= before.2, "{before:?} became {now:?}");
        }
    }

    fn fresh_id(&mut self) -> RunId {
        self.next_run += 1;
        RunId(format!("run-{:04}", self.next_run))
    }

    fn chosen_run(&self, which: u8) -> Option<RunId> {
        let runs: Vec<_> = self.engine.runs().map(|run| run.id.clone()).collect();
        runs.get(usize::from(which) % runs.len().max(1)).cloned()
    }

    fn chosen_agent(&self, which: u8) -> Option<(RunId, u32)> {
        let agents: Vec<_> = self.live.iter().map(|(run, attempt, _)| (run.clone(), *attempt)).collect();
        agents.get(usize::from(which) % agents.len().max(1)).cloned()
    }

    fn take(&mut self, step: &Move) {
        match *step {
            Move::Offer { task: id } => {
                let offers = vec![Offer { run: self.fresh_id(), task: task(id) }];
                self.tell(Input::Offered { tracker: "t".to_owned(), offers });
            }
            Move::Give { task: id, fence } => {
                let (run, sent) = (self.fresh_id(), self.now);
                let lease = Lease {
                    ttl: Millis::seconds(60),
                    renew_every: Millis::seconds(15),
                    fence: Fence(u64::from(fence)),
                };
                let claim = Claim { task: task(id), lease: Some(lease), environment: vec![] };
                self.tell(Input::Given { tracker: "t".to_owned(), run, sent, claim });
            }
            Move::Answer { which, how } => self.answer(which, how, true),
            Move::AnswerTwice { which, how } => self.answer(which, how, false),
            Move::Heard { which, tokens } => {
                if let Some((run, attempt)) = self.chosen_agent(which) {
                    let usage = Usage { input_tokens: u64::from(tokens), ..Usage::default() };
                    self.tell(Input::Heard { run, attempt, usage });
                }
            }
            Move::Finished { which } => {
                if let Some((run, attempt)) = self.chosen_agent(which) {
                    self.tell(Input::AgentFinished { run, attempt });
                }
            }
            Move::AgentDies { which, how } => {
                if let Some((run, attempt)) = self.chosen_agent(which) {
                    self.tell(Input::AttemptEnded { run, attempt, outcome: outcome(how) });
                }
            }
            Move::Renew { which, fence } => {
                if let Some(run) = self.chosen_run(which) {
                    let (sent, ttl) = (self.now, Millis::seconds(60));
                    self.fenced(run, fence, |run, fence| Input::Renewed { run, fence, sent, ttl });
                }
            }
            Move::LoseLease { which, fence } => {
                if let Some(run) = self.chosen_run(which) {
                    let reason = "elsewhere".to_owned();
                    self.fenced(run, fence, |run, fence| Input::LeaseLost { run, fence, reason });
                }
            }
            Move::Cancel { which } => {
                if let Some(run) = self.chosen_run(which) {
                    self.tell(Input::StopAsked { run });
                }
            }
            Move::Look { which, what } => self.look(which, what),
            Move::Pass { seconds } => {
                self.now = self.now + Millis::seconds(u64::from(seconds));
                self.tell(Input::Tick);
            }
            Move::Restart => {
                // Nothing that was asked for before will be answered now.
                self.open.clear();
                self.tell(Input::Restarted);
            }
            Move::Drain => self.tell(Input::Drain),
            Move::StopNow => self.tell(Input::StopNow),
        }
    }

    /// A look at a pull request, mostly open and on our commit, with some checks.
    fn look(&mut self, which: u8, what: u8) {
        // Many looks come after a quiet minute: only then is anything told.
        if !what.is_multiple_of(4) {
            self.take(&Move::Pass { seconds: 60 });
        }
        let watched: Vec<_> = self.engine.pull_requests().collect();
        let Some(watched) = watched.get(usize::from(which) % watched.len().max(1)) else { return };
        let standing = if what == 0 { Standing::Merged } else { Standing::Open };
        let head = if what == 1 { "foreign".to_owned() } else { watched.heads.last().unwrap().clone() };
        let check = |number: u8| Check {
            id: format!("{}-{}", watched.run.task.id, number),
            name: "build".to_owned(),
            state: if what.is_multiple_of(7) { CheckState::Pending } else { CheckState::Failed },
            conclusion: String::new(),
            summary: String::new(),
            link: String::new(),
        };
        let seen = Seen { standing, head, checks: (0..what / 32).map(check).collect(), remarks: vec![] };
        let run = watched.run.run.clone();
        if let Some(seen) = watched.news(&seen, FollowUp::All, self.now) {
            self.tell(Input::PullRequestSeen { run, seen });
        }
    }

    /// I5: a word under another fence than the run's changes nothing.
    fn fenced(&mut self, run: RunId, fence: u8, input: impl FnOnce(RunId, Fence) -> Input) {
        let fence = Fence(u64::from(fence));
        let stale = self.engine.run(&run).unwrap().fence != fence;
        let before = self.engine.clone();
        self.tell(input(run, fence));
        if stale {
            // Time moves on its own, so compare with what a mere look would do.
            let mut looked = before;
            looked.apply(self.now, Input::Drain);
            let mut now = self.engine.clone();
            now.apply(self.now, Input::Drain);
            assert_eq!(now, looked, "a stale fence changed something");
        }
    }

    fn answer(&mut self, which: u8, how: u8, remove: bool) {
        if self.open.is_empty() {
            return;
        }
        let index = usize::from(which) % self.open.len();
        let effect = if remove { self.open.remove(index) } else { self.open[index].clone() };
        let at = effect.at;
        let well = !how.is_multiple_of(4);
        let trouble = Problem::new(
            [ProblemKind::Transient, ProblemKind::Permanent, ProblemKind::Gone, ProblemKind::Auth]
                [usize::from(how / 4) % 4],
            "trouble",
        );
        let sent = self.now;
        let input = match effect.action {
            Action::Claim => {
                let answer = if well { Ok(None) } else { Err(trouble) };
                Input::ClaimAnswered { at, sent, answer, environment: vec![] }
            }
            Action::Plan => Input::Planned { at, wish: if well { Ok(wish(how)) } else { Err(trouble) } },
            Action::Prepare { order } => {
                let workspace = Workspace {
                    path: order.folder,
                    branch: order.branch,
                    base: "base".to_owned(),
                    number: order.number,
                    continued: false,
                    record: String::new(),
                };
                Input::Prepared { at, workspace: if well { Ok(workspace) } else { Err(trouble) } }
            }
            Action::Start { .. } => Input::Started { at, process: "p".to_owned() },
            // The agent was never started, has ended, or still works.
            Action::Adopt { attempt } if !well => {
                Input::AttemptEnded { run: at.run, attempt, outcome: outcome(how) }
            }
            Action::Adopt { .. } => Input::Adopted { at, process: "p".to_owned() },
            Action::End { attempt, .. } | Action::Reap { attempt } => {
                Input::AttemptEnded { run: at.run, attempt, outcome: outcome(how) }
            }
            Action::Collect => {
                let changes = Changes { commits: u32::from(how % 3), ..Changes::default() };
                Input::Collected { at, changes: if well { Ok(changes) } else { Err(trouble) } }
            }
            Action::Verify { .. } => {
                let passed = how.is_multiple_of(3);
                let found = Verification { passed, summary: "judged".to_owned(), tail: String::new() };
                Input::Verified { at, found: if well { Ok(found) } else { Err(trouble) } }
            }
            Action::Land => {
                let plan = self.engine.run(&at.run).and_then(|run| run.plan.clone());
                let requests = plan.is_some_and(|plan| plan.landing.kind() == LandingKind::PullRequest);
                let kind = if requests { "pull-request" } else { "pushed" }.to_owned();
                let (number, head) = (requests.then_some(7), Some(at.run.0.clone()));
                let landed = Landed { kind, url: None, number, head, note: String::new() };
                Input::Landed { at, landed: if well { Ok(landed) } else { Err(trouble) } }
            }
            Action::Advise => {
                let verdict =
                    Verdict::Retry { after: Millis::seconds(u64::from(how)), fresh: how.is_multiple_of(2) };
                Input::Advised { at, verdict: Some(verdict) }
            }
            Action::Report { .. } => Input::Reported { at, answer: if well { Ok(()) } else { Err(trouble) } },
            Action::Release => Input::Released { at, answer: Ok(()) },
            Action::Tidy => Input::Tidied { run: at.run },
            Action::FollowUp { .. } => {
                Input::FollowUpAnswered { at, answer: if well { Ok(()) } else { Err(trouble) } }
            }
            Action::Say { .. } => return,
        };
        self.tell(input);
    }
}

/// Some runs are judged by a command, and some land.
fn wish(how: u8) -> Wish {
    let verify = Verify { command: "true".to_owned(), time: None, feed_back: u32::from(how % 3) };
    Wish {
        verify: how.is_multiple_of(2).then_some(verify),
        landing: match how % 5 {
            0 => Landing::Push,
            1 | 2 => Landing::PullRequest(PullRequest::default()),
            _ => Landing::Leave,
        },
        ..Wish::default()
    }
}

fn outcome(how: u8) -> Outcome {
    let classes = [
        Class::Retryable,
        Class::Permanent,
        Class::Quota,
        Class::Auth,
        Class::Interrupted,
        Class::Retryable,
        Class::Retryable,
    ];
    let usage = Usage { output_tokens: u64::from(how), ..Usage::default() };
    let failed = Outcome::failed("x", classes[usize::from(how) % classes.len()], "x");
    let state = if how.is_multiple_of(3) { OutcomeState::Succeeded } else { OutcomeState::Failed };
    Outcome { state, usage, session: how.is_multiple_of(2).then(|| "s".to_owned()), ..failed }
}

proptest! {
    // The usual generator is made for secrecy and takes two thirds of the time here.
    #![proptest_config(ProptestConfig {
        cases: 2_000, rng_algorithm: RngAlgorithm::XorShift, ..ProptestConfig::default()
    })]

    #[test]
    fn invariants_hold_whatever_happens(script in moves()) {
        let mut world = World::new();
        for step in &script {
            world.take(step);
        }
        // I8: replaying the record gives the same state, twice, also from a snapshot.
        let replay = |mut engine: Engine, record: &[(Timestamp, String)]| {
            for (at, input) in record {
                engine.apply(*at, serde_json::from_str(input).unwrap());
            }
            engine
        };
        let once = replay(Engine::default(), &world.record);
        prop_assert_eq!(&once, &world.engine);
        prop_assert_eq!(&replay(Engine::default(), &world.record), &world.engine);
        let middle = world.record.len() / 2;
        let half = replay(Engine::default(), &world.record[..middle]);
        let snapshot: Engine = serde_json::from_str(&serde_json::to_string(&half).unwrap()).unwrap();
        prop_assert_eq!(&replay(snapshot, &world.record[middle..]), &world.engine);
    }

    /// Liveness: when everything is answered well, every run ends, each with one report.
    #[test]
    fn every_run_ends_once_the_world_behaves(script in moves()) {
        let mut world = World::new();
        for step in &script {
            world.take(step);
        }
        world.open.clear();
        world.tell(Input::Restarted);
        for _ in 0..2000 {
            if world.engine.is_done() {
                break;
            }
            let held: Vec<_> = world.engine.runs().map(|run| (run.id.clone(), run.fence)).collect();
            for (run, fence) in held {
                let (sent, ttl) = (world.now, Millis::seconds(60));
                world.tell(Input::Renewed { run, fence, sent, ttl });
            }
            if world.open.is_empty() {
                match world.chosen_agent(0) {
                    Some((run, attempt)) => {
                        world.tell(Input::AttemptEnded { run, attempt, outcome: outcome(0) });
                    }
                    None => world.take(&Move::Pass { seconds: 30 }),
                }
            } else {
                world.answer(0, 3, true);
            }
        }
        let states: Vec<_> = world.engine.runs().map(|run| run.state.name()).collect();
        prop_assert!(world.engine.is_done(), "{:?}", states);
    }
}
