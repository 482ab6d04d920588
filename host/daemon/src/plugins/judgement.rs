//! Asks plugins what they think of a run: the tracker plugin in the build that the run
//! began with, the provider plugin of the attempt. Each call is written down after it.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use hostler_components::job::{Invocation, Job};
use hostler_components::operation::Workplace;
use hostler_components::{CallError, Plugin};
use hostler_engine::plan::Wish;
use hostler_engine::problem::Problem;
use hostler_engine::redaction::Redaction;
use hostler_engine::run::Run;
use hostler_engine::task::Section;
use hostler_engine::verdict::Verdict;
use serde::Serialize;

use crate::conceal;
use crate::failure::Failure;
use crate::plugins::builds::BuildError;
use crate::plugins::providers::Provider;
use crate::plugins::store::{self, Build};
use crate::record::calls::{self, Call, Question};
use crate::refusal::beyond;
use crate::rooms::Rooms;
use crate::view::Notice;

/// Why a plugin gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum JudgementError {
    /// It cannot be asked in the build that the run began with.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// It crashed.
    #[error(transparent)]
    Call(#[from] CallError),
    /// It could not be asked.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// What it began with cannot be written down.
    #[error("the plugin that the run begins with cannot be written down: {0}; check the disk")]
    NotPinned(#[source] std::io::Error),
}

/// What a run of this task should look like.
pub async fn plan(rooms: &Rooms, run: &Run) -> Result<Result<Wish, Problem>, JudgementError> {
    let judge = judge_of(rooms, run).await?;
    let (config, task) = (rooms.judge_config.clone(), run.task.clone());
    let question = Question::Plan { config: config.clone(), task: Box::new(task.clone()) };
    let asked = ask(rooms, run, &judge, question, move |judge| judge.plan(&config, task)).await?;
    let tracker = &rooms.tracker;
    for refusal in asked.iter().flat_map(|wish| beyond(wish, tracker.permit().rights())) {
        rooms.refused(tracker.name(), refusal);
    }
    let wished = asked.as_ref().ok().and_then(|wish| wish.permission);
    let organisation = rooms.organisation.now().permission();
    if let Some(message) = rooms.ceiling.of(tracker.name(), wished, &organisation) {
        rooms.show(Notice::Host { message, warning: true });
    }
    Ok(asked)
}

/// What the agent is told.
pub async fn prompt(
    rooms: &Rooms,
    run: &Run,
    at: Workplace,
) -> Result<Result<Vec<Section>, Problem>, JudgementError> {
    let judge = judge_of(rooms, run).await?;
    let (config, task, history) = (rooms.judge_config.clone(), run.task.clone(), run.attempts.clone());
    let question = Question::Prompt {
        config: config.clone(),
        task: Box::new(task.clone()),
        at: at.clone(),
        history: history.clone(),
    };
    ask(rooms, run, &judge, question, move |judge| judge.prompt(&config, task, at, &history)).await
}

/// What to do after a failed attempt. A run whose plugin may not be asked any more
/// waits for a person.
pub async fn retry(rooms: &Rooms, run: &Run) -> Option<Verdict> {
    match try_retry(rooms, run).await {
        Ok(verdict) => Some(verdict),
        Err(JudgementError::Build(error)) => Some(Verdict::Park(error.to_string())),
        Err(error) => {
            tracing::warn!("{error}");
            None
        }
    }
}

async fn try_retry(rooms: &Rooms, run: &Run) -> Result<Verdict, JudgementError> {
    let judge = judge_of(rooms, run).await?;
    let (config, task, history) = (rooms.judge_config.clone(), run.task.clone(), run.attempts.clone());
    let question =
        Question::Retry { config: config.clone(), task: Box::new(task.clone()), history: history.clone() };
    let asked = ask(rooms, run, &judge, question, move |judge| judge.retry(&config, task, &history).map(Ok));
    match asked.await? {
        Ok(verdict) => Ok(verdict),
        Err(problem) => Err(Failure::Internal(problem.to_string()).into()),
    }
}

/// How to start the CLI.
pub async fn launch(
    rooms: &Rooms,
    run: &Run,
    provider: &Provider,
    job: Job,
) -> Result<Result<Invocation, Problem>, JudgementError> {
    let question = Question::Launch { job: Box::new(job.clone()) };
    ask(rooms, run, &provider.plugin, question, move |plugin| plugin.launch(job)).await
}

/// The tracker plugin in the build that judged this run first.
async fn judge_of(rooms: &Rooms, run: &Run) -> Result<Arc<Plugin>, JudgementError> {
    let folder = rooms.home.run(&run.id);
    let now = Build::of(&rooms.judge);
    let pinned = crate::blocking::run(move || store::pin(&folder, &now)).await?;
    let pinned = pinned.map_err(JudgementError::NotPinned)?;
    if pinned.tracker.digest == rooms.judge.digest().to_string() {
        return Ok(Arc::clone(&rooms.judge));
    }
    let builds = Arc::clone(&rooms.builds);
    Ok(crate::blocking::run(move || builds.get(&pinned.tracker)).await??)
}

async fn ask<T: Serialize + Send + 'static>(
    rooms: &Rooms,
    run: &Run,
    plugin: &Arc<Plugin>,
    question: Question,
    call: impl FnOnce(&Plugin) -> Result<Result<T, Problem>, CallError> + Send + 'static,
) -> Result<Result<T, Problem>, JudgementError> {
    let (folder, secrets) = (rooms.home.run(&run.id), rooms.secrets_of(&run.id));
    let (at, build, plugin) = (rooms.clock.now(), Build::of(plugin), Arc::clone(plugin));
    let answered = crate::blocking::run(move || {
        let answered = call(&plugin);
        let call = Call { at, plugin: build, question, output: calls::answer(&answered) };
        // The record helps to explain; a run does not fail for want of it.
        if let Err(error) = record(&folder, &call, &secrets) {
            tracing::warn!("the call of a plugin is not recorded in {}: {error}", folder.display());
        }
        answered
    });
    Ok(answered.await??)
}

/// Writes a call down without secrets; what cannot be made safe is not written.
fn record(folder: &Path, call: &Call, secrets: &[OsString]) -> io::Result<()> {
    let redaction =
        Redaction::of(secrets.iter().map(|secret| secret.as_bytes())).map_err(io::Error::other)?;
    let mut call = serde_json::to_value(call)?;
    conceal::strings(&mut call, &redaction);
    calls::append(folder, &call.to_string())
}
