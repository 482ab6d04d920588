//! Tells the tracker what runs, renews leases, and brings back the tracker's word.

use std::sync::Arc;

use hostler_components::operation::{Operation, RunStatus};
use hostler_engine::Input;
use hostler_engine::run::{Run, State};
use hostler_engine::task::{Control, Fence, RunId};
use hostler_engine::time::{Millis, Timestamp};
use tokio::sync::watch;

use crate::attempt::word::{NotHeard, Word};
use crate::core::Situation;
use crate::rooms::Rooms;

/// How often a host without work says that it is alive.
const IDLE_EVERY: Millis = Millis::seconds(30);

/// Sends heartbeats until the host ends: as often as the runs want it, and now and
/// then without any. Counted from when one was begun: a slow answer, or a machine that
/// slept meanwhile, must not put the next renewal off.
pub async fn heartbeat(rooms: Arc<Rooms>, mut situation: watch::Receiver<Situation>) {
    loop {
        let begun = rooms.clock.now();
        let now = situation.borrow_and_update().clone();
        beat(&rooms, &now.held).await;
        if now.held.is_empty() {
            tokio::select! {
                work = situation.wait_for(|now| !now.held.is_empty()) => {
                    if work.is_err() {
                        return;
                    }
                }
                () = rooms.clock.sleep_until(begun + IDLE_EVERY) => {}
            }
        } else {
            rooms.clock.sleep_until(begun + now.heartbeat_every).await;
        }
    }
}

async fn beat(rooms: &Rooms, held: &[Run]) {
    let now = rooms.clock.now();
    let statuses = held.iter().map(|run| status(run, now)).collect();
    let answered = rooms.tracker.operate(Operation::Heartbeat(statuses)).await;
    if let Err(problem) = &answered.result {
        tracing::warn!(tracker = rooms.tracker.name(), "heartbeat: {problem}");
    }
    for (run, control) in answered.controls {
        let Some(fence) = held.iter().find(|held| held.id == run).map(|held| held.fence) else { continue };
        take(rooms, run, fence, answered.sent, control).await;
    }
}

/// The word came under the fence that was sent, so it counts for that one only.
async fn take(rooms: &Rooms, run: RunId, fence: Fence, sent: Timestamp, control: Control) {
    match control {
        Control::Cancel(reason) => rooms.tell(Input::CancelAsked { run, fence, reason }).await,
        Control::LeaseLost(reason) => rooms.tell(Input::LeaseLost { run, fence, reason }).await,
        Control::Renewed(ttl) => rooms.tell(Input::Renewed { run, fence, sent, ttl }).await,
        Control::Message(text) => {
            let attempt = rooms.attempts.of(&run).ok_or(NotHeard::NoAgent);
            let said = Word::new(text, None).and_then(|word| attempt?.say(word));
            // No lease waits for an agent to listen.
            tokio::spawn(async move {
                let heard = match said {
                    Ok(hearing) => hearing.over().await,
                    Err(error) => Err(error),
                };
                if let Err(error) = heard {
                    tracing::warn!("{run} did not hear the tracker's message: {error}");
                }
            });
        }
    }
}

fn status(run: &Run, now: Timestamp) -> RunStatus {
    let state = match run.state {
        State::Starting { .. } | State::Running { .. } | State::Adopting { .. } => "running",
        State::Verifying { .. } => "verifying",
        State::Landing { .. } => "landing",
        State::Ending { .. } | State::Collecting | State::Advising => "ending",
        State::Waiting { .. } | State::Parked { .. } | State::Blocked { .. } => "waiting",
        State::Reporting { .. } | State::Releasing | State::Closed { .. } => "reporting",
        State::Claiming | State::Planning | State::Preparing { .. } => "preparing",
    };
    RunStatus {
        at: run.reference(),
        state: state.to_owned(),
        attempt: run.next_attempt(),
        elapsed: now.since(run.created),
        usage: run.spent(),
    }
}
