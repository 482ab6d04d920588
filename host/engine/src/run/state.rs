//! What a run can be doing, and the small records it keeps.

use serde::{Deserialize, Serialize};

use crate::landing::Verification;
use crate::outcome::{EndReason, Outcome};
use crate::problem::Problem;
use crate::report::Report;
use crate::task::RunId;
use crate::time::{Millis, Timestamp};

/// Where an attempt works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workspace {
    /// Absolute.
    pub path: String,
    /// Checked out there; empty in a plain folder.
    pub branch: String,
    /// Object id it started from; empty in a plain folder.
    pub base: String,
    /// Number of the attempt that first worked in it.
    pub number: u32,
    /// Whether an earlier run's work is in it.
    #[serde(default)]
    pub continued: bool,
    /// What the workspaces room needs to find it again; opaque here.
    pub record: String,
}

impl Workspace {
    /// Whether earlier work, of this run or one before, is in it at `attempt`.
    pub const fn holds_work_at(&self, attempt: u32) -> bool {
        self.continued || attempt > self.number
    }
}

/// The lease as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldLease {
    /// The agent must be ended by then.
    pub deadline: Timestamp,
    /// How long a renewal lasts.
    pub ttl: Millis,
    /// How often to renew.
    pub renew_every: Millis,
    /// `false` after a restart, until the tracker has confirmed it.
    pub confirmed: bool,
}

/// One attempt that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// When the process was asked for.
    pub started: Timestamp,
    /// When its end was proven.
    pub ended: Timestamp,
    /// Branch it worked on.
    pub branch: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What the verification of its work found, if there was one.
    #[serde(default)]
    pub verified: Option<Verification>,
}

/// A wish that the run ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// For the record.
    pub why: EndReason,
    /// For people.
    pub message: String,
}

/// What a run is doing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum State {
    /// Another run of the same task must be proven dead first.
    Blocked {
        /// Which one.
        by: RunId,
    },
    /// Making the task ours.
    Claiming,
    /// Asking what it should look like.
    Planning,
    /// Making the workspace.
    Preparing {
        /// How often it was tried.
        #[serde(default)]
        tries: u32,
        /// When it is tried again; `None` while a try is under way.
        #[serde(default)]
        next_try: Option<Timestamp>,
    },
    /// Starting the process.
    Starting {
        /// Which attempt.
        attempt: u32,
    },
    /// The agent works.
    Running {
        /// Which attempt.
        attempt: u32,
        /// To find the process again; opaque here.
        process: String,
        /// When the agent was last heard of.
        heard: Timestamp,
        /// When the CLI said it was finished.
        finished: Option<Timestamp>,
    },
    /// The host has started again: finding out whether the agent still works.
    Adopting {
        /// Which attempt.
        attempt: u32,
        /// When the CLI said it was finished.
        finished: Option<Timestamp>,
    },
    /// The agent is being ended; waiting for the proof.
    Ending {
        /// Which attempt.
        attempt: u32,
        /// Why; `None` when only the proof is missing: its tracker is not there to work for.
        why: Option<EndReason>,
    },
    /// Seeing what changed.
    Collecting,
    /// A command judges the work.
    Verifying {
        /// The host was stopped meanwhile; it is asked again at the next start.
        paused: bool,
    },
    /// Bringing the work where the plan says.
    Landing {
        /// How often it was tried.
        tries: u32,
        /// When it is tried again; `None` while a try is under way.
        next_try: Option<Timestamp>,
    },
    /// Asking what to do about a failure.
    Advising,
    /// Until the next attempt.
    Waiting {
        /// Not before.
        until: Timestamp,
    },
    /// Telling the tracker.
    Reporting {
        /// What it is told.
        report: Box<Report>,
        /// How often it was tried.
        tries: u32,
        /// When it is tried again; `None` while a try is under way.
        next_try: Option<Timestamp>,
        /// Why the last try did not work.
        last_problem: Option<Problem>,
    },
    /// Giving the task back untouched.
    Releasing,
    /// Waiting for a person.
    Parked {
        /// Why.
        reason: String,
        /// The report that could not be delivered, if that is why.
        report: Option<Box<Report>>,
    },
    /// Over.
    Closed {
        /// How.
        how: Closing,
        /// What the tracker was told, if anything.
        report: Option<Box<Report>>,
    },
}

/// How a run was closed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Closing {
    /// The tracker has the report.
    Reported,
    /// The task went to somebody else; the reason.
    Lost(String),
    /// It was never ours, or given back; the reason.
    NotOurs(String),
}

impl State {
    /// Name for listings; stable.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Blocked { .. } => "blocked",
            Self::Claiming => "claiming",
            Self::Planning => "planning",
            Self::Preparing { .. } => "preparing",
            Self::Starting { .. } => "starting",
            Self::Running { .. } => "running",
            Self::Adopting { .. } => "adopting",
            Self::Ending { .. } => "ending",
            Self::Collecting => "collecting",
            Self::Verifying { .. } => "verifying",
            Self::Landing { .. } => "landing",
            Self::Advising => "advising",
            Self::Waiting { .. } => "waiting",
            Self::Reporting { .. } => "reporting",
            Self::Releasing => "releasing",
            Self::Parked { .. } => "parked",
            Self::Closed { .. } => "closed",
        }
    }

    /// Whether it takes one of the host's slots.
    pub const fn occupies_slot(&self) -> bool {
        !matches!(
            self,
            Self::Blocked { .. }
                | Self::Verifying { paused: true }
                | Self::Waiting { .. }
                | Self::Reporting { .. }
                | Self::Releasing
                | Self::Parked { .. }
                | Self::Closed { .. }
        )
    }

    /// Whether a process of this run may live.
    pub const fn may_have_agent(&self) -> bool {
        matches!(
            self,
            Self::Starting { .. } | Self::Running { .. } | Self::Adopting { .. } | Self::Ending { .. }
        )
    }
}
