//! Looks at the pull requests of runs that are over, as long as the operator wants their
//! tasks to go on because of what comes back. What is new goes to the engine, which
//! decides; what it decides is told to the tracker here.

mod pace;
pub mod standing;

use std::collections::BTreeMap;
use std::sync::Arc;

use hostler_components::operation::Operation;
use hostler_engine::Input;
use hostler_engine::follow_up::{FollowUp, Seen, Told, Watched};
use hostler_engine::step::Step;
use hostler_engine::task::{RunId, RunRef};
use hostler_engine::time::Timestamp;
use hostler_workspaces::{ForgeError, LookError};
use tokio::sync::oneshot;

use self::pace::{SHORTEST, pause};
use self::standing::Standing;
use crate::message::Message;
use crate::place::REMOTE;
use crate::rooms::Rooms;
use crate::view::Notice;

/// What this start of the host knows of its looks at one pull request.
#[derive(Clone, Copy, Debug)]
struct Looked {
    at: Timestamp,
    /// How many looks in a row brought nothing.
    failures: u32,
    /// Whether the person at the host was told that it cannot be looked at.
    complained: bool,
}

/// Looks until the host ends; not at all where nothing follows from it.
pub async fn watch(rooms: Arc<Rooms>, follow_up: FollowUp) {
    if follow_up == FollowUp::Off {
        return;
    }
    let mut looks: BTreeMap<RunId, Looked> = BTreeMap::new();
    loop {
        let Some(watched) = pull_requests(&rooms).await else { return };
        looks.retain(|run, _| watched.iter().any(|watched| watched.run.run == *run));
        for watched in watched {
            let earlier = looks.get(&watched.run.run).copied();
            if is_due(&watched, earlier, rooms.clock.now()) {
                let looked = look(&rooms, &watched, follow_up, earlier).await;
                looks.insert(watched.run.run.clone(), looked);
            }
        }
        rooms.clock.sleep(SHORTEST).await;
    }
}

fn is_due(watched: &Watched, earlier: Option<Looked>, now: Timestamp) -> bool {
    earlier.is_none_or(|Looked { at, failures, .. }| {
        let age = now.since(watched.landed);
        now >= at + pause(age, failures, watched.is_waiting())
    })
}

/// Pull requests that the engine wants looked at; `None` when the host has ended.
async fn pull_requests(rooms: &Rooms) -> Option<Vec<Watched>> {
    let (ask, answer) = oneshot::channel();
    rooms.inbox.send(Message::PullRequests(ask)).await.ok()?;
    answer.await.ok()
}

async fn look(rooms: &Arc<Rooms>, watched: &Watched, follow_up: FollowUp, earlier: Option<Looked>) -> Looked {
    let seen = {
        let (rooms, watched) = (Arc::clone(rooms), watched.clone());
        crate::blocking::run(move || see(&rooms, &watched, follow_up)).await
    };
    let at = rooms.clock.now();
    match seen.unwrap_or_else(|error| Err(Unseen::ForNow(error.to_string()))) {
        Ok(seen) => {
            if let Some(seen) = watched.news(&seen, follow_up, at) {
                rooms.tell(Input::PullRequestSeen { run: watched.run.run.clone(), seen }).await;
            }
            Looked { at, failures: 0, complained: false }
        }
        Err(unseen) => {
            let earlier = earlier.unwrap_or(Looked { at, failures: 0, complained: false });
            let complained = complain(rooms, watched, &unseen, earlier.complained);
            Looked { at, failures: earlier.failures.saturating_add(1), complained }
        }
    }
}

/// Why a pull request was not seen.
enum Unseen {
    /// It may be seen at the next look.
    ForNow(String),
    /// Somebody must do something first.
    UntilMended(String),
}

/// Looks, and keeps what a person may want to know. Blocks.
fn see(rooms: &Rooms, watched: &Watched, follow_up: FollowUp) -> Result<Seen, Unseen> {
    let seen = ask_the_forge(rooms, watched, follow_up)?;
    Standing::of(watched, &seen, rooms.clock.now()).keep(&rooms.home);
    Ok(seen)
}

fn ask_the_forge(rooms: &Rooms, watched: &Watched, follow_up: FollowUp) -> Result<Seen, Unseen> {
    // The leave to push was the tracker's, and what follows is for it.
    rooms.tracker.permit().check().map_err(|why| Unseen::ForNow(why.to_string()))?;
    let gone = || Unseen::UntilMended("its repository is not one of this host any more".to_owned());
    let place = rooms.places.get(&watched.repository).ok_or_else(gone)?;
    let (repository, workspace) = place.workspace(&watched.record).ok_or_else(gone)?;
    repository.look_at(&workspace, REMOTE, watched.number, follow_up, &rooms.means()).map_err(|error| {
        match &error {
            LookError::Forge(ForgeError::Unreachable { .. }) => Unseen::ForNow(error.to_string()),
            _ => Unseen::UntilMended(error.to_string()),
        }
    })
}

/// Says once what a person must mend; gives whether it has been said.
fn complain(rooms: &Rooms, watched: &Watched, unseen: &Unseen, said: bool) -> bool {
    let (number, key) = (watched.number, &watched.run.task.key);
    match unseen {
        Unseen::ForNow(why) => tracing::info!("pull request #{number} of {key} was not seen: {why}"),
        Unseen::UntilMended(_) if said => {}
        Unseen::UntilMended(why) => {
            let message = format!("What comes back from pull request #{number} of {key} is not seen: {why}.");
            rooms.show(Notice::Host { message, warning: true });
            return true;
        }
    }
    said
}

/// Carries `Action::FollowUp` out. Safe to do again: the tracker knows the number.
pub async fn tell(rooms: &Rooms, at: Step, run: RunRef, told: Told) {
    let (key, tracker) = (run.task.key.clone(), rooms.tracker.name());
    let answer = rooms.tracker.operate(Operation::FollowUp(run, told.clone())).await.result;
    if answer.is_ok() {
        let message = format!("{key}: {} {tracker} was asked to go on with the task.", told.message);
        rooms.show(Notice::Host { message, warning: false });
    }
    rooms.tell(Input::FollowUpAnswered { at, answer }).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_engine::task::{Fence, Task};

    fn watched() -> Watched {
        let task = Task {
            id: "t".to_owned(),
            key: "t".to_owned(),
            title: "t".to_owned(),
            sections: Vec::new(),
            priority: 0,
            data: String::new(),
        };
        let reference = RunRef { run: RunId("r".to_owned()), task, fence: Fence(0) };
        Watched::new("tracker", reference, 7, Timestamp(0))
    }

    #[test]
    fn a_pull_request_is_looked_at_at_once_and_then_at_its_pace() {
        let looked = |failures| Some(Looked { at: Timestamp(0), failures, complained: false });
        assert!(is_due(&watched(), None, Timestamp(0)));
        let almost = Timestamp(59_999);
        assert!(!is_due(&watched(), looked(0), almost) && is_due(&watched(), looked(0), Timestamp(60_000)));
        assert!(!is_due(&watched(), looked(1), Timestamp(60_000)), "the forge is left alone for longer");
    }
}
