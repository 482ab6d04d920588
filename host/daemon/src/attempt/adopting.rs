//! Taking up again, after a restart, what an earlier host began.

use std::path::Path;
use std::sync::Arc;

use hostler_agents::{Adopted, Agent, AgentRecord, Exit, Transcript};
use hostler_broker::egress::EgressRules;
use hostler_engine::Input;
use hostler_engine::outcome::Outcome;
use hostler_engine::run::Run;
use hostler_engine::step::Step;
use hostler_engine::time::Millis;

use super::ending::{not_done, prove, tell_exchanged};
use super::feed;
use super::listener::{Listener, ToAgent};
use super::listening::Listening;
use super::provider_for;
use super::records::Records;
use super::sandboxed::around_agent;
use super::starting::environment;
use crate::attempt::reading::Reading;
use crate::rooms::Rooms;
use crate::view::Notice;

/// How often an agent that cannot be looked for is looked for again.
const AGAIN_EVERY: Millis = Millis::seconds(5);

/// An attempt of an earlier host, with a session that knows what the one before knew.
struct TakenUp {
    listener: Listener,
    /// Where the earlier host had read to.
    transcript: Transcript,
    /// All that was said to the agent so far.
    said: Vec<ToAgent>,
}

/// An attempt whose agent may have outlived its host: listens on if it has, and finds
/// out how it ended if it has not.
pub async fn adopt(rooms: &Arc<Rooms>, run: &Run, at: Step, attempt: u32) -> Outcome {
    let folder = rooms.home.attempt(&run.id, attempt);
    let TakenUp { mut listener, transcript, said } = match take_up(rooms, run, attempt).await {
        Ok(taken_up) => taken_up,
        Err(outcome) => {
            let exit = prove(rooms, run, attempt, &folder).await;
            tell_exchanged(rooms, run, exit.as_ref(), "the agent");
            return outcome;
        }
    };
    match find(rooms, run, attempt, transcript).await {
        Found::Live(agent) => {
            let mut listening = Listening::begin(Arc::clone(rooms), run.clone(), attempt, agent);
            rooms.tell(Input::Adopted { at, process: listening.process() }).await;
            listening.keep(run).await;
            if let Some(rules) = rules_again(rooms, run, attempt) {
                listening.let_out(rules, &folder).await;
            }
            listener.tell_finish().await;
            listening.say(said).await;
            listening.listen(listener, &folder).await
        }
        Found::Over(exit, transcript) => over(listener, exit, transcript).await,
    }
}

/// What an agent may reach that an earlier host gave a network of its own. Whatever is
/// not there any more to tell it from, it reaches no longer.
fn rules_again(rooms: &Rooms, run: &Run, attempt: u32) -> Option<EgressRules> {
    let record = AgentRecord::read(&rooms.home.attempt(&run.id, attempt)).ok()??;
    let (provider, plan) = (rooms.provider_of(run)?, run.plan.as_ref()?);
    let variables = environment(rooms, run, &provider, &plan.withhold).unwrap_or_default();
    let variables = rooms.organisation.allowed_environment(variables, provider.fixed());
    around_agent(rooms, run, attempt, &provider, record.sandbox, variables).ok()?.rules
}

/// An attempt that was being ended: ends what lives of it, and finds out how far it
/// got.
pub async fn reap(rooms: &Arc<Rooms>, run: &Run, attempt: u32) -> Outcome {
    let folder = rooms.home.attempt(&run.id, attempt);
    let exit = prove(rooms, run, attempt, &folder).await;
    match take_up(rooms, run, attempt).await {
        Ok(TakenUp { listener, transcript, .. }) => over(listener, exit, transcript).await,
        Err(outcome) => {
            tell_exchanged(rooms, run, exit.as_ref(), "the agent");
            outcome
        }
    }
}

async fn over(mut listener: Listener, exit: Option<Exit>, transcript: Transcript) -> Outcome {
    if let Err(error) = listener.read_out(transcript).await {
        tracing::warn!("the agent's last words cannot be read: {error}");
    }
    listener.tell_news().await;
    listener.finish(exit.as_ref()).await
}

/// Brings a new session to where the one before was. Where that cannot be, the agent
/// cannot be listened to, and the attempt has this outcome.
async fn take_up(rooms: &Arc<Rooms>, run: &Run, attempt: u32) -> Result<TakenUp, Outcome> {
    let folder = rooms.home.attempt(&run.id, attempt);
    let records = Records::read(&folder)
        .ok_or_else(|| not_done("The host was stopped or killed before the agent was started."))?;
    let provider = provider_for(rooms, run, &records.plugin).await.map_err(|why| {
        not_done(&format!("The host was restarted and cannot read on where the one before stopped: {why}."))
    })?;
    let reading = Reading::start(Arc::clone(&provider.plugin), records.job).await;
    let mut listener = Listener::new(Arc::clone(rooms), run.clone(), attempt, reading, &folder).await;
    let entries = feed::read(&folder).map_err(|error| unreadable(&error))?;
    let (transcript, said) = listener.catch_up(&folder, entries).await.map_err(|error| unreadable(&error))?;
    Ok(TakenUp { listener, transcript, said })
}

fn unreadable(error: &std::io::Error) -> Outcome {
    not_done(&format!(
        "The records of the attempt could not be read after a restart ({error}); the agent was ended."
    ))
}

/// What was found of an attempt.
enum Found {
    Live(Agent),
    /// Nothing lives.
    Over(Option<Exit>, Transcript),
}

/// Looks for the agent until it is known whether it lives: the engine must not hear of
/// an end that is not proven (I1).
async fn find(rooms: &Rooms, run: &Run, attempt: u32, transcript: Transcript) -> Found {
    let folder = rooms.home.attempt(&run.id, attempt);
    let mut transcript = Some(transcript);
    loop {
        let here = match transcript.take() {
            Some(transcript) => Ok(transcript),
            None => read_again(&folder),
        };
        let problem = match here {
            Ok(here) => match rooms.agents.adopt(&folder, &run.id.0, attempt, here).await {
                Ok(Adopted::Live(agent)) => return Found::Live(agent),
                Ok(Adopted::Over { reaped, transcript }) if reaped.tree.is_empty() => {
                    return Found::Over(reaped.exit, transcript);
                }
                Ok(Adopted::Over { reaped, .. }) => {
                    format!("processes of attempt {attempt} cannot be ended ({:?})", reaped.tree)
                }
                Err(error) => error.to_string(),
            },
            Err(error) => error.to_string(),
        };
        let message = format!("{}: {problem}; trying again", run.task.key);
        rooms.show(Notice::Host { message, warning: true });
        rooms.clock.sleep_awake(AGAIN_EVERY).await;
    }
}

fn read_again(folder: &Path) -> std::io::Result<Transcript> {
    let entries = feed::read(folder)?;
    feed::transcript_after(folder, &entries)
}
