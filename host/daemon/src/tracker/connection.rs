//! One tracker: its plugin's connection, and the gate through which its effects go.
//!
//! A task on the leases' own thread owns the connection. Operations come in, effects go out
//! through the gate, and whatever belongs to an operation is handed back when the
//! plugin says it is done.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hostler_broker::{Denials, Gate, Urgency};
use hostler_components::operation::{CallId, Given, Operation, OperationId, TrackerOutput};
use hostler_components::{CallError, Connection, Plugin};
use hostler_engine::event::{Level, LogLine};
use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::request::{PluginEffect, PluginReply};
use hostler_engine::task::{Control, RunId, Task};
use hostler_engine::time::{Millis, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::clock::Clock;
use crate::plugins::permit::Permit;

/// Operations that wait for the connection at most; more than all loops together
/// can have under way.
const QUEUE: usize = 256;

/// An operation that is not done by then has failed: every effect has a shorter
/// limit of its own, so only a plugin that forgot to say `done` gets here.
const OPERATION_LIMIT: Millis = Millis::minutes(5);

/// A notice is one sentence: of a longer one, so many characters are shown.
const NOTICE_CHARS: usize = 500;

/// What came of an operation.
#[derive(Debug)]
pub struct Answered {
    /// When it was begun: leases count from there.
    pub sent: Timestamp,
    /// Tasks that can be claimed.
    pub offered: Vec<Task>,
    /// Tasks that are ours now.
    pub claimed: Vec<Given>,
    /// Words about runs.
    pub controls: Vec<(RunId, Control)>,
    /// When to poll next, if the plugin said so.
    pub pace: Option<Millis>,
    /// How many runs at once the tracker advises.
    pub slots: Option<u32>,
    /// Sentences for the person at the host.
    pub notices: Vec<String>,
    /// Whether it worked.
    pub result: Result<(), Problem>,
}

impl Answered {
    /// Nothing but a result.
    const fn with(sent: Timestamp, result: Result<(), Problem>) -> Self {
        Self {
            sent,
            offered: Vec::new(),
            claimed: Vec::new(),
            controls: Vec::new(),
            pace: None,
            slots: None,
            notices: Vec::new(),
            result,
        }
    }
}

/// The way to a tracker. Cheap to clone.
#[derive(Clone)]
pub struct Tracker {
    name: Arc<str>,
    clock: Clock,
    gate: Arc<Gate>,
    permit: Arc<Permit>,
    queue: mpsc::Sender<Asked>,
    /// For heartbeats, and for answers to what is under way: they wait behind nothing new.
    urgent: mpsc::Sender<Asked>,
}

enum Asked {
    Operate(Operation, oneshot::Sender<Answered>),
    Reply(Generation, CallId, Carried),
    Forget(OperationId),
}

/// What came of an effect.
struct Carried {
    reply: Result<PluginReply, Problem>,
    /// Refused because the leave to use the plugin is gone.
    withdrawn: bool,
}

/// Counts connections, so that a reply to an earlier one is not given to the next.
type Generation = u64;

impl Tracker {
    /// Opens the connection and starts its task in `runtime`. What the plugin wants the next
    /// connection to know is kept in the file `memory`, over restarts.
    pub async fn open(
        plugin: Arc<Plugin>,
        config: String,
        gate: Gate,
        permit: Permit,
        clock: Clock,
        memory: PathBuf,
        runtime: &Handle,
    ) -> Result<Self, crate::failure::Failure> {
        let name: Arc<str> = plugin.id().into();
        let saved = std::fs::read(&memory).ok().filter(|saved| !saved.is_empty());
        let opened = {
            let (plugin, config, saved) = (Arc::clone(&plugin), config.clone(), saved.clone());
            crate::blocking::run(move || plugin.connect(&config, saved.as_deref())).await??
        };
        let connection = opened
            .map_err(|problem| crate::failure::Failure::Tracker { tracker: name.to_string(), problem })?;
        let ((queue, asked), (urgent, urgently_asked)) = (mpsc::channel(QUEUE), mpsc::channel(QUEUE));
        let tracker = Self { name, clock, gate: Arc::new(gate), permit: Arc::new(permit), queue, urgent };
        let desk = Desk {
            tracker: tracker.clone(),
            plugin,
            config,
            connection: Some(connection),
            memory,
            saved,
            generation: 0,
            next: 0,
            open: HashMap::new(),
            register: None,
            calls: HashMap::new(),
        };
        runtime.spawn(desk.work(asked, urgently_asked));
        Ok(tracker)
    }

    /// The plugin's id.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The leave to use its plugin.
    pub fn permit(&self) -> &Permit {
        &self.permit
    }

    /// Does something for the plugin, if it has the leave to at this moment and a right to
    /// this.
    async fn carry_out(&self, effect: PluginEffect, urgency: Urgency) -> Carried {
        if let Err(why) = self.permit.check() {
            return Carried { reply: Err(self.gate.refuse(&effect, &why)), withdrawn: true };
        }
        Carried { reply: self.gate.carry_out_with(effect, urgency).await, withdrawn: false }
    }

    /// What the gate refused so far.
    pub fn denials(&self) -> Denials {
        self.gate.denials()
    }

    /// What would have sufficed for all that was sent; `None` unless the gate observes.
    pub fn smallest_grant(&self) -> Option<String> {
        self.gate.smallest_grant()
    }

    /// Carries an operation through, however many steps it takes.
    pub async fn operate(&self, operation: Operation) -> Answered {
        let (done, answer) = oneshot::channel();
        let closed = || Err(Problem::transient("the connection to the tracker is closed"));
        let gone = || Answered::with(self.clock.now(), closed());
        let queue = if urgency(&operation) == Urgency::Lease { &self.urgent } else { &self.queue };
        if queue.send(Asked::Operate(operation, done)).await.is_err() {
            return gone();
        }
        answer.await.unwrap_or_else(|_| gone())
    }
}

/// Without heartbeats leases run out.
const fn urgency(operation: &Operation) -> Urgency {
    match operation {
        Operation::Heartbeat(_) => Urgency::Lease,
        _ => Urgency::Ordinary,
    }
}

/// An operation under way.
struct Open {
    urgency: Urgency,
    so_far: Answered,
    done: oneshot::Sender<Answered>,
    limit: AbortHandle,
    /// Whether an effect of it was refused because the plugin's leave is gone.
    withdrawn: bool,
}

impl Open {
    /// A denial for want of the leave is not final: it may be given again, and no report
    /// is lost by then.
    fn judged(&self, result: Result<(), Problem>) -> Result<(), Problem> {
        match result {
            Err(Problem { kind: ProblemKind::Denied, message, .. }) if self.withdrawn => {
                Err(Problem::transient(message))
            }
            result => result,
        }
    }
}

/// Owns the connection.
struct Desk {
    tracker: Tracker,
    plugin: Arc<Plugin>,
    config: String,
    /// `None` after a crash, until the next operation.
    connection: Option<Connection>,
    /// Where `saved` is kept.
    memory: PathBuf,
    /// What the next connection should know.
    saved: Option<Vec<u8>>,
    generation: Generation,
    next: u32,
    open: HashMap<OperationId, Open>,
    /// Who we said we are: said again on every new connection.
    register: Option<Operation>,
    /// Which operation an effect under way belongs to.
    calls: HashMap<CallId, OperationId>,
}

impl Desk {
    async fn work(mut self, mut asked: mpsc::Receiver<Asked>, mut urgently: mpsc::Receiver<Asked>) {
        loop {
            let next = tokio::select! {
                biased;
                next = urgently.recv() => next,
                next = asked.recv() => next,
            };
            let Some(asked) = next else { return };
            match asked {
                Asked::Operate(operation, done) => self.begin(operation, done),
                Asked::Reply(generation, call, carried) if generation == self.generation => {
                    self.resume(call, carried);
                }
                Asked::Reply(..) => {}
                Asked::Forget(id) => {
                    let message = "the plugin did not finish the operation in time";
                    self.finish(id, Err(Problem::transient(message)));
                }
            }
            self.renew_if_worn_out();
        }
    }

    fn begin(&mut self, operation: Operation, done: oneshot::Sender<Answered>) {
        if matches!(operation, Operation::Register(_)) {
            self.register = Some(operation.clone());
        }
        let id = OperationId(self.next);
        self.next = self.next.wrapping_add(1);
        let now = self.tracker.clock.now();
        let so_far = Answered::with(now, Ok(()));
        let limit = self.forget_later(id);
        let urgency = urgency(&operation);
        self.open.insert(id, Open { urgency, so_far, done, limit, withdrawn: false });
        self.step(Some(id), move |connection| connection.begin(id, operation, now));
    }

    fn resume(&mut self, call: CallId, Carried { reply, withdrawn }: Carried) {
        let operation = self.calls.remove(&call);
        if let Some(open) = operation.and_then(|id| self.open.get_mut(&id)) {
            open.withdrawn |= withdrawn;
        }
        let now = self.tracker.clock.now();
        self.step(operation, move |connection| connection.resume(call, reply, now));
    }

    /// One call into the plugin, and what it answers. The call is made right here: its
    /// time is limited, and it must not wait for a thread. A crash fails everything that
    /// is under way; the next operation gets a new connection.
    fn step(
        &mut self,
        operation: Option<OperationId>,
        call: impl FnOnce(&mut Connection) -> Result<Vec<TrackerOutput>, CallError>,
    ) {
        let connection = match self.connection.take() {
            Some(connection) => Ok(connection),
            None => self.connect().inspect(|_| self.register_again()),
        };
        let mut connection = match connection {
            Ok(connection) => connection,
            Err(problem) => return self.fail_all(&problem),
        };
        let (memory, known) = (self.memory.clone(), self.saved.clone());
        let stepped = crate::blocking::here(move || {
            let outputs = call(&mut connection);
            let saved = outputs.as_ref().ok().and_then(|_| remember(&mut connection, &memory, known));
            (connection, saved, outputs)
        });
        match stepped {
            Ok((connection, saved, Ok(outputs))) => {
                self.connection = Some(connection);
                self.saved = saved;
                for output in outputs {
                    self.take(operation, output);
                }
            }
            Ok((_, _, Err(error))) => {
                tracing::warn!(tracker = %self.tracker.name, "{error}");
                self.fail_all(&Problem::transient(error.to_string()));
            }
            Err(error) => self.fail_all(&Problem::transient(error.to_string())),
        }
    }

    fn connect(&mut self) -> Result<Connection, Problem> {
        self.generation += 1;
        self.calls.clear();
        let (plugin, config, saved) = (Arc::clone(&self.plugin), self.config.clone(), self.saved.clone());
        crate::blocking::here(move || plugin.connect(&config, saved.as_deref()))
            .map_err(|error| Problem::transient(error.to_string()))?
            .map_err(|error| Problem::transient(error.to_string()))?
    }

    /// A new connection has forgotten who we are: tells it, as soon as it stands.
    fn register_again(&self) {
        let Some(register) = self.register.clone() else { return };
        let tracker = self.tracker.clone();
        tokio::spawn(async move {
            if let Err(problem) = tracker.operate(register).await.result {
                tracing::warn!(tracker = %tracker.name, "register: {problem}");
            }
        });
    }

    fn take(&mut self, operation: Option<OperationId>, output: TrackerOutput) {
        if let TrackerOutput::Log(line) = output {
            return log(&self.tracker.name, &line);
        }
        if let TrackerOutput::Done(id, result) = output {
            return self.finish(id, result);
        }
        if let TrackerOutput::Effect(call, effect) = output {
            return self.carry_out(operation, call, effect);
        }
        let Some(open) = operation.and_then(|id| self.open.get_mut(&id)) else {
            tracing::debug!(tracker = %self.tracker.name, "an output that belongs to no operation: {output:?}");
            return;
        };
        match output {
            TrackerOutput::Offered(tasks) => open.so_far.offered.extend(tasks),
            TrackerOutput::Claimed(claims) => open.so_far.claimed.extend(claims),
            TrackerOutput::Control(run, control) => open.so_far.controls.push((run, control)),
            TrackerOutput::Pace(pace) => open.so_far.pace = Some(pace),
            TrackerOutput::Other(name, details) if name == "slots" => {
                open.so_far.slots = details.trim().parse().ok().filter(|slots| *slots > 0);
            }
            TrackerOutput::Other(name, details) if name == "notice" => {
                open.so_far.notices.extend(notice(&details));
            }
            TrackerOutput::Other(name, _) => {
                tracing::debug!(tracker = %self.tracker.name, "an output this host does not know: {name}");
            }
            TrackerOutput::Effect(..) | TrackerOutput::Done(..) | TrackerOutput::Log(_) => {}
        }
    }

    fn carry_out(&mut self, operation: Option<OperationId>, call: CallId, effect: PluginEffect) {
        if let Some(id) = operation {
            self.calls.insert(call, id);
        }
        let open = operation.and_then(|id| self.open.get(&id));
        let urgency = open.map(|open| open.urgency).unwrap_or_default();
        let (tracker, generation) = (self.tracker.clone(), self.generation);
        tokio::spawn(async move {
            let carried = tracker.carry_out(effect, urgency).await;
            if let Err(problem) = &carried.reply
                && problem.kind == ProblemKind::Denied
            {
                tracing::warn!(tracker = %tracker.name, "refused: {problem}");
            }
            // A closed queue means that the host is ending: nobody waits any more.
            let _ = tracker.urgent.send(Asked::Reply(generation, call, carried)).await;
        });
    }

    fn finish(&mut self, id: OperationId, result: Result<(), Problem>) {
        if let Some(open) = self.open.remove(&id) {
            let result = open.judged(result);
            let Open { mut so_far, done, limit, .. } = open;
            limit.abort();
            so_far.result = result;
            // Whoever asked may have gone away; the answer then matters to nobody.
            let _ = done.send(so_far);
        }
    }

    fn fail_all(&mut self, problem: &Problem) {
        let open: Vec<_> = self.open.keys().copied().collect();
        for id in open {
            self.finish(id, Err(problem.clone()));
        }
    }

    fn forget_later(&self, id: OperationId) -> AbortHandle {
        let (queue, clock) = (self.tracker.queue.downgrade(), self.tracker.clock.clone());
        let limit = tokio::spawn(async move {
            clock.sleep_awake(OPERATION_LIMIT).await;
            if let Some(queue) = queue.upgrade() {
                let _ = queue.send(Asked::Forget(id)).await;
            }
        });
        limit.abort_handle()
    }

    /// Drops a connection that has done many steps, when nothing is under way; the
    /// next one is told what it knew.
    fn renew_if_worn_out(&mut self) {
        let idle = self.open.is_empty();
        self.connection.take_if(|connection| idle && connection.worn_out());
    }
}

/// Keeps what the plugin wants the next connection to know, before any effect of the
/// same step is carried out: a host that is killed then still knows what it asked.
fn remember(connection: &mut Connection, memory: &Path, known: Option<Vec<u8>>) -> Option<Vec<u8>> {
    let saved = connection.save().ok().filter(|saved| !saved.is_empty());
    if saved == known {
        return known;
    }
    if let Err(error) = crate::files::note(memory, saved.as_deref().unwrap_or_default()) {
        tracing::warn!("{} cannot be written: {error}", memory.display());
    }
    saved
}

/// A sentence for the person at the host; longer ones are cut.
fn notice(details: &str) -> Option<String> {
    let sentence: String = serde_json::from_str(details).ok()?;
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    let sentence: String = sentence.chars().map(plain).take(NOTICE_CHARS).collect();
    (!sentence.trim().is_empty()).then_some(sentence)
}

/// Puts a plugin's line into the host's log, under its name.
pub fn log(plugin: &str, line: &LogLine) {
    let message = &line.message;
    match line.level {
        Level::Debug => tracing::debug!(plugin, "{message}"),
        Level::Info => tracing::info!(plugin, "{message}"),
        Level::Warn => tracing::warn!(plugin, "{message}"),
        Level::Error => tracing::error!(plugin, "{message}"),
    }
}

#[cfg(test)]
mod tests;
