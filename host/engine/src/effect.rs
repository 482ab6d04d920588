//! Everything the engine wants done. The daemon carries an effect out after the
//! input that led to it is durable, and answers with an input that names the step.

use serde::{Deserialize, Serialize};

use crate::follow_up::Told;
use crate::landing::Verify;
use crate::outcome::EndReason;
use crate::plan::Base;
use crate::report::Report;
use crate::step::Step;
use crate::task::RunRef;

/// Something to be done for a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Effect {
    /// The step the answer must name.
    pub at: Step,
    /// What to do. Safe to do again after a crash.
    pub action: Action,
}

/// Where and from what a workspace is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkspaceOrder {
    /// Key of the repository.
    pub repository: String,
    /// What to start from, unless `start` says it exactly.
    pub base: Base,
    /// Object id to start from, once it is known.
    pub start: Option<String>,
    /// Wished name of the branch.
    pub branch: String,
    /// Name of the folder.
    pub folder: String,
    /// Number of the attempt that first works in it.
    pub number: u32,
    /// Session whose workspace is to be gone on with, if this host still has it.
    #[serde(default)]
    pub session: Option<String>,
    /// The workspace of the task's last run here is to be gone on with, whatever its
    /// session.
    #[serde(default)]
    pub last: bool,
    /// Folder of the repository in which it is made; the host's own if absent.
    #[serde(default)]
    pub worktrees: Option<String>,
    /// Ignored paths of the checkout that are linked into it.
    #[serde(default)]
    pub link: Vec<String>,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "action")]
pub enum Action {
    /// Make the offered task ours.
    Claim,
    /// Ask the tracker plugin what the run should look like.
    Plan,
    /// Make the workspace, or open it again.
    Prepare {
        /// How.
        order: WorkspaceOrder,
    },
    /// Prompt, launch, start the process.
    Start {
        /// Counts from 1.
        attempt: u32,
        /// Session to resume.
        session: Option<String>,
    },
    /// End the agent's whole process tree; `AttemptEnded` comes when it is proven.
    End {
        /// Which attempt.
        attempt: u32,
        /// Why.
        why: EndReason,
    },
    /// After a restart: take the attempt's agent up again. `Adopted` comes if it
    /// works, `AttemptEnded` when it is proven that nothing of it lives.
    Adopt {
        /// Which attempt.
        attempt: u32,
    },
    /// After a restart, for an attempt that was being ended: prove that nothing of it
    /// lives, ending what does; `AttemptEnded` comes when it is proven.
    Reap {
        /// Which attempt.
        attempt: u32,
    },
    /// See what changed.
    Collect,
    /// Have the work judged by a command, after proving that none of an earlier start
    /// of this host is left.
    Verify {
        /// How.
        verify: Verify,
    },
    /// Bring the work where the plan says.
    Land,
    /// Ask the tracker plugin what to do about the failure.
    Advise,
    /// Tell the tracker how it ended.
    Report {
        /// What to tell.
        report: Box<Report>,
    },
    /// Give the task back untouched.
    Release,
    /// The run is closed: its workspace may go if nothing is in it.
    Tidy,
    /// Something came back from the pull request of a run that is over: have the tracker
    /// take its task up again. The step's number is the word's.
    FollowUp {
        /// The run.
        run: Box<RunRef>,
        /// What to tell.
        told: Told,
    },
    /// Tell the person at the host something about a run that is over.
    Say {
        /// One sentence or two.
        message: String,
    },
}
