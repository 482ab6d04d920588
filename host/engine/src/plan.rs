//! What a run should look like: the tracker's wish, cut down to what the operator
//! allows.

use serde::{Deserialize, Serialize};

use crate::landing::{Landing, LandingKind, Verify};
use crate::policy::{Policy, VerifyRule};
use crate::task::{RunId, Task, slug};
use crate::time::Millis;

/// What a coding agent may do without being asked. The order is the ladder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Whatever the CLI allows by default.
    #[default]
    Safe,
    /// Edit files in the workspace.
    AutoEdits,
    /// Run any command.
    FullAuto,
}

impl Permission {
    /// The name used in the contract.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::AutoEdits => "auto-edits",
            Self::FullAuto => "full-auto",
        }
    }

    /// Reads the name used in the contract; unknown ones count as safe.
    pub fn from_name(name: &str) -> Self {
        match name {
            "auto-edits" => Self::AutoEdits,
            "full-auto" => Self::FullAuto,
            _ => Self::Safe,
        }
    }
}

/// What a branch starts from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// What the repository has checked out now.
    #[default]
    Head,
    /// The default branch.
    DefaultBranch,
    /// This branch of the remote, fetched just before; its default branch if absent.
    Remote(Option<String>),
    /// A branch, tag or object id.
    Revision(String),
    /// The workspace in which the wished session was held, as it was left; without a
    /// session, that of the task's last run here. Where it is gone, what
    /// [`Plan::start`] says, and the session is not resumed: session and workspace
    /// never disagree.
    PreviousSession,
}

/// Bounds a tracker wishes; absent means no wish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitsWish {
    /// For one attempt.
    pub time: Option<Millis>,
    /// Longest silence of the agent.
    pub stall: Option<Millis>,
    /// Over all attempts.
    pub tokens: Option<u64>,
    /// Over all attempts.
    pub cost_usd: Option<f64>,
    /// How many attempts.
    pub attempts: Option<u32>,
    /// How long a used-up allowance is waited for.
    pub quota: Option<Millis>,
    /// No timer ends an agent, unless the operator set one.
    pub untimed: bool,
}

/// Bounds in force. `None` means unbounded, and only the operator can say so.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// For one attempt.
    pub time: Option<Millis>,
    /// Longest silence of the agent.
    pub stall: Option<Millis>,
    /// Over all attempts.
    pub tokens: Option<u64>,
    /// Over all attempts.
    pub cost_usd: Option<f64>,
    /// How many attempts; at least one.
    pub attempts: u32,
    /// How long a used-up allowance is waited for; the operator's own limit if absent.
    #[serde(default)]
    pub quota: Option<Millis>,
    /// Bytes that an attempt's agent and all it starts may use together. The
    /// operator's alone: a tracker knows nothing of this machine.
    #[serde(default)]
    pub memory: Option<u64>,
    /// Processors that an attempt's agent and all it starts may use. The operator's
    /// alone.
    #[serde(default)]
    pub cpus: Option<u32>,
}

/// What a tracker plugin wishes for a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Wish {
    /// Key of a repository; absent for the default one.
    pub repository: Option<String>,
    /// What the branch starts from.
    pub base: Base,
    /// Wished name.
    pub branch: Option<String>,
    /// Provider plugin.
    pub provider: Option<String>,
    /// Model name for the provider.
    pub model: Option<String>,
    /// Wished permission.
    pub permission: Option<Permission>,
    /// Wished bounds.
    pub limits: LimitsWish,
    /// Session to resume.
    pub session: Option<String>,
    /// Folder of the repository for worktrees.
    pub worktrees: Option<String>,
    /// Ignored paths to link into the worktree.
    pub link: Vec<String>,
    /// Judges the work.
    pub verify: Option<Verify>,
    /// What happens to finished work.
    pub landing: Landing,
    /// The workspace stays even if nothing was changed in it.
    pub keep: bool,
    /// Variables that agents of this run do not see.
    pub withhold: Vec<String>,
}

/// What a run will look like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Key of the repository.
    pub repository: String,
    /// What the branch starts from.
    pub base: Base,
    /// Name before it is made unique.
    pub branch: String,
    /// Provider plugin.
    pub provider: String,
    /// Model name, if any was chosen.
    pub model: Option<String>,
    /// In force.
    pub permission: Permission,
    /// Who set the permission: `tracker`, `operator`.
    pub permission_by: PermissionSource,
    /// In force.
    pub limits: Limits,
    /// Session to resume on the first attempt.
    pub session: Option<String>,
    /// Folder of the repository for worktrees; absent: the host's own.
    #[serde(default)]
    pub worktrees: Option<String>,
    /// Ignored paths to link into the worktree.
    #[serde(default)]
    pub link: Vec<String>,
    /// Judges the work.
    #[serde(default)]
    pub verify: Option<Verify>,
    /// What happens to finished work.
    #[serde(default)]
    pub landing: Landing,
    /// The tracker wished this landing, but the operator does not allow it.
    #[serde(default)]
    pub landing_denied: Option<LandingKind>,
    /// The workspace stays after the run even if nothing was changed in it.
    #[serde(default)]
    pub keep: bool,
    /// Variables of the provider's grant that agents of this run do not see.
    #[serde(default)]
    pub withhold: Vec<String>,
}

/// Whose word decided the permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PermissionSource {
    /// The task asked for this much and may have it.
    Tracker,
    /// The operator's ceiling, or default.
    Operator,
    /// The organisation's ceiling, which cut down what the two before would have had.
    Organisation,
}

/// Why a run cannot be done here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such repository.
    #[error("the task asks for repository `{asked}`, but this host works on {known}")]
    UnknownRepository {
        /// What the task asks for.
        asked: String,
        /// What there is.
        known: String,
    },
    /// No such provider.
    #[error("the task asks for provider `{asked}`, but this host offers {known}")]
    UnknownProvider {
        /// What the task asks for.
        asked: String,
        /// What there is.
        known: String,
    },
    /// A command that nobody allowed.
    #[error(
        "the tracker wants `{0}` run to judge the work, which its grant does not cover: allow it with \
         `host plugin allow`, or set `verify = \"ignore\"` in the configuration"
    )]
    VerifyNotAllowed(String),
    /// Nothing configured at all.
    #[error("this host has no {0}")]
    Nothing(&'static str),
}

/// Longest part of a task's key that goes into a branch or folder name.
const KEY_IN_NAMES: usize = 40;

impl Plan {
    /// The minimum of what the tracker wishes and what the operator allows.
    pub fn cut(wish: &Wish, task: &Task, run: &RunId, policy: &Policy) -> Result<Self, Refusal> {
        let repository =
            choose(wish.repository.as_ref(), &policy.repositories).map_err(|known| {
                match &wish.repository {
                    Some(asked) => Refusal::UnknownRepository { asked: asked.clone(), known },
                    None => Refusal::Nothing("repository: start it inside one, or name one with --repo"),
                }
            })?;
        let provider =
            choose(wish.provider.as_ref(), &policy.providers).map_err(|known| match &wish.provider {
                Some(asked) => Refusal::UnknownProvider { asked: asked.clone(), known },
                None => Refusal::Nothing("provider: name one with --provider"),
            })?;
        let (permission, permission_by) = cut_permission(wish.permission, policy);
        let (landing, landing_denied) = allowed_landing(&wish.landing, policy);
        let branch = wish
            .branch
            .clone()
            .filter(|name| !name.trim().is_empty())
            .unwrap_or_else(|| format!("hostler/{}-{}", slug(&task.key, KEY_IN_NAMES), run.short()));
        Ok(Self {
            repository,
            base: wish.base.clone(),
            branch,
            provider,
            model: wish.model.clone().or_else(|| policy.model.clone()),
            permission,
            permission_by,
            limits: cut_limits(&wish.limits, policy),
            session: wish.session.clone(),
            worktrees: wish.worktrees.clone(),
            link: wish.link.clone(),
            verify: allowed_verify(wish.verify.as_ref(), policy)?,
            landing,
            landing_denied,
            keep: wish.keep,
            withhold: wish.withhold.clone(),
        })
    }

    /// What a workspace starts from in which no earlier work is gone on with: a pull
    /// request can only be opened for work that started where it is to go.
    pub fn start(&self) -> Base {
        match (&self.base, &self.landing) {
            (Base::PreviousSession, Landing::PullRequest(request)) => Base::Remote(request.base.clone()),
            (Base::PreviousSession, _) => Base::Head,
            (base, _) => base.clone(),
        }
    }

    /// Branch for attempt `number`: a clean try gets a name of its own, so that
    /// the work of an earlier one is never touched.
    pub fn branch_of(&self, number: u32) -> String {
        if number <= 1 { self.branch.clone() } else { format!("{}-{number}", self.branch) }
    }
}

/// Folder name of a run's workspace for attempt `number`.
pub fn folder_of(task: &Task, run: &RunId, number: u32) -> String {
    let name = format!("{}-{}", slug(&task.key, KEY_IN_NAMES), run.short());
    if number <= 1 { name } else { format!("{name}-{number}") }
}

/// The asked one if it is known, the first if none is asked; else what is known.
fn choose(asked: Option<&String>, known: &[String]) -> Result<String, String> {
    let found = match asked {
        Some(asked) => known.iter().find(|name| *name == asked),
        None => known.first(),
    };
    found.cloned().ok_or_else(|| if known.is_empty() { "none".to_owned() } else { known.join(", ") })
}

/// How much the agent may do unasked, and whose word that was.
fn cut_permission(wish: Option<Permission>, policy: &Policy) -> (Permission, PermissionSource) {
    let operators = wish.unwrap_or(policy.permission_default).min(policy.permission_ceiling);
    let permission = operators.min(policy.most_permission());
    let by = if permission < operators {
        PermissionSource::Organisation
    } else if wish == Some(permission) {
        PermissionSource::Tracker
    } else {
        PermissionSource::Operator
    };
    (permission, by)
}

/// What is not allowed stays on its branch: no work is lost, and a person can still
/// push it.
fn allowed_landing(wish: &Landing, policy: &Policy) -> (Landing, Option<LandingKind>) {
    let kind = wish.kind();
    if kind == LandingKind::Leave || policy.landings.contains(&kind) {
        (wish.clone(), None)
    } else {
        (Landing::Leave, Some(kind))
    }
}

/// Work that was to be verified is never passed off as good without.
fn allowed_verify(wish: Option<&Verify>, policy: &Policy) -> Result<Option<Verify>, Refusal> {
    let Some(verify) = wish.filter(|verify| !verify.command.trim().is_empty()) else { return Ok(None) };
    match policy.verify {
        VerifyRule::Allow => {
            let time = Some(verify.time.unwrap_or(policy.verify_time).min(policy.verify_time));
            Ok(Some(Verify { time, ..verify.clone() }))
        }
        VerifyRule::Ignore => Ok(None),
        VerifyRule::Refuse => Err(Refusal::VerifyNotAllowed(verify.command.clone())),
    }
}

fn cut_limits(wish: &LimitsWish, policy: &Policy) -> Limits {
    let (ceiling, usual) = (&policy.limits, policy.usual);
    Limits {
        time: least(wish.time, ceiling.time.filter(|_| !(wish.untimed && usual.time))),
        stall: least(wish.stall, ceiling.stall.filter(|_| !(wish.untimed && usual.stall))),
        tokens: least(wish.tokens, ceiling.tokens),
        cost_usd: match (wish.cost_usd.filter(|cost| cost.is_finite() && *cost >= 0.0), ceiling.cost_usd) {
            (Some(wish), Some(ceiling)) => Some(wish.min(ceiling)),
            (wish, ceiling) => wish.or(ceiling),
        },
        attempts: wish.attempts.unwrap_or(ceiling.attempts).min(ceiling.attempts).max(1),
        quota: least(wish.quota, ceiling.quota),
        memory: ceiling.memory,
        cpus: ceiling.cpus,
    }
}

fn least<T: Ord>(wish: Option<T>, ceiling: Option<T>) -> Option<T> {
    match (wish, ceiling) {
        (Some(wish), Some(ceiling)) => Some(wish.min(ceiling)),
        (wish, ceiling) => wish.or(ceiling),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::landing::PullRequest;

    fn start(base: Base, landing: Landing) -> Base {
        let task = Task {
            id: "t".into(),
            key: "t".into(),
            title: "t".into(),
            sections: Vec::new(),
            priority: 0,
            data: String::new(),
        };
        let policy = Policy {
            repositories: vec!["app".into()],
            providers: vec!["command".into()],
            landings: vec![LandingKind::PullRequest],
            ..Policy::default()
        };
        let wish = Wish { base, landing, ..Wish::default() };
        let plan = Plan::cut(&wish, &task, &RunId("r".into()), &policy);
        plan.map_or_else(|refusal| panic!("{refusal}"), |plan| plan.start())
    }

    #[test]
    fn the_least_of_all_ceilings_holds_and_the_one_who_set_it_is_told() {
        use Permission::{AutoEdits, FullAuto, Safe};
        use PermissionSource::{Operator, Organisation, Tracker};
        let cut = |wish, ceiling, organisation| {
            let policy = Policy { permission_ceiling: ceiling, organisation, ..Policy::default() };
            cut_permission(wish, &policy)
        };
        assert_eq!(cut(Some(FullAuto), FullAuto, None), (FullAuto, Tracker));
        assert_eq!(cut(Some(FullAuto), AutoEdits, Some(FullAuto)), (AutoEdits, Operator));
        assert_eq!(cut(Some(FullAuto), FullAuto, Some(AutoEdits)), (AutoEdits, Organisation));
        assert_eq!(cut(None, FullAuto, Some(Safe)), (Safe, Organisation));
        assert_eq!(cut(Some(Safe), FullAuto, Some(Safe)), (Safe, Tracker));
        assert_eq!(cut(Some(FullAuto), Safe, Some(Safe)), (Safe, Operator));
    }

    #[test]
    fn where_earlier_work_is_gone_a_pull_request_starts_from_the_branch_it_is_for() {
        let request = |base: Option<&str>| {
            Landing::PullRequest(PullRequest { base: base.map(str::to_owned), ..PullRequest::default() })
        };
        assert_eq!(start(Base::PreviousSession, request(None)), Base::Remote(None));
        assert_eq!(
            start(Base::PreviousSession, request(Some("develop"))),
            Base::Remote(Some("develop".into()))
        );
        assert_eq!(start(Base::PreviousSession, Landing::Leave), Base::Head);
        assert_eq!(start(Base::DefaultBranch, request(None)), Base::DefaultBranch);
    }
}
