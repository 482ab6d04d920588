//! What is left of a run that is closed.

use hostler_engine::Input;
use hostler_engine::run::Run;
use hostler_workspaces::Removal;
use tokio::sync::oneshot;

use crate::collection::CollectionLock;
use crate::finishing::land::landed_in;
use crate::message::Message;
use crate::rooms::Rooms;

/// Carries `Action::Tidy` out.
pub async fn tidy(rooms: &Rooms, run: &Run) {
    if let Err(reason) = tidy_worktree(rooms, run).await {
        tracing::info!("the worktree of {} stays: {reason}", run.task.key);
    }
    rooms.couriers.forget(&run.id);
    if let Some(environments) = &rooms.environments {
        environments.forget(&run.id);
    }
    rooms.tell(Input::Tidied { run: run.id.clone() }).await;
}

/// A worktree goes only if nothing is in it, or if all of it has landed; the workspaces
/// room checks that itself. One that the tracker wants kept stays for a later run until
/// its work has landed. The error is why it stays.
async fn tidy_worktree(rooms: &Rooms, run: &Run) -> Result<(), String> {
    let kept = run.plan.as_ref().is_some_and(|plan| plan.keep);
    let unchanged = run.changes.files.is_empty() && run.changes.commits == 0 && !kept;
    let landed = landed_in(run);
    let (Some(place), Some(workspace)) = (rooms.place_of(run), &run.workspace) else { return Ok(()) };
    if !unchanged && landed.is_none() {
        return Ok(());
    }
    let home = rooms.home.clone();
    let alone = crate::blocking::run(move || CollectionLock::to_remove(&home)).await;
    let alone = alone.map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
    // Whoever takes it up from here on waits, and makes it again.
    if is_used_by_another(rooms, run).await {
        return Err("another run of the task is under way".to_owned());
    }
    let record = workspace.record.clone();
    let removed = crate::blocking::run(move || {
        let _alone = alone;
        match landed {
            Some(into) => place.put_away(&record, &into),
            None => place.remove_unchanged(&record),
        }
    });
    match removed.await.map_err(|error| error.to_string())? {
        Some(Removal::Kept { reason }) => Err(reason),
        removal => {
            tracing::debug!("workspace of {}: {removal:?}", run.task.key);
            Ok(())
        }
    }
}

/// Whether another open run may have taken the worktree up. A host that is ending does
/// not know, and tidies up at its next start.
async fn is_used_by_another(rooms: &Rooms, run: &Run) -> bool {
    let (ask, answer) = oneshot::channel();
    if rooms.inbox.send(Message::Runs(ask)).await.is_err() {
        return true;
    }
    let Ok(runs) = answer.await else { return true };
    let same_task =
        |other: &crate::view::RunView| (&other.tracker, &other.task_id) == (&run.tracker, &run.task.id);
    runs.iter().any(|other| !other.closed && other.id != run.id.0 && same_task(other))
}
