//! How an attempt ended: the proof that nothing of it lives, and the outcome that
//! follows from the end and from what the agent said.

use std::path::Path;

use hostler_agents::{Cause, Ending, Exit};
use hostler_components::job::ExitStatus;
use hostler_engine::outcome::{Class, EndReason, Outcome};
use hostler_engine::run::Run;
use hostler_engine::time::Millis;

use crate::rooms::Rooms;
use crate::view::Notice;

/// How often a process that cannot be killed is tried again.
const PROOF_EVERY: Millis = Millis::seconds(5);

/// Ends what is left of an attempt until nothing is: the engine must not hear of
/// an end that is not proven (I1).
pub async fn prove(rooms: &Rooms, run: &Run, attempt: u32, folder: &Path) -> Option<Exit> {
    loop {
        match rooms.agents.reap(folder, &run.id.0, attempt).await {
            Ok(reaped) if reaped.tree.is_empty() => return reaped.exit,
            Ok(reaped) => rooms.show(Notice::Host {
                message: format!(
                    "{}: processes of attempt {attempt} cannot be ended ({:?}); trying again",
                    run.task.key, reaped.tree
                ),
                warning: true,
            }),
            Err(error) => rooms.show(Notice::Host { message: error.to_string(), warning: true }),
        }
        rooms.clock.sleep_awake(PROOF_EVERY).await;
    }
}

/// Tells people if something was exchanged that was to stay as it is: who runs git in the
/// workspace would run what was put there. `who` did it, such as "the agent".
pub fn tell_exchanged(rooms: &Rooms, run: &Run, exit: Option<&Exit>, who: &str) {
    let Some(place) = exit.and_then(|exit| exit.exchanged.first()) else { return };
    rooms.show(Notice::Host {
        message: format!(
            "{}: {who} exchanged {}, which it was not to change: run nothing in its workspace; its work is safe on its branch.",
            run.task.key,
            place.display()
        ),
        warning: true,
    });
}

/// Why an attempt ended that did not end by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    Itself,
    Host(EndReason),
    LeaseOver,
    OverMemory(u64),
    Unseen,
}

fn why(exit: Option<&Exit>) -> Why {
    match exit.map(|exit| (exit.cause, exit.ending)) {
        Some((Cause::Host(why), _)) => Why::Host(why),
        Some((Cause::LeaseOver, _)) => Why::LeaseOver,
        Some((Cause::OverMemory { bytes }, _)) => Why::OverMemory(bytes),
        Some((Cause::Itself, Ending::Code(_) | Ending::Signal(_))) => Why::Itself,
        Some((Cause::Itself, Ending::Unknown) | (Cause::ShimLost, _)) | None => Why::Unseen,
    }
}

/// The end as the provider's session is told.
pub fn status(exit: Option<&Exit>) -> ExitStatus {
    let ended_by_host = match why(exit) {
        Why::Itself => None,
        Why::Host(why) => Some(why),
        Why::OverMemory(_) => Some(EndReason::OverMemory),
        Why::LeaseOver | Why::Unseen => Some(EndReason::Stopping),
    };
    ExitStatus { code: exit.and_then(Exit::code), signal: exit.and_then(Exit::signal), ended_by_host }
}

/// What the session made of the output, corrected by what is known of the end: an
/// agent that was ended did not fail by itself. A success that was complete stays one,
/// unless nobody wants it any more. `memory` is what the attempt could use, in bytes.
pub fn settle(outcome: Outcome, exit: Option<&Exit>, memory: Option<u64>) -> Outcome {
    match why(exit) {
        Why::Itself => outcome,
        Why::Host(why) if !(outcome.succeeded() && why.spares_success()) => outcome.ended_by_host(why),
        _ if outcome.succeeded() => outcome,
        Why::Host(why) => outcome.ended_by_host(why),
        Why::OverMemory(used) => outcome.over_memory(memory.unwrap_or(used)),
        Why::LeaseOver => interrupted(
            outcome,
            "The lease ran out while no host was there to renew it, so the agent was ended.",
        ),
        Why::Unseen => {
            interrupted(outcome, "The agent's supervisor was ended from outside, and the agent with it.")
        }
    }
}

fn interrupted(outcome: Outcome, message: &str) -> Outcome {
    let Outcome { session, usage, summary, .. } = outcome;
    Outcome { session, usage, summary, ..not_done(message) }
}

/// An attempt that came to nothing through no fault of the agent.
pub fn not_done(message: &str) -> Outcome {
    Outcome::failed("interrupted", Class::Interrupted, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostler_agents::TreeProof;
    use hostler_engine::outcome::OutcomeState;
    use hostler_engine::time::Timestamp;

    fn exit(cause: Cause, ending: Ending) -> Exit {
        let tree = TreeProof::Empty { killed: 0 };
        Exit { ending, cause, tree, at: Timestamp(0), truncated: false, exchanged: Vec::new() }
    }

    fn failure() -> Outcome {
        let failed = Outcome::failed("no-result", Class::Retryable, "Ended without a result.");
        Outcome { session: Some("s".to_owned()), ..failed }
    }

    fn success() -> Outcome {
        Outcome { state: OutcomeState::Succeeded, ..failure() }
    }

    #[test]
    fn an_end_by_itself_is_what_the_session_says_it_is() {
        let exit = exit(Cause::Itself, Ending::Code(1));
        assert_eq!(settle(failure(), Some(&exit), None), failure());
        assert_eq!(status(Some(&exit)), ExitStatus { code: Some(1), signal: None, ended_by_host: None });
    }

    #[test]
    fn an_end_for_the_lease_or_out_of_sight_interrupts_and_keeps_the_session() {
        let lease = exit(Cause::LeaseOver, Ending::Signal(15));
        let unseen = exit(Cause::ShimLost, Ending::Unknown);
        for exit in [Some(&lease), Some(&unseen), None] {
            let outcome = settle(failure(), exit, None);
            assert_eq!((outcome.class, outcome.session.as_deref()), (Class::Interrupted, Some("s")));
            assert_eq!(settle(success(), exit, None), success());
            assert_eq!(status(exit).ended_by_host, Some(EndReason::Stopping));
        }
        assert!(settle(failure(), Some(&lease), None).message.contains("lease"));
    }

    #[test]
    fn a_time_limit_that_ended_the_agent_without_a_host_is_told_as_one() {
        let exit = exit(Cause::Host(EndReason::TimedOut), Ending::Signal(9));
        assert_eq!(settle(failure(), Some(&exit), None).reason, "timed-out");
        let cancelled = super::tests::exit(Cause::Host(EndReason::Cancelled), Ending::Signal(9));
        assert_eq!(settle(success(), Some(&cancelled), None).reason, "cancelled");
    }

    #[test]
    fn too_much_memory_is_told_with_the_limit() {
        let exit = exit(Cause::OverMemory { bytes: 900 << 20 }, Ending::Signal(9));
        let outcome = settle(failure(), Some(&exit), Some(512 << 20));
        assert_eq!((outcome.reason.as_str(), outcome.class), ("memory", Class::Permanent));
        assert!(outcome.message.contains("512 MiB"), "{}", outcome.message);
    }
}
