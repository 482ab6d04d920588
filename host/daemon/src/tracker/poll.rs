//! Asks the tracker for work, as often as the tracker wants, while there is a slot.

use std::sync::Arc;

use hostler_components::operation::{Given, Operation};
use hostler_engine::Input;
use hostler_engine::input::Offer;
use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::task::RunId;
use hostler_engine::time::Millis;
use tokio::sync::{oneshot, watch};

use crate::core::Situation;
use crate::message::Message;
use crate::rooms::Rooms;
use crate::tracker::Answered;
use crate::view::Notice;

/// How often to poll if the plugin does not say.
const DEFAULT_PACE: Millis = Millis::seconds(5);

/// First pause after a poll that did not work; doubles.
const FIRST_PAUSE: Millis = Millis::seconds(1);

/// Longest pause between polls that do not work.
const LONGEST_PAUSE: Millis = Millis::minutes(1);

/// Polls in a row that may fail before a host that was started for what is there
/// now gives up.
const TRIES_ONCE: u32 = 3;

/// Polls until the host ends. Returns early, with the reason, if the tracker
/// refuses the credential: asking on would only lock an account.
pub async fn poll(
    rooms: Arc<Rooms>,
    mut situation: watch::Receiver<Situation>,
    state: watch::Sender<Contact>,
    once: bool,
) -> Result<(), Problem> {
    let mut pace = DEFAULT_PACE;
    let mut failures: u32 = 0;
    loop {
        let waited = situation.wait_for(|now| now.free_slots > 0).await.map(|now| now.free_slots);
        let Ok(slots) = waited else { return Ok(()) };
        if let Err(error) = rooms.organisation.now().soundness() {
            let problem = Problem::permanent(format!("no work is begun: {error}"));
            if once {
                return Err(problem);
            }
            note(&rooms, &state, Some(&problem));
            rooms.clock.sleep_until(rooms.clock.now() + DEFAULT_PACE).await;
            continue;
        }
        let answered = rooms.tracker.operate(Operation::Poll(slots)).await;
        let (sent, heard) = (answered.sent, rooms.clock.now());
        pace = answered.pace.unwrap_or(pace);
        let problem = answered.result.clone().err();
        note(&rooms, &state, problem.as_ref());
        for message in &answered.notices {
            rooms.show(Notice::Host { message: message.clone(), warning: false });
        }
        let (taken, was_taken) = oneshot::channel();
        let polled = Message::Polled { worked: problem.is_none(), inputs: inputs(&rooms, answered), taken };
        if rooms.inbox.send(polled).await.is_err() || was_taken.await.is_err() {
            return Ok(());
        }
        let next = match problem {
            None => {
                failures = 0;
                sent + pace
            }
            Some(problem) if problem.kind == ProblemKind::Auth => return Err(problem),
            Some(problem) => {
                failures += 1;
                if once && failures >= TRIES_ONCE {
                    return Err(problem);
                }
                heard + backoff(failures).max(problem.retry_after.unwrap_or_default())
            }
        };
        rooms.clock.sleep_until(next).await;
    }
}

/// When the tracker last answered, and why it does not.
#[derive(Clone, Debug, Default)]
pub struct Contact {
    /// Milliseconds since 1970.
    pub heard: Option<i64>,
    /// For people.
    pub problem: Option<String>,
}

fn note(rooms: &Rooms, state: &watch::Sender<Contact>, problem: Option<&Problem>) {
    let before = state.borrow().clone();
    let problem = problem.map(ToString::to_string);
    if let Some(problem) = &problem
        && before.problem.as_ref() != Some(problem)
    {
        let message = format!("{}: {problem}", rooms.tracker.name());
        rooms.show(Notice::Host { message, warning: true });
    }
    if problem.is_none() && before.problem.is_some() {
        let message = format!("{} answers again.", rooms.tracker.name());
        rooms.show(Notice::Host { message, warning: false });
    }
    let heard = if problem.is_none() { Some(rooms.clock.now().0) } else { before.heard };
    state.send_replace(Contact { heard, problem });
}

/// What a poll brought, each task with a fresh id for its run.
fn inputs(rooms: &Rooms, answered: Answered) -> Vec<Input> {
    let tracker = rooms.tracker.name().to_owned();
    let mut inputs = Vec::new();
    if !answered.offered.is_empty() {
        let offer = |task| Offer { run: fresh_id(), task };
        let offers = answered.offered.into_iter().map(offer).collect();
        inputs.push(Input::Offered { tracker: tracker.clone(), offers });
    }
    for Given { claim, environment } in answered.claimed {
        let run = fresh_id();
        rooms.keep_environment(&run, environment);
        inputs.push(Input::Given { tracker: tracker.clone(), run, sent: answered.sent, claim });
    }
    inputs
}

fn fresh_id() -> RunId {
    RunId(uuid::Uuid::now_v7().to_string())
}

fn backoff(failures: u32) -> Millis {
    let doublings = failures.saturating_sub(1).min(16);
    Millis((FIRST_PAUSE.0 << doublings).min(LONGEST_PAUSE.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute() {
        let pauses: Vec<_> = (1..=8).map(|failures| backoff(failures).0 / 1000).collect();
        assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
