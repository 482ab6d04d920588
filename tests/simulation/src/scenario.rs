//! What a seed stands for: the world as it is set up, and the faults that befall it.
//! Plain data, so that a failing scenario can be made smaller.

use hostler_engine::landing::LandingKind;
use hostler_engine::plan::Limits;
use hostler_engine::policy::{Policy, VerifyRule};
use hostler_engine::time::{Millis, Timestamp};

use crate::fault::{Fault, draw_faults};
use crate::random::Random;

/// When the simulated world begins.
pub const BEGINNING: Timestamp = Timestamp(1_000_000_000);

/// The one tracker's name.
pub const TRACKER: &str = "tracker";

/// What tasks may say: a plain folder that runs share, a command that judges the
/// work and whose failures go back to the agent, a branch to push.
const DATA: [&str; 6] = ["", "plain", "plain", "verify again push", "verify", "push"];

/// How tasks come to hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// The tracker offers, a host claims.
    Offers,
    /// The answer to a poll gives tasks away.
    Gives,
}

/// One task.
#[derive(Clone, Copy, Debug)]
pub struct TaskSpec {
    /// Stable, also in a smaller scenario: agents behave by it.
    pub number: usize,
    /// When it can be had.
    pub arrives: Timestamp,
    /// What the tracker's plugin reads in it: words for what it wishes.
    pub data: &'static str,
}

/// A whole world to be.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Where it comes from.
    pub seed: u64,
    /// How many hosts compete.
    pub hosts: usize,
    /// Runs at once, per host.
    pub slots: u32,
    /// How tasks are given out.
    pub style: Style,
    /// How long a lease lasts; `None`: claims are for ever.
    pub lease: Option<Millis>,
    /// In force for every run.
    pub limits: Limits,
    /// In order of arrival.
    pub tasks: Vec<TaskSpec>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// No fault begins after this.
    pub calm: Timestamp,
}

impl Scenario {
    /// The scenario of a seed.
    pub fn of(seed: u64) -> Self {
        let mut random = Random::of(seed, &[1]);
        let style = if random.one_in(2) { Style::Gives } else { Style::Offers };
        let without_lease = style == Style::Offers && random.one_in(8);
        let lease = [30, 60, 120].map(Millis::seconds)[random.index(3)];
        let hosts = [1, 2, 2, 2, 3][random.index(5)];
        let calm = BEGINNING + random.seconds(60, 600);
        let count = [1, 1, 2, 2, 3, 4][random.index(6)];
        let special = random.one_in(3);
        let tasks = (0..count).map(|number| TaskSpec {
            number,
            arrives: BEGINNING + random.seconds(0, 60),
            data: if special { DATA[random.index(DATA.len())] } else { "" },
        });
        let tasks: Vec<_> = tasks.collect();
        let limits = Limits {
            time: Some(random.seconds(120, 240)),
            stall: Some(random.seconds(40, 60)),
            tokens: random.one_in(4).then(|| random.between(500, 5000)),
            cost_usd: None,
            attempts: random.count(1, 3),
            quota: None,
            memory: None,
            cpus: None,
        };
        let slots = random.count(1, 2);
        let faults = draw_faults(&mut random, hosts, tasks.len(), calm);
        let lease = (!without_lease).then_some(lease);
        Self { seed, hosts, slots, style, lease, limits, tasks, faults, calm }
    }

    /// What the operators allow.
    pub fn policy(&self) -> Policy {
        Policy {
            slots: self.slots,
            repositories: vec!["main".to_owned(), "plain".to_owned()],
            shared: vec!["plain".to_owned()],
            providers: vec!["agent".to_owned()],
            limits: self.limits,
            quota_wait: Millis::minutes(10),
            verify: VerifyRule::Allow,
            landings: vec![LandingKind::Push],
            ..Policy::default()
        }
    }
}
