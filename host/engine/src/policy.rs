//! What the operator allows. It reaches the engine as an input, so that replay
//! decides as it was decided then.

use serde::{Deserialize, Serialize};

use crate::follow_up::FollowUp;
use crate::landing::LandingKind;
use crate::plan::{Limits, Permission};
use crate::time::Millis;

/// Runs at once if the operator says nothing: an agent takes a few hundred MB and
/// a good part of a core, and its account's allowance is shared.
pub const DEFAULT_SLOTS: u32 = 2;

/// Attempts per run if nobody says otherwise: one retry cures most flukes, more
/// mostly burns money.
pub const DEFAULT_ATTEMPTS: u32 = 2;

/// Time for one attempt if nobody says otherwise.
pub const DEFAULT_TIME: Millis = Millis::minutes(60);

/// Silence after which an agent counts as stalled: CLIs are silent through long
/// builds and tests, so this is generous.
pub const DEFAULT_STALL: Millis = Millis::minutes(20);

/// How long a run waits for an account's allowance before it gives up.
pub const DEFAULT_QUOTA_WAIT: Millis = Millis::minutes(6 * 60);

/// How many times a run starts again after the host was stopped or its quota was
/// used up, besides its attempts: enough for a day of restarts, not for a loop.
pub const MAX_INTERRUPTIONS: u32 = 10;

/// How long a process may stay after its CLI said it was finished.
pub const LINGER: Millis = Millis::seconds(10);

/// Time for a verification if nobody says otherwise: a full build with its tests.
pub const DEFAULT_VERIFY_TIME: Millis = Millis::minutes(30);

/// What becomes of a command that a tracker wants run to judge the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyRule {
    /// It is run.
    Allow,
    /// The run is refused: nobody allowed commands.
    #[default]
    Refuse,
    /// The operator said that it is not run.
    Ignore,
}

/// Limits that nobody set: they do not hold where a tracker promises its people that
/// no timer ends an agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsualLimits {
    /// Time for one attempt.
    pub time: bool,
    /// Longest silence.
    pub stall: bool,
    /// Runs at once: a tracker may advise another number.
    #[serde(default)]
    pub slots: bool,
}

/// What the operator allows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Runs at once; at least one.
    pub slots: u32,
    /// Keys of the repositories; the first is the default.
    pub repositories: Vec<String>,
    /// Those of them that are plain folders without worktrees: one run at a time.
    #[serde(default)]
    pub shared: Vec<String>,
    /// Provider plugins; the first is the default.
    pub providers: Vec<String>,
    /// Used where the tracker wishes nothing.
    pub model: Option<String>,
    /// Used where the tracker wishes nothing.
    pub permission_default: Permission,
    /// Never more than this.
    pub permission_ceiling: Permission,
    /// Nor more than the organisation allows, whatever the operator says.
    #[serde(default)]
    pub organisation: Option<Permission>,
    /// Ceilings.
    pub limits: Limits,
    /// Which of them are the host's own because nobody set one.
    #[serde(default)]
    pub usual: UsualLimits,
    /// Longest wait for an allowance.
    pub quota_wait: Millis,
    /// Landings that are allowed besides leaving the work on its branch.
    #[serde(default)]
    pub landings: Vec<LandingKind>,
    /// What becomes of a tracker's verify command.
    #[serde(default)]
    pub verify: VerifyRule,
    /// Ceiling for it.
    #[serde(default = "default_verify_time")]
    pub verify_time: Millis,
    /// What coming back from a pull request has its task go on.
    #[serde(default)]
    pub follow_up: FollowUp,
}

const fn default_verify_time() -> Millis {
    DEFAULT_VERIFY_TIME
}

impl Policy {
    /// The most that any agent may do here unasked, whoever says so.
    pub fn most_permission(&self) -> Permission {
        self.organisation.map_or(self.permission_ceiling, |ceiling| ceiling.min(self.permission_ceiling))
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            slots: DEFAULT_SLOTS,
            repositories: Vec::new(),
            shared: Vec::new(),
            providers: Vec::new(),
            model: None,
            permission_default: Permission::AutoEdits,
            permission_ceiling: Permission::AutoEdits,
            organisation: None,
            limits: Limits {
                time: Some(DEFAULT_TIME),
                stall: Some(DEFAULT_STALL),
                tokens: None,
                cost_usd: None,
                attempts: DEFAULT_ATTEMPTS,
                quota: None,
                memory: None,
                cpus: None,
            },
            usual: UsualLimits { time: true, stall: true, slots: true },
            quota_wait: DEFAULT_QUOTA_WAIT,
            landings: Vec::new(),
            verify: VerifyRule::default(),
            verify_time: DEFAULT_VERIFY_TIME,
            follow_up: FollowUp::default(),
        }
    }
}
