//! Everything the world tells the engine. Inputs are journalled before their
//! effects run, so each of them is plain data.

use serde::{Deserialize, Serialize};

use crate::follow_up::Seen;
use crate::landing::{Landed, Verification};
use crate::outcome::{Outcome, Usage};
use crate::plan::Wish;
use crate::policy::Policy;
use crate::problem::Problem;
use crate::report::Changes;
use crate::run::Workspace;
use crate::step::Step;
use crate::task::{Claim, Fence, Lease, RunId, Task};
use crate::time::{Millis, Timestamp};
use crate::verdict::Verdict;

/// A task that could be claimed, with the id its run would have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Fresh.
    pub run: RunId,
    /// What is offered.
    pub task: Task,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "input")]
pub enum Input {
    /// The operator's policy; once per start, and when it changes.
    Configured {
        /// In force from now on.
        policy: Policy,
        /// Trackers that can be spoken to. Runs of others sleep until theirs is back.
        trackers: Vec<String>,
    },
    /// The host has started: what was under way is uncertain.
    Restarted,
    /// The tracker shows tasks.
    Offered {
        /// Which tracker.
        tracker: String,
        /// In the tracker's order.
        offers: Vec<Offer>,
    },
    /// The tracker gave a task without being asked for this one.
    Given {
        /// Which tracker.
        tracker: String,
        /// Fresh id for its run.
        run: RunId,
        /// When the request was sent that brought it: leases count from there.
        sent: Timestamp,
        /// What was given.
        claim: Claim,
    },
    /// Answer to [`Action::Claim`](crate::effect::Action::Claim).
    ClaimAnswered {
        /// Which step this answers.
        at: Step,
        /// When the claim was sent: the lease counts from there.
        sent: Timestamp,
        /// The lease, if there is one, or why it is not ours.
        answer: Result<Option<Lease>, Problem>,
        /// Names of the environment variables that came with it.
        #[serde(default)]
        environment: Vec<String>,
    },
    /// Answer to [`Action::Plan`](crate::effect::Action::Plan).
    Planned {
        /// Which step this answers.
        at: Step,
        /// What the tracker wishes.
        wish: Result<Wish, Problem>,
    },
    /// Answer to [`Action::Prepare`](crate::effect::Action::Prepare).
    Prepared {
        /// Which step this answers.
        at: Step,
        /// Where the attempt works.
        workspace: Result<Workspace, Problem>,
    },
    /// Answer to [`Action::Start`](crate::effect::Action::Start): the process runs.
    Started {
        /// Which step this answers.
        at: Step,
        /// What the agents room needs to find the process again.
        process: String,
    },
    /// Answer to [`Action::Adopt`](crate::effect::Action::Adopt): the agent still
    /// works, and what it says is heard again.
    Adopted {
        /// Which step this answers.
        at: Step,
        /// What the agents room needs to find the process again.
        process: String,
    },
    /// The agent was heard of. Coalesced: at most one every few seconds.
    Heard {
        /// Which run.
        run: RunId,
        /// Which attempt.
        attempt: u32,
        /// Totals of the attempt so far.
        usage: Usage,
    },
    /// The CLI said it is finished; its process may stay a little.
    AgentFinished {
        /// Which run.
        run: RunId,
        /// Which attempt.
        attempt: u32,
    },
    /// The attempt is over, and it is proven that nothing of it lives.
    AttemptEnded {
        /// Which run.
        run: RunId,
        /// Which attempt.
        attempt: u32,
        /// How.
        outcome: Outcome,
    },
    /// Answer to [`Action::Collect`](crate::effect::Action::Collect).
    Collected {
        /// Which step this answers.
        at: Step,
        /// What the run changed.
        changes: Result<Changes, Problem>,
    },
    /// Answer to [`Action::Verify`](crate::effect::Action::Verify): nothing of the
    /// command lives any more.
    Verified {
        /// Which step this answers.
        at: Step,
        /// What it found, or why it could not be run.
        found: Result<Verification, Problem>,
    },
    /// Answer to [`Action::Land`](crate::effect::Action::Land).
    Landed {
        /// Which step this answers.
        at: Step,
        /// Where the work is, or why it is not there.
        landed: Result<Landed, Problem>,
    },
    /// Answer to [`Action::Advise`](crate::effect::Action::Advise).
    Advised {
        /// Which step this answers.
        at: Step,
        /// The plugin's advice; `None` if it gave none.
        verdict: Option<Verdict>,
    },
    /// Answer to [`Action::Report`](crate::effect::Action::Report).
    Reported {
        /// Which step this answers.
        at: Step,
        /// Accepted, or not.
        answer: Result<(), Problem>,
    },
    /// Answer to [`Action::Release`](crate::effect::Action::Release).
    Released {
        /// Which step this answers.
        at: Step,
        /// Accepted, or not.
        answer: Result<(), Problem>,
    },
    /// Answer to [`Action::Tidy`](crate::effect::Action::Tidy): the run can be
    /// forgotten here; it lives on in the journal.
    Tidied {
        /// Which run.
        run: RunId,
    },
    /// A look at the pull request of a run that is over: only what is new in it.
    PullRequestSeen {
        /// The run that is named in the watch.
        run: RunId,
        /// What the forge shows.
        seen: Seen,
    },
    /// Answer to [`Action::FollowUp`](crate::effect::Action::FollowUp).
    FollowUpAnswered {
        /// Which word of which run this answers.
        at: Step,
        /// Taken, or not.
        answer: Result<(), Problem>,
    },
    /// A heartbeat was accepted.
    Renewed {
        /// Which run.
        run: RunId,
        /// The fence it was sent under.
        fence: Fence,
        /// When it was sent.
        sent: Timestamp,
        /// Valid from then on for this long.
        ttl: Millis,
    },
    /// The tracker wants a run to end.
    CancelAsked {
        /// Which run.
        run: RunId,
        /// The fence under which the word came.
        fence: Fence,
        /// For people.
        reason: String,
    },
    /// The tracker says the task is not ours any more.
    LeaseLost {
        /// Which run.
        run: RunId,
        /// The fence under which the word came.
        fence: Fence,
        /// For people.
        reason: String,
    },
    /// A person on this machine wants a run to end.
    StopAsked {
        /// Which run.
        run: RunId,
    },
    /// No new work; what runs may finish.
    Drain,
    /// End what runs, now; it goes on at the next start.
    StopNow,
    /// The machine has slept: nobody could be heard meanwhile.
    Woke {
        /// For so long.
        slept: Millis,
    },
    /// A deadline may have passed.
    Tick,
}

impl Input {
    /// The run this is about, if it is about one.
    pub fn run(&self) -> Option<&RunId> {
        match self {
            Self::Configured { .. }
            | Self::Restarted
            | Self::Offered { .. }
            | Self::Drain
            | Self::StopNow
            | Self::Woke { .. }
            | Self::Tick => None,
            Self::ClaimAnswered { at, .. }
            | Self::Planned { at, .. }
            | Self::Prepared { at, .. }
            | Self::Started { at, .. }
            | Self::Adopted { at, .. }
            | Self::Collected { at, .. }
            | Self::Verified { at, .. }
            | Self::Landed { at, .. }
            | Self::Advised { at, .. }
            | Self::Reported { at, .. }
            | Self::Released { at, .. }
            | Self::FollowUpAnswered { at, .. } => Some(&at.run),
            Self::Given { run, .. }
            | Self::Heard { run, .. }
            | Self::AgentFinished { run, .. }
            | Self::AttemptEnded { run, .. }
            | Self::Tidied { run }
            | Self::PullRequestSeen { run, .. }
            | Self::Renewed { run, .. }
            | Self::CancelAsked { run, .. }
            | Self::LeaseLost { run, .. }
            | Self::StopAsked { run } => Some(run),
        }
    }
}
