//! Runs as people and programs see them: stable field names for `--json`, the
//! control API and the projection in the journal.

use hostler_engine::landing::{Landed, Verification};
use hostler_engine::outcome::Usage;
use hostler_engine::report::{FileChange, Report};
use hostler_engine::run::{Closing, Run, State};
use hostler_engine::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A run. All times are milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// Unique for ever; any unique part of it names the run on the command line.
    pub id: String,
    /// The tracker's id of the task.
    pub task_id: String,
    /// The task's short name.
    pub task_key: String,
    /// The task's title.
    pub title: String,
    /// Name of the tracker.
    pub tracker: String,
    /// Empty until it is known.
    pub provider: String,
    /// What it is doing now; see the manual for the list.
    pub state: String,
    /// How it ended: `succeeded`, `failed`, `cancelled`, `lost`, `not-ours`; absent
    /// while it is under way.
    pub result: Option<String>,
    /// Why it is in this state, and what it waits for; one sentence or empty.
    pub why: String,
    /// When the next thing is tried, if it waits for a time.
    #[serde(default)]
    pub until: Option<i64>,
    /// When it entered the state.
    pub since: i64,
    /// When it was offered or given.
    pub created: i64,
    /// Number of the attempt under way or last made; 0 before the first.
    pub attempt: u32,
    /// Those that are over.
    pub attempts: Vec<AttemptView>,
    /// Branch with the work.
    pub branch: Option<String>,
    /// Object id it started from.
    pub base: Option<String>,
    /// Object id the branch has now.
    pub head: Option<String>,
    /// Absolute path of the worktree, on this machine.
    pub workspace: Option<String>,
    /// `safe`, `auto-edits` or `full-auto`.
    pub permission: Option<String>,
    /// `tracker` or `operator`.
    pub permission_by: Option<String>,
    /// If one was chosen.
    pub model: Option<String>,
    /// Variables that its agents do not see, because the tracker does not want them to.
    #[serde(default)]
    pub withheld: Vec<String>,
    /// Of all attempts.
    pub usage: Usage,
    /// Files changed since `base`.
    pub files: Vec<FileChange>,
    /// What the verify command found in the last attempt's work; absent if it was not run.
    #[serde(default)]
    pub verified: Option<Verification>,
    /// Where finished work is; absent if it has not landed.
    #[serde(default)]
    pub landed: Option<Landed>,
    /// What the tracker is or was told.
    pub report: Option<Report>,
    /// Whether it is over.
    pub closed: bool,
}

/// One attempt that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptView {
    /// Counts from 1.
    pub number: u32,
    /// `succeeded` or `failed`.
    pub state: String,
    /// Empty when it succeeded.
    pub reason: String,
    /// One sentence; empty when it succeeded.
    pub message: String,
    /// When its process was asked for.
    pub started: i64,
    /// When its end was proven.
    pub ended: i64,
    /// Branch it worked on.
    pub branch: String,
    /// Of this attempt.
    pub usage: Usage,
    /// To resume it.
    pub session: Option<String>,
}

impl RunView {
    /// How a run looks now.
    pub fn of(run: &Run) -> Self {
        let workspace = run.workspace.as_ref();
        let plan = run.plan.as_ref();
        let under_way = u32::from(run.state.may_have_agent());
        Self {
            id: run.id.0.clone(),
            task_id: run.task.id.clone(),
            task_key: run.task.key.clone(),
            title: run.task.title.clone(),
            tracker: run.tracker.clone(),
            provider: plan.map(|plan| plan.provider.clone()).unwrap_or_default(),
            state: run.state.name().to_owned(),
            result: result(run),
            why: why(run),
            until: until(run),
            since: run.since.0,
            created: run.created.0,
            attempt: u32::try_from(run.attempts.len()).unwrap_or(u32::MAX).saturating_add(under_way),
            attempts: run.attempts.iter().map(AttemptView::of).collect(),
            branch: workspace.map(|workspace| workspace.branch.clone()),
            base: workspace.map(|workspace| workspace.base.clone()),
            head: run.changes.head.clone(),
            workspace: workspace.map(|workspace| workspace.path.clone()),
            permission: plan.map(|plan| plan.permission.name().to_owned()),
            permission_by: plan.map(|plan| format!("{:?}", plan.permission_by).to_ascii_lowercase()),
            model: plan.and_then(|plan| plan.model.clone()),
            withheld: plan.map(|plan| plan.withhold.clone()).unwrap_or_default(),
            usage: run.spent(),
            files: run.changes.files.clone(),
            verified: run.attempts.last().and_then(|attempt| attempt.verified.clone()),
            landed: run.landed.clone(),
            report: report(run).cloned(),
            closed: run.is_closed(),
        }
    }
}

impl AttemptView {
    fn of(attempt: &hostler_engine::run::Attempt) -> Self {
        let outcome = &attempt.outcome;
        Self {
            number: attempt.number,
            state: if outcome.succeeded() { "succeeded" } else { "failed" }.to_owned(),
            reason: outcome.reason.clone(),
            message: outcome.message.clone(),
            started: attempt.started.0,
            ended: attempt.ended.0,
            branch: attempt.branch.clone(),
            usage: outcome.usage,
            session: outcome.session.clone(),
        }
    }
}

fn report(run: &Run) -> Option<&Report> {
    match &run.state {
        State::Reporting { report, .. } => Some(report),
        State::Parked { report, .. } | State::Closed { report, .. } => report.as_deref(),
        _ => None,
    }
}

fn result(run: &Run) -> Option<String> {
    let told = || report(run).map(|report| report.state.name().to_owned());
    match &run.state {
        State::Closed { how: Closing::Lost(_), .. } => Some("lost".to_owned()),
        State::Closed { how: Closing::NotOurs(_), report: None } => Some("not-ours".to_owned()),
        State::Closed { .. } | State::Reporting { .. } | State::Parked { .. } => told(),
        _ => None,
    }
}

fn until(run: &Run) -> Option<i64> {
    match &run.state {
        State::Waiting { until } => Some(until.0),
        State::Preparing { next_try, .. }
        | State::Reporting { next_try, .. }
        | State::Landing { next_try, .. } => next_try.map(|at| at.0),
        _ => None,
    }
}

/// Why a run is in its state and what happens next, for people.
fn why(run: &Run) -> String {
    match &run.state {
        State::Blocked { .. } => "waits until the earlier run of this task is proven ended".to_owned(),
        State::Claiming => "asks the tracker for the task".to_owned(),
        State::Planning => "asks the tracker plugin how to work on it".to_owned(),
        State::Preparing { tries, next_try: Some(_) } => {
            format!("the worktree could not be made {tries} times; it is tried again")
        }
        State::Preparing { .. } => "makes the worktree".to_owned(),
        State::Starting { .. } => "starts the agent".to_owned(),
        State::Running { finished: Some(_), .. } => {
            "the agent is finished; its process is about to end".to_owned()
        }
        State::Running { .. } => String::new(),
        State::Adopting { .. } => "looks whether the agent of the host before still works".to_owned(),
        State::Ending { why: Some(why), .. } => format!("ends the agent ({})", why.name()),
        State::Ending { why: None, .. } => "makes sure nothing of an earlier host's agent lives".to_owned(),
        State::Collecting => "looks at what changed".to_owned(),
        State::Verifying { .. } => "the work is judged by the verify command".to_owned(),
        State::Landing { tries, next_try } => match next_try {
            None => "the work is on its way to where it lands".to_owned(),
            Some(_) => format!("the work could not land {tries} times; it is tried again"),
        },
        State::Advising => "asks the tracker plugin whether to try again".to_owned(),
        State::Waiting { .. } => waiting(run),
        State::Reporting { tries, last_problem: Some(problem), .. } => {
            format!("the report was not delivered after {tries} tries: {problem}")
        }
        State::Reporting { .. } => "tells the tracker".to_owned(),
        State::Releasing => "gives the task back".to_owned(),
        State::Parked { reason, .. } => format!("waits for you: {reason}"),
        State::Closed { how: Closing::Lost(reason) | Closing::NotOurs(reason), .. } => reason.clone(),
        State::Closed { how: Closing::Reported, report } => {
            report.as_ref().map(|report| report.message.clone()).unwrap_or_default()
        }
    }
}

fn waiting(run: &Run) -> String {
    let last = run.attempts.last().map(|attempt| attempt.outcome.message.as_str()).unwrap_or_default();
    if run.lease.is_some_and(|lease| !lease.confirmed) {
        return "waits for the tracker to confirm that the task is still ours".to_owned();
    }
    format!("tries again; the last attempt: {last}")
}

/// A line of progress for a terminal or a log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "notice")]
pub enum Notice {
    /// A run changed.
    Run {
        /// How it looks now.
        run: Box<RunView>,
    },
    /// An agent did something.
    Event {
        /// Which run.
        run: String,
        /// When.
        at: Timestamp,
        /// One line.
        line: String,
        /// Totals of the attempt so far.
        usage: Usage,
    },
    /// Something about the tracker or the host itself worth saying once.
    Host {
        /// One sentence.
        message: String,
        /// Whether somebody should act.
        warning: bool,
    },
}

/// What a running host says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HostView {
    /// Process id.
    pub pid: u32,
    /// Version of Hostler.
    pub version: String,
    /// When it was started.
    pub started: i64,
    /// `open`, `draining` or `stopping`.
    pub mode: String,
    /// Runs at once.
    pub slots: u32,
    /// How many more could start now.
    pub free_slots: u32,
    /// Name of the tracker.
    pub tracker: String,
    /// When the tracker last answered, if ever.
    pub tracker_heard: Option<i64>,
    /// Why the tracker does not answer, if it does not.
    pub tracker_problem: Option<String>,
    /// Providers by name.
    pub providers: Vec<ProviderView>,
    /// Repositories by key.
    pub repositories: Vec<String>,
    /// Reports that are not delivered yet.
    pub undelivered_reports: u32,
    /// Effects that no grant covered, by reason.
    pub denied: std::collections::BTreeMap<String, u64>,
    /// Where requests of the tracker plugin beyond its grant are only noted: the rights
    /// that cover all it sent so far, as TOML for its entry in the file of grants.
    #[serde(default)]
    pub observed: Option<String>,
    /// Open runs.
    pub runs: Vec<RunView>,
}

/// A coding CLI as this host found it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProviderView {
    /// The plugin's id.
    pub name: String,
    /// As the CLI prints it; empty if it is missing.
    pub version: String,
    /// Absolute path of the program.
    pub program: Option<String>,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Why it cannot be used.
    pub problem: Option<String>,
}
