//! One attempt: prompt, launch, read until the end is proven.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hostler_agents::{Agent, AgentHandle, Exit, Launch, Output, Stdin, Stream};
use hostler_components::job::{ExitStatus, Invocation, Job, SessionOutput, StreamName};
use hostler_components::operation::{AgentEnvironment, Operation, Progress, Workplace};
use hostler_engine::Input;
use hostler_engine::event::Event;
use hostler_engine::outcome::{Class, EndReason, Outcome};
use hostler_engine::prompt;
use hostler_engine::run::Run;
use hostler_engine::step::Step;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::attempts::AttemptHandle;
use crate::conceal::Conceal;
use crate::environments::merge;
use crate::events::{EventLog, Recorded};
use crate::failure::Failure;
use crate::providers::Provider;
use crate::reading::{self, Reading};
use crate::rooms::Rooms;
use crate::view::Notice;

/// How often the engine hears of an agent that says something: often enough for
/// budgets and stalls, rarely enough for the record.
const HEARD_EVERY: Duration = Duration::from_secs(5);

/// An agent is heard of at least so many times within its stall limit, or one that
/// talks would count as silent.
const HEARD_PER_STALL: u32 = 4;

/// How often a process that cannot be killed is tried again.
const PROOF_EVERY: Duration = Duration::from_secs(5);

/// Messages that may wait for one agent.
const MESSAGES: usize = 16;

/// Records of an attempt larger than this are not read again after a crash.
const REREAD_BYTES: u64 = 64 * 1024 * 1024;

/// Carries an attempt through and tells the engine. Never fails: what goes wrong
/// is an outcome.
pub async fn carry_through(rooms: Arc<Rooms>, run: Run, at: Step, attempt: u32, session: Option<String>) {
    let id = run.id.clone();
    let outcome = match Starting::prepare(&rooms, &run, attempt, session).await {
        Ok(starting) => starting.go(at).await,
        Err(outcome) => outcome,
    };
    rooms.attempts.remove(&id, attempt);
    rooms.tell(Input::AttemptEnded { run: id, attempt, outcome }).await;
}

/// An attempt whose command line is known.
struct Starting {
    rooms: Arc<Rooms>,
    run: Run,
    attempt: u32,
    provider: Arc<Provider>,
    job: Job,
    launch: Launch,
}

fn could_not_start(message: impl std::fmt::Display) -> Outcome {
    Outcome::failed(
        "could-not-start",
        Class::Permanent,
        format!("The agent could not be started: {message}."),
    )
}

fn plugin_failed(message: impl std::fmt::Display) -> Outcome {
    Outcome::failed("plugin", Class::Retryable, format!("A plugin failed: {message}."))
}

impl Starting {
    async fn prepare(
        rooms: &Arc<Rooms>,
        run: &Run,
        attempt: u32,
        session: Option<String>,
    ) -> Result<Self, Outcome> {
        let provider = rooms
            .provider_of(run)
            .ok_or_else(|| could_not_start("its provider is not configured any more"))?;
        let (Some(plan), Some(workspace)) = (&run.plan, &run.workspace) else {
            return Err(could_not_start("it has no workspace"));
        };
        let folder = rooms.home.attempt(&run.id, attempt);
        let text = prompt_text(rooms, run, attempt).await?;
        let prompt_file = folder.join("prompt.md");
        let job = Job {
            prompt: text,
            prompt_file: prompt_file.display().to_string(),
            cwd: workspace.path.clone(),
            session,
            permission: plan.permission,
            model: plan.model.clone(),
            attempt,
            config: provider.config.clone(),
        };
        write_records(&folder, &prompt_file, &job)
            .map_err(|error| could_not_start(format!("{} cannot be written: {error}", folder.display())))?;
        let invocation = invocation(&provider, job.clone()).await?;
        let args = provider.words(&invocation.command, &invocation.slots).map_err(could_not_start)?;
        let launch = Launch {
            run: run.id.0.clone(),
            attempt,
            program: provider.program(),
            args: args.into_iter().map(Into::into).collect(),
            env: environment(rooms, run, &provider).ok_or_else(environment_lost)?,
            cwd: PathBuf::from(&workspace.path),
            folder,
            stdin: stdin(invocation),
        };
        Ok(Self { rooms: Arc::clone(rooms), run: run.clone(), attempt, provider, job, launch })
    }

    async fn go(self, at: Step) -> Outcome {
        let folder = self.launch.folder.clone();
        let conceal = secrets(&self.rooms, &self.run, &self.provider);
        let reading = Reading::start(Arc::clone(&self.provider.plugin), self.job, conceal).await;
        let agent = match self.rooms.agents.start(self.launch).await {
            Ok(agent) => agent,
            Err(error) => return could_not_start(error),
        };
        let (messages, inbox) = mpsc::channel(MESSAGES);
        let handle = AttemptHandle::new(agent.handle(), messages);
        self.rooms.attempts.insert(self.run.id.clone(), self.attempt, handle);
        let process = serde_json::to_string(&agent.record).unwrap_or_default();
        self.rooms.tell(Input::Started { at, process }).await;
        let listening = Listening {
            events: EventLog::open(&self.rooms.home.events(&self.run.id)),
            handle: agent.handle(),
            rooms: self.rooms,
            run: self.run,
            attempt: self.attempt,
            reading,
            progress: Vec::new(),
            sequence: 0,
            unheard: false,
        };
        listening.listen(agent, inbox, &folder).await
    }
}

async fn prompt_text(rooms: &Rooms, run: &Run, attempt: u32) -> Result<String, Outcome> {
    let Some(workspace) = &run.workspace else { return Err(could_not_start("it has no workspace")) };
    let at = Workplace {
        branch: workspace.branch.clone(),
        base: workspace.base.clone(),
        continued: workspace.holds_work_at(attempt),
    };
    let history = run.attempts.clone();
    let (judge, config, task) = (Arc::clone(&rooms.judge), rooms.judge_config.clone(), run.task.clone());
    let sections = crate::blocking::run(move || judge.prompt(&config, task, at, &history))
        .await
        .map_err(plugin_failed)?
        .map_err(plugin_failed)?
        .map_err(plugin_failed)?;
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    Ok(prompt::render(&sections, &nonce))
}

/// What a restarted host needs to read the attempt's output again.
fn write_records(folder: &Path, prompt_file: &Path, job: &Job) -> std::io::Result<()> {
    crate::home::make_private(folder)?;
    crate::files::note(prompt_file, job.prompt.as_bytes())?;
    crate::files::note(&folder.join("job.json"), &serde_json::to_vec(job)?)
}

async fn invocation(provider: &Provider, job: Job) -> Result<Invocation, Outcome> {
    let plugin = Arc::clone(&provider.plugin);
    crate::blocking::run(move || plugin.launch(job))
        .await
        .map_err(plugin_failed)?
        .map_err(plugin_failed)?
        .map_err(could_not_start)
}

/// The operator's part, and below it what the tracker gave for this run. `None` if
/// that was lost in a restart.
fn environment(rooms: &Rooms, run: &Run, provider: &Provider) -> Option<Vec<(OsString, OsString)>> {
    let operators = provider.environment();
    match &rooms.environments {
        Some(environments) if !run.environment.is_empty() => {
            Some(merge(operators, &environments.of(&run.id)?))
        }
        _ => Some(operators),
    }
}

/// What the agent must not get anybody to hear: the operator's keys, and all that the
/// tracker gave it.
fn secrets(rooms: &Rooms, run: &Run, provider: &Provider) -> Conceal {
    let given = rooms.environments.as_ref().and_then(|environments| environments.of(&run.id));
    let given = given.iter().flat_map(AgentEnvironment::reveal).map(|(_, value)| value.clone());
    Conceal::new(provider.secrets().chain(given))
}

fn environment_lost() -> Outcome {
    let message = "The environment that came with the task is not kept over a restart of the host.";
    Outcome::failed("lost", Class::Retryable, message)
}

fn stdin(invocation: Invocation) -> Stdin {
    match (invocation.stdin, invocation.keep_stdin) {
        (bytes, true) => Stdin::Open(bytes.unwrap_or_default()),
        (Some(bytes), false) => Stdin::Bytes(bytes),
        (None, false) => Stdin::Closed,
    }
}

/// An attempt whose agent runs.
struct Listening {
    rooms: Arc<Rooms>,
    run: Run,
    attempt: u32,
    reading: Reading,
    events: EventLog,
    handle: AgentHandle,
    progress: Vec<Progress>,
    sequence: u32,
    /// Something was said since the engine was last told.
    unheard: bool,
}

impl Listening {
    async fn listen(mut self, mut agent: Agent, mut inbox: mpsc::Receiver<String>, folder: &Path) -> Outcome {
        let heard_every = heard_every(&self.run);
        let mut next_word = Instant::now() + heard_every;
        let exit = loop {
            tokio::select! {
                output = agent.next() => match output {
                    Some(Output::Lines { source, lines }) => {
                        let lines = lines.into_iter().map(reading::line).collect();
                        let outputs = self.reading.lines(stream(source), lines).await;
                        self.take(outputs).await;
                    }
                    Some(Output::Warning(warning)) => self.rooms.show(Notice::Host {
                        message: warning.to_string(),
                        warning: true,
                    }),
                    Some(Output::Exited(exit)) => break Some(exit),
                    None => break None,
                },
                Some(text) = inbox.recv() => self.message(text).await,
                () = sleep_until(next_word), if self.unheard => {
                    self.speak().await;
                    next_word = Instant::now() + heard_every;
                }
            }
        };
        self.speak().await;
        drop(agent);
        let proven = exit.as_ref().is_some_and(|exit| exit.tree.is_empty());
        let exit = if proven { exit } else { prove(&self.rooms, &self.run, self.attempt, folder).await };
        self.reading.finish(exit_status(exit.as_ref())).await
    }

    async fn take(&mut self, outputs: Vec<SessionOutput>) {
        let now = self.rooms.clock.now();
        self.unheard = true;
        let mut recorded = Vec::new();
        for output in outputs {
            match output {
                SessionOutput::Event(event) => {
                    recorded.push(Recorded { at: now, attempt: self.attempt, event });
                }
                // An agent that no longer reads has ended or is about to.
                SessionOutput::Stdin(bytes) => drop(self.handle.write_stdin(bytes).await),
                SessionOutput::CloseStdin => self.handle.close_stdin().await,
                SessionOutput::Log(line) => crate::tracker::log(&self.run_provider(), &line),
                SessionOutput::Other(name, _) => tracing::debug!("an output this host does not know: {name}"),
            }
        }
        self.events.append(&recorded);
        for Recorded { event, .. } in recorded {
            self.show(&event);
            if matches!(event, Event::Finished { .. }) {
                self.rooms
                    .tell(Input::AgentFinished { run: self.run.id.clone(), attempt: self.attempt })
                    .await;
            }
        }
    }

    fn run_provider(&self) -> String {
        self.run.plan.as_ref().map(|plan| plan.provider.clone()).unwrap_or_default()
    }

    fn show(&mut self, event: &Event) {
        let Some(line) = event.headline() else { return };
        let at = self.rooms.clock.now();
        let kind = match event {
            Event::Started { .. } => "started",
            Event::Text { .. } => "text",
            Event::Tool { .. } => "tool",
            _ => "notice",
        };
        self.sequence += 1;
        self.progress.push(Progress {
            sequence: self.sequence,
            at,
            kind: kind.to_owned(),
            text: line.clone(),
        });
        self.rooms.show(Notice::Event { run: self.run.id.0.clone(), at, line, usage: self.reading.usage });
    }

    /// Tells the engine, and the tracker, that the agent was heard of. The tracker
    /// need not listen: progress is a courtesy, the report is a duty.
    async fn speak(&mut self) {
        if !std::mem::take(&mut self.unheard) {
            return;
        }
        let (run, attempt, usage) = (self.run.id.clone(), self.attempt, self.reading.usage);
        self.rooms.tell(Input::Heard { run, attempt, usage }).await;
        let progress = std::mem::take(&mut self.progress);
        if !progress.is_empty() {
            let (tracker, at) = (self.rooms.tracker.clone(), self.run.reference());
            tokio::spawn(async move {
                let answered = tracker.operate(Operation::Progress(at, progress)).await;
                if let Err(problem) = answered.result {
                    tracing::debug!("the tracker did not take progress: {problem}");
                }
            });
        }
    }

    async fn message(&mut self, text: String) {
        match self.reading.message(text).await {
            Ok(outputs) => self.take(outputs).await,
            Err(problem) => tracing::warn!("the agent did not take a message: {problem}"),
        }
    }
}

fn heard_every(run: &Run) -> Duration {
    let stall = run.plan.as_ref().and_then(|plan| plan.limits.stall);
    stall.map_or(HEARD_EVERY, |stall| HEARD_EVERY.min(stall.duration() / HEARD_PER_STALL))
}

const fn stream(source: Stream) -> StreamName {
    match source {
        Stream::Stdout => StreamName::Stdout,
        Stream::Stderr => StreamName::Stderr,
    }
}

fn exit_status(exit: Option<&Exit>) -> ExitStatus {
    ExitStatus {
        code: exit.and_then(Exit::code),
        signal: exit.and_then(Exit::signal),
        ended_by_host: exit.and_then(Exit::ended_by_host),
    }
}

/// Ends what is left of an attempt until nothing is: the engine must not hear of
/// an end that is not proven (I1).
async fn prove(rooms: &Rooms, run: &Run, attempt: u32, folder: &Path) -> Option<Exit> {
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
        tokio::time::sleep(PROOF_EVERY).await;
    }
}

/// After a restart: proves that nothing of an attempt lives, and reads its recorded
/// output again to learn how far it got.
pub async fn reap(rooms: Arc<Rooms>, run: Run, attempt: u32) {
    let folder = rooms.home.attempt(&run.id, attempt);
    let exit = prove(&rooms, &run, attempt, &folder).await;
    let outcome = reread(&rooms, &run, &folder, exit.as_ref()).await;
    rooms.tell(Input::AttemptEnded { run: run.id.clone(), attempt, outcome }).await;
}

/// An attempt that ended by itself while nobody looked has its true outcome, as far
/// as its output tells one; everything else was interrupted, with its session and
/// usage kept.
async fn reread(rooms: &Rooms, run: &Run, folder: &Path, exit: Option<&Exit>) -> Outcome {
    let interrupted = || {
        let message = "The host was stopped or killed while the agent worked; the agent was ended.";
        Outcome::failed("interrupted", Class::Interrupted, message)
    };
    let by_itself = exit.is_some_and(|exit| exit.cause == hostler_agents::Cause::Itself);
    let status = if by_itself {
        exit_status(exit)
    } else {
        ExitStatus { ended_by_host: Some(EndReason::Stopping), ..exit_status(exit) }
    };
    let Some((outputs, outcome)) = replay_records(rooms, run, folder, status).await else {
        return interrupted();
    };
    if is_whole(&outputs, &outcome, by_itself) {
        return outcome;
    }
    Outcome { session: outcome.session, usage: outcome.usage, summary: outcome.summary, ..interrupted() }
}

/// Whether an outcome rests on all that the agent said. What was in the pipe when the
/// host died is lost, and an agent may fail for no other reason than that nobody read
/// it any more: without its last word a failure proves nothing.
fn is_whole(outputs: &[SessionOutput], outcome: &Outcome, by_itself: bool) -> bool {
    let said_its_end =
        |output: &SessionOutput| matches!(output, SessionOutput::Event(Event::Finished { .. }));
    outcome.succeeded() || (by_itself && outputs.iter().any(said_its_end))
}

async fn replay_records(
    rooms: &Rooms,
    run: &Run,
    folder: &Path,
    status: ExitStatus,
) -> Option<(Vec<SessionOutput>, Outcome)> {
    let provider = rooms.provider_of(run)?;
    let job: Job = serde_json::from_slice(&std::fs::read(folder.join("job.json")).ok()?).ok()?;
    let read = |name: &str| {
        let path = folder.join(name);
        let small = std::fs::metadata(&path).ok()?.len() <= REREAD_BYTES;
        if small { std::fs::read(path).ok() } else { None }
    };
    let output = [
        (StreamName::Stderr, read(hostler_agents::STDERR_FILE)?),
        (StreamName::Stdout, read(hostler_agents::STDOUT_FILE)?),
    ];
    let conceal = secrets(rooms, run, &provider);
    let replayed = reading::replay(Arc::clone(&provider.plugin), job, &output, status, conceal).await;
    replayed.map_err(|error: Failure| tracing::warn!("{error}")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_without_the_agents_last_word_proves_nothing_once_the_host_has_died() {
        let failure = Outcome::failed("no-result", Class::Retryable, "Ended without a result.");
        let end = SessionOutput::Event(Event::Finished { success: false, summary: String::new() });
        assert!(!is_whole(&[], &failure, true), "what it said may have been lost");
        assert!(is_whole(&[end], &failure, true), "it said that it failed");
    }
}
