//! What agents printed, read again by the plugins that read it.

use std::path::PathBuf;
use std::sync::Arc;

use hostler_components::Plugin;
use hostler_engine::Input;
use hostler_engine::event::Event;
use hostler_engine::outcome::Outcome;
use hostler_engine::task::RunId;
use hostler_journal::Span;
use serde::Serialize;

use super::calls::Loader;
use super::{Compared, Comparison, Difference, Part, decisions, same};
use crate::attempt::read_again;
use crate::failure::Failure;
use crate::home::Home;
use crate::plugins::Kind;
use crate::plugins::store;
use crate::record::events::Recorded;
use crate::record::json_lines;
use crate::view::RunView;

/// One attempt, as it is recorded.
struct Attempt {
    number: u32,
    folder: PathBuf,
    events: Vec<Event>,
}

impl Attempt {
    fn of(home: &Home, run: &RunView) -> Result<Vec<Self>, Failure> {
        let (id, mut attempts) = (RunId(run.id.clone()), Vec::new());
        let mut recorded: Vec<Recorded> = Vec::new();
        let path = home.events(&id);
        json_lines::read(&path, |event| recorded.push(event)).map_err(Failure::folder(path))?;
        for number in run.attempts.iter().map(|attempt| attempt.number) {
            let own = recorded.iter().filter(|event| event.attempt == number);
            let events = own.map(|event| event.event.clone()).collect();
            attempts.push(Self { number, folder: home.attempt(&id, number), events });
        }
        Ok(attempts)
    }
}

/// Reads the output of every attempt that is over again: the events and the outcome
/// must be those that are recorded.
pub async fn replay(
    loader: &Loader,
    home: &Home,
    run: &RunView,
    span: Option<&Span>,
) -> Result<Vec<Part>, Failure> {
    let id = RunId(run.id.clone());
    let known = span.and_then(|span| decisions::last_of(span, &id));
    let memory = known.as_ref().and_then(|run| run.plan.as_ref()?.limits.memory);
    let outcomes = span.map(|span| outcomes(span, &id)).unwrap_or_default();
    let mut parts = Vec::new();
    for attempt in Attempt::of(home, run)? {
        let what = format!("output of attempt {}", attempt.number);
        let Some(build) = store::provider_of_attempt(&attempt.folder) else {
            let why = "its records are not there: it never started, or they were collected";
            let result = Compared::Impossible(why.to_owned());
            parts.push(Part { what, plugin: None, count: 0, result });
            continue;
        };
        let (loader, wanted) = (loader.clone(), build.clone());
        let result = match crate::blocking::run(move || loader.load(&wanted)).await? {
            Err(why) => Compared::Impossible(why),
            Ok(plugin) => {
                let outcome = outcomes.iter().rev().find(|(number, _)| *number == attempt.number);
                again(&attempt, plugin, memory, outcome.map(|(_, outcome)| outcome)).await?
            }
        };
        parts.push(Part { what, plugin: Some(build), count: attempt.events.len() + 1, result });
    }
    Ok(parts)
}

async fn again(
    attempt: &Attempt,
    plugin: Arc<Plugin>,
    memory: Option<u64>,
    outcome: Option<&Outcome>,
) -> Result<Compared, Failure> {
    let folder = &attempt.folder;
    let Some((events, replayed)) =
        read_again(folder, plugin, memory).await.map_err(Failure::folder(folder))?
    else {
        return Ok(Compared::Impossible("what its session was fed is not there any more".to_owned()));
    };
    for number in 0..events.len().max(attempt.events.len()) {
        let (old, new) = (json(attempt.events.get(number)), json(events.get(number)));
        if !same(&old, &new) {
            let place = format!("event {} of attempt {}", number + 1, attempt.number);
            return Ok(Compared::Differs(Difference { place, recorded: old, replayed: new }));
        }
    }
    let Some(outcome) = outcome else { return Ok(Compared::Equal) };
    let (old, new) = (json(Some(outcome)), json(Some(&replayed)));
    if same(&old, &new) {
        return Ok(Compared::Equal);
    }
    let place = format!("outcome of attempt {}", attempt.number);
    Ok(Compared::Differs(Difference { place, recorded: old, replayed: new }))
}

/// Every outcome that the journal has of the run's attempts.
fn outcomes(span: &Span, id: &RunId) -> Vec<(u32, Outcome)> {
    let inputs = span.entries.iter().filter_map(|entry| serde_json::from_str(&entry.input).ok());
    let ended = inputs.filter_map(|input| match input {
        Input::AttemptEnded { run, attempt, outcome } if run == *id => Some((attempt, outcome)),
        _ => None,
    });
    ended.collect()
}

/// Nothing, where there is no value, reads as `null`.
fn json<T: Serialize>(value: Option<&T>) -> String {
    serde_json::to_string(&value).unwrap_or_default()
}

/// Lets another version of a provider plugin read every attempt that one of its kind
/// read.
pub async fn compare(plugin: &Arc<Plugin>, home: &Home, run: &RunView) -> Result<Vec<Comparison>, Failure> {
    let mut compared = Vec::new();
    if !plugin.kinds().contains(&Kind::Provider) {
        return Ok(compared);
    }
    for attempt in Attempt::of(home, run)? {
        let read_it = store::provider_of_attempt(&attempt.folder);
        if read_it.is_none_or(|build| build.id != plugin.id()) {
            continue;
        }
        let read = read_again(&attempt.folder, Arc::clone(plugin), None).await;
        let Some((events, _)) = read.map_err(Failure::folder(&attempt.folder))? else { continue };
        let (old, new) = (json(Some(&attempt.events)), json(Some(&events)));
        let what = format!("output of attempt {}", attempt.number);
        compared.push(Comparison { what, same: same(&old, &new), old, new });
    }
    Ok(compared)
}
