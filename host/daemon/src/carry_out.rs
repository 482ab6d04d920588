//! Carries out the engine's effects. Each answers with an input that names the
//! step; each is safe to do again after a crash.

use std::sync::Arc;

use hostler_components::operation::Operation;
use hostler_engine::effect::WorkspaceOrder;
use hostler_engine::problem::Problem;
use hostler_engine::report::{Changes, Report};
use hostler_engine::run::Run;
use hostler_engine::sandbox::Tier;
use hostler_engine::step::Step;
use hostler_engine::{Action, Effect, Input};
use hostler_journal::audit::Event;
use hostler_workspaces::{CollectError, Isolation, RemoteError};

use crate::attempt;
use crate::attempt::sandboxed::tier_of;
use crate::finishing::land::land;
use crate::finishing::tidy::tidy;
use crate::place::{Found, Prepared};
use crate::plugins::judgement;
use crate::plugins::providers::Provider;
use crate::rooms::Rooms;
use crate::view::Notice;

/// Carries out one effect for a run as it was when the effect was decided; a few are about
/// runs that are over.
pub async fn carry_out(rooms: Arc<Rooms>, run: Option<Run>, effect: Effect) {
    let Effect { at, action } = effect;
    match (action, run) {
        (Action::FollowUp { run, told }, _) => crate::follow_up::tell(&rooms, at, *run, told).await,
        (Action::Say { message }, _) => rooms.show(Notice::Host { message, warning: true }),
        (action, Some(run)) => Box::pin(carry_out_for(rooms, run, at, action)).await,
        (action, None) => tracing::debug!("a run is over for which there was something to do: {action:?}"),
    }
}

async fn carry_out_for(rooms: Arc<Rooms>, run: Run, at: Step, action: Action) {
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
        Action::Adopt { attempt } => attempt::adopt(rooms, run, at, attempt).await,
        Action::Reap { attempt } => attempt::reap(rooms, run, attempt).await,
        Action::Collect => collect(&rooms, &run, at).await,
        Action::Verify { verify } => crate::finishing::verify::verify(rooms, run, at, verify).await,
        Action::Land => land(rooms, &run, at).await,
        Action::Advise => advise(&rooms, &run, at).await,
        Action::Report { report } => report_to_tracker(&rooms, &run, at, report).await,
        Action::Release => {
            let answered = rooms.tracker.operate(Operation::Release(run.reference())).await;
            rooms.tell(Input::Released { at, answer: answered.result }).await;
        }
        Action::Tidy => tidy(&rooms, &run).await,
        // These are about runs that are over.
        Action::FollowUp { .. } | Action::Say { .. } => {}
    }
}

/// Whether an action speaks to the tracker or asks its plugin. A run of a tracker
/// that is not there keeps its state, and is asked for again when it is back.
const fn needs_tracker(action: &Action) -> bool {
    !matches!(
        action,
        Action::End { .. } | Action::Adopt { .. } | Action::Reap { .. } | Action::Collect | Action::Tidy
    )
}

async fn claim(rooms: &Rooms, run: &Run, at: Step) {
    let answered = rooms.tracker.operate(Operation::Claim(run.reference())).await;
    let (mut lease, mut environment) = (None, Vec::new());
    if let Some(given) = answered.claimed.into_iter().next() {
        rooms.keep_environment(&run.id, given.environment);
        (lease, environment) = (given.claim.lease, given.claim.environment);
    }
    let answer = answered.result.map(|()| lease);
    rooms.tell(Input::ClaimAnswered { at, sent: answered.sent, answer, environment }).await;
}

async fn plan(rooms: &Rooms, run: &Run, at: Step) {
    let wish = judgement::plan(rooms, run)
        .await
        .unwrap_or_else(|error| Err(Problem::permanent(format!("A plugin failed: {error}."))));
    rooms.tell(Input::Planned { at, wish }).await;
}

async fn prepare(rooms: &Rooms, run: &Run, at: Step, order: WorkspaceOrder) {
    let workspace = match rooms.place_of(run) {
        None => Err(Problem::permanent("its repository is not configured any more")),
        Some(place) => {
            let isolation = isolation(rooms, run);
            let (home, run, cancel) = (rooms.home.clone(), run.clone(), rooms.cancel.clone());
            let organisation = Arc::clone(&rooms.organisation);
            let work = move || {
                let allowed = organisation.check_place(&place);
                allowed.map_err(|why| Problem::permanent(format!("{why}.")))?;
                let prepared = place.prepare(&home, &run, &order, isolation, &cancel);
                prepared.map_err(|error| unprepared(&error))
            };
            crate::blocking::run(work)
                .await
                .unwrap_or_else(|error| Err(Problem::transient(error.to_string())))
        }
    };
    let workspace = workspace.map(|Prepared { workspace, note }| {
        if let Some(message) = note {
            rooms.show(Notice::Host { message, warning: false });
        }
        workspace
    });
    rooms.tell(Input::Prepared { at, workspace }).await;
}

/// Where an agent writes in its workspace only, its git has to find everything there.
fn isolation(rooms: &Rooms, run: &Run) -> Isolation {
    let tier = |provider: Arc<Provider>| tier_of(rooms, &provider).unwrap_or_default();
    match rooms.provider_of(run).map_or(Tier::None, tier) {
        Tier::None => rooms.isolation,
        Tier::Basic | Tier::Contained => Isolation::Clone,
    }
}

/// What a remote has to do with it may pass.
fn unprepared(error: &RemoteError) -> Problem {
    let message = format!("The workspace could not be used: {error}.");
    if error.is_temporary() { Problem::transient(message) } else { Problem::permanent(message) }
}

fn problem(error: &CollectError) -> Problem {
    Problem::permanent(match error {
        CollectError::Workspace(error) => format!("The workspace could not be used: {error}."),
        refused => format!("{refused}."),
    })
}

async fn collect(rooms: &Rooms, run: &Run, at: Step) {
    let found = match (rooms.place_of(run), &run.workspace) {
        (Some(place), Some(workspace)) => {
            let (record, patch_file) = (workspace.record.clone(), rooms.home.patch(&run.id));
            crate::blocking::run(move || place.collect(&record, &patch_file))
                .await
                .map_err(|error| Problem::transient(error.to_string()))
                .and_then(|looked| looked.map_err(|error| problem(&error)))
        }
        // An attempt that never had a workspace has changed nothing.
        _ => Ok(Found { changes: Changes::default(), note: None }),
    };
    let changes = found.map(|Found { changes, note }| {
        if let Some(note) = note {
            rooms.show(Notice::Host { message: format!("{}: {note}", run.task.key), warning: true });
        }
        changes
    });
    if let Err(problem) = &changes {
        let message = format!("{}: what changed is not known: {problem}", run.task.key);
        rooms.show(Notice::Host { message, warning: true });
    }
    rooms.tell(Input::Collected { at, changes }).await;
}

async fn advise(rooms: &Rooms, run: &Run, at: Step) {
    let verdict = judgement::retry(rooms, run).await;
    rooms.tell(Input::Advised { at, verdict }).await;
}

async fn report_to_tracker(rooms: &Arc<Rooms>, run: &Run, at: Step, report: Box<Report>) {
    rooms.couriers.hurry(rooms, run).await;
    let state = report.state.name().to_owned();
    let answered = rooms.tracker.operate(Operation::Report(run.reference(), report)).await;
    let accepted = answered.result.is_ok();
    rooms.audit.note(Event::Reported { run: run.id.0.clone(), state, accepted }).await;
    rooms.tell(Input::Reported { at, answer: answered.result }).await;
}
