//! Carries out the engine's effects. Each answers with an input that names the
//! step; each is safe to do again after a crash.

use std::sync::Arc;

use hostler_components::operation::Operation;
use hostler_engine::effect::WorkspaceOrder;
use hostler_engine::input::Step;
use hostler_engine::plan::Base;
use hostler_engine::problem::Problem;
use hostler_engine::report::{ChangeKind, Changes, FileChange, Report};
use hostler_engine::run::{Run, Workspace};
use hostler_engine::task::slug;
use hostler_engine::{Action, Effect, Input};
use hostler_workspaces as workspaces;
use hostler_workspaces::{Order, Repository, WorkspaceError};

use crate::attempt;
use crate::rooms::Rooms;
use crate::view::Notice;

/// A patch kept beside a run is cut at this size; the branch has the whole work.
const PATCH_BYTES: usize = 4 * 1024 * 1024;

/// Longest part of a wished branch name that is kept when the name itself cannot be.
const BRANCH_PART: usize = 60;

/// Carries out one effect for a run as it was when the effect was decided.
pub async fn carry_out(rooms: Arc<Rooms>, run: Run, effect: Effect) {
    let Effect { at, action } = effect;
    if run.tracker != rooms.tracker.name() && needs_tracker(&action) {
        let (key, tracker) = (&run.task.key, &run.tracker);
        let message =
            format!("{key} came from `{tracker}`: start with `--plugin {tracker}` to go on with it.");
        return rooms.show(Notice::Host { message, warning: true });
    }
    match action {
        Action::Claim => claim(&rooms, &run, at).await,
        Action::Plan => plan(&rooms, &run, at).await,
        Action::Prepare { order } => prepare(&rooms, &run, at, order).await,
        Action::Start { attempt, session } => {
            attempt::carry_through(rooms, run, at, attempt, session).await;
        }
        Action::End { attempt, why } => {
            // One that is not there has just ended by itself; its end is on its way.
            if let Some(handle) = rooms.attempts.get(&run.id, attempt) {
                handle.end(why).await;
            }
        }
        Action::Reap { attempt } => attempt::reap(rooms, run, attempt).await,
        Action::Collect => collect(&rooms, &run, at).await,
        Action::Advise => advise(&rooms, &run, at).await,
        Action::Report { report } => report_to_tracker(&rooms, &run, at, report).await,
        Action::Release => {
            let answered = rooms.tracker.operate(Operation::Release(run.reference())).await;
            rooms.tell(Input::Released { at, answer: answered.result }).await;
        }
        Action::Tidy => tidy(&rooms, &run).await,
    }
}

/// Whether an action speaks to the tracker or asks its plugin. A run of a tracker
/// that is not there keeps its state, and is asked for again when it is back.
const fn needs_tracker(action: &Action) -> bool {
    !matches!(action, Action::End { .. } | Action::Reap { .. } | Action::Collect | Action::Tidy)
}

async fn claim(rooms: &Rooms, run: &Run, at: Step) {
    let answered = rooms.tracker.operate(Operation::Claim(run.reference())).await;
    let lease = answered.claimed.first().and_then(|claim| claim.lease);
    let answer = answered.result.map(|()| lease);
    rooms.tell(Input::ClaimAnswered { at, sent: answered.sent, answer }).await;
}

async fn plan(rooms: &Rooms, run: &Run, at: Step) {
    let (judge, config, task) = (Arc::clone(&rooms.judge), rooms.judge_config.clone(), run.task.clone());
    let wish = match crate::blocking::run(move || judge.plan(&config, task)).await {
        Ok(Ok(wish)) => wish,
        Ok(Err(error)) => Err(Problem::permanent(format!("A plugin failed: {error}."))),
        Err(error) => Err(Problem::permanent(error.to_string())),
    };
    rooms.tell(Input::Planned { at, wish }).await;
}

async fn prepare(rooms: &Rooms, run: &Run, at: Step, order: WorkspaceOrder) {
    let workspace = match rooms.repository_of(run) {
        None => Err(Problem::permanent("its repository is not configured any more")),
        Some(repository) => {
            let id = run.id.clone();
            let short = id.short().to_owned();
            crate::blocking::run(move || make_workspace(&repository, &id.0, &short, &order))
                .await
                .map_err(|error| Problem::transient(error.to_string()))
                .and_then(|made| made.map_err(|error| problem(&error)))
        }
    };
    rooms.tell(Input::Prepared { at, workspace }).await;
}

fn problem(error: &WorkspaceError) -> Problem {
    Problem::permanent(format!("The workspace could not be used: {error}."))
}

fn make_workspace(
    repository: &Repository,
    run: &str,
    short: &str,
    order: &WorkspaceOrder,
) -> Result<Workspace, WorkspaceError> {
    let start = match &order.start {
        Some(id) => repository.resolve(&workspaces::Base::Revision(id.clone()))?,
        None => repository.resolve(&base(&order.base))?,
    };
    let ordered = |branch: String| Order {
        run: run.to_owned(),
        attempt: order.number,
        folder: order.folder.clone(),
        branch,
        start,
    };
    let made = match repository.prepare(&ordered(order.branch.clone())) {
        // The same name comes out after a crash, so the workspace is found again.
        Err(WorkspaceError::BranchTaken { .. } | WorkspaceError::InvalidName { .. }) => {
            let part = slug(&order.branch, BRANCH_PART);
            repository.prepare(&ordered(format!("hostler/{part}-{short}-{}", order.number)))?
        }
        made => made?,
    };
    Ok(Workspace {
        path: made.path.display().to_string(),
        branch: made.order.branch.clone(),
        base: made.order.start.to_string(),
        number: order.number,
        record: serde_json::to_string(&made).unwrap_or_default(),
    })
}

fn base(base: &Base) -> workspaces::Base {
    match base {
        Base::Head => workspaces::Base::Head,
        Base::DefaultBranch => workspaces::Base::DefaultBranch,
        Base::Revision(revision) => workspaces::Base::Revision(revision.clone()),
    }
}

async fn collect(rooms: &Rooms, run: &Run, at: Step) {
    let changes = match opened(rooms, run) {
        Some((repository, workspace)) => {
            let patch_file = rooms.home.patch(&run.id);
            crate::blocking::run(move || look(&repository, &workspace, &patch_file))
                .await
                .map_err(|error| Problem::transient(error.to_string()))
                .and_then(|looked| looked.map_err(|error| problem(&error)))
        }
        None => Err(Problem::permanent("there is no workspace to look at")),
    };
    if let Err(problem) = &changes {
        let message = format!("{}: what changed is not known: {problem}", run.task.key);
        rooms.show(Notice::Host { message, warning: true });
    }
    rooms.tell(Input::Collected { at, changes }).await;
}

fn opened(rooms: &Rooms, run: &Run) -> Option<(Arc<Repository>, workspaces::Workspace)> {
    let workspace = serde_json::from_str(&run.workspace.as_ref()?.record).ok()?;
    Some((rooms.repository_of(run)?, workspace))
}

fn look(
    repository: &Repository,
    workspace: &workspaces::Workspace,
    patch_file: &std::path::Path,
) -> Result<Changes, WorkspaceError> {
    let found = repository.changes(workspace)?;
    let patch = repository.patch(workspace, PATCH_BYTES)?;
    if let Err(error) = crate::files::replace(patch_file, &patch.text) {
        tracing::warn!("the patch is not kept in {}: {error}", patch_file.display());
    }
    for omitted in &found.omitted {
        tracing::warn!("not counted among the changes: {omitted:?}");
    }
    Ok(Changes {
        head: found.head.map(|id| id.to_string()),
        files: found.files.iter().map(file_change).collect(),
        commits: found.commits,
        uncommitted: found.uncommitted,
    })
}

fn file_change(change: &workspaces::FileChange) -> FileChange {
    let kind = match change.kind {
        workspaces::ChangeKind::Added => ChangeKind::Added,
        workspaces::ChangeKind::Deleted => ChangeKind::Deleted,
        workspaces::ChangeKind::Renamed { .. } => ChangeKind::Renamed,
        workspaces::ChangeKind::Modified | workspaces::ChangeKind::TypeChanged => ChangeKind::Modified,
    };
    let lines = change.lines.unwrap_or(workspaces::Lines { added: 0, removed: 0 });
    FileChange {
        path: change.path.display().to_string(),
        kind,
        added: lines.added.into(),
        removed: lines.removed.into(),
    }
}

async fn advise(rooms: &Rooms, run: &Run, at: Step) {
    let (judge, config, task) = (Arc::clone(&rooms.judge), rooms.judge_config.clone(), run.task.clone());
    let history = run.attempts.clone();
    let verdict = match crate::blocking::run(move || judge.retry(&config, task, &history)).await {
        Ok(Ok(verdict)) => Some(verdict),
        Ok(Err(error)) => {
            tracing::warn!("{error}");
            None
        }
        Err(error) => {
            tracing::warn!("{error}");
            None
        }
    };
    rooms.tell(Input::Advised { at, verdict }).await;
}

async fn report_to_tracker(rooms: &Rooms, run: &Run, at: Step, report: Box<Report>) {
    let answered = rooms.tracker.operate(Operation::Report(run.reference(), report)).await;
    rooms.tell(Input::Reported { at, answer: answered.result }).await;
}

/// A closed run's worktree goes only if nothing is in it; the workspaces room
/// checks that itself.
async fn tidy(rooms: &Rooms, run: &Run) {
    let unchanged = run.changes.files.is_empty() && run.changes.commits == 0;
    if let (true, Some((repository, workspace))) = (unchanged, opened(rooms, run)) {
        let proof = workspaces::RemovalProof::NoChanges;
        match crate::blocking::run(move || repository.remove(&workspace, &proof)).await {
            Ok(removal) => tracing::debug!("workspace of {}: {removal:?}", run.task.key),
            Err(error) => tracing::warn!("{error}"),
        }
    }
    rooms.tell(Input::Tidied { run: run.id.clone() }).await;
}
