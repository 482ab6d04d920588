//! The engine's loop: take what happened, decide, write it down, then act.
//!
//! Two tasks share the work. The *core* owns the engine: it applies inputs and
//! hands each to the journal. The *hands* wait until an entry is durable and only
//! then carry its effects out, so that many inputs can share one write to the disk.

use std::collections::BTreeMap;
use std::sync::Arc;

use hostler_engine::run::{Run, State};
use hostler_engine::task::RunId;
use hostler_engine::time::{Millis, Timestamp};
use hostler_engine::{Effect, Engine, Input};
use hostler_journal::audit::Head;
use hostler_journal::{Entry, Journal, JournalError, Receipt};
use tokio::sync::{mpsc, watch};

use crate::carry_out::carry_out;
use crate::clock::Clock;
use crate::message::Message;
use crate::record::projection;
use crate::rooms::Rooms;
use crate::view::{Notice, RunView};

/// Inputs between two snapshots: a restart replays at most so many.
const SNAPSHOT_EVERY: u32 = 256;

/// How often heartbeats are sent if no lease wants them more often.
const HEARTBEAT_EVERY: Millis = Millis::seconds(10);

/// What the loops beside the core need to know of it.
#[derive(Clone, Debug, Default)]
pub struct Situation {
    /// How many more runs could start now.
    pub free_slots: u32,
    /// `open`, `draining` or `stopping`.
    pub mode: String,
    /// Runs the tracker should hear of.
    pub held: Vec<Run>,
    /// How often.
    pub heartbeat_every: Millis,
    /// Whether a drain is complete.
    pub quiet: bool,
    /// Whether the host is to end, having nothing left to do.
    pub over: bool,
    /// Reports that are not delivered.
    pub undelivered: u32,
}

impl Situation {
    /// One of the runs that the tracker should hear of.
    pub fn run(&self, id: &RunId) -> Option<&Run> {
        self.held.iter().find(|run| run.id == *id)
    }
}

/// How the closed runs of this start ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Done.
    pub succeeded: u32,
    /// Failed for good.
    pub failed: u32,
    /// Ended by somebody.
    pub cancelled: u32,
    /// Gone to somebody else.
    pub lost: u32,
    /// Will go on at the next start.
    pub waiting: u32,
    /// Wait for a person.
    pub parked: u32,
    /// Have an agent that works on without a host.
    pub working: u32,
}

/// Owns the engine.
pub struct Core {
    engine: Engine,
    journal: Journal,
    rooms: Arc<Rooms>,
    situation: watch::Sender<Situation>,
    hands: mpsc::Sender<Deed>,
    /// Rows as they were last written.
    rows: BTreeMap<RunId, RunView>,
    since_snapshot: u32,
    /// What the journal knows of the audit log.
    audited: Option<Head>,
    /// How long the machine had slept when the engine was last told.
    slept: Millis,
    once: bool,
    /// Whether the host ends and leaves the agents at work.
    detached: bool,
    /// Whether the last poll worked and led to nothing new.
    dry: bool,
    summary: Summary,
}

/// Effects to be carried out once their entry is durable.
struct Deed {
    receipt: Receipt,
    /// Each with its run, unless that is over and forgotten.
    effects: Vec<(Effect, Option<Run>)>,
}

/// Shorter sleeps of the machine make no difference to an agent's silence.
const SLEEP_NOTICED: Millis = Millis::seconds(1);

/// Deeds that may wait for the disk.
const DEEDS: usize = 1024;

impl Core {
    /// A core for a recovered engine, which tells `situation` what it is up to. Also
    /// gives a future that must be run beside [`Core::work`] and ends with the first
    /// failed write.
    pub fn new(
        engine: Engine,
        journal: Journal,
        rooms: Arc<Rooms>,
        situation: watch::Sender<Situation>,
        once: bool,
    ) -> (Self, impl Future<Output = Result<(), JournalError>>) {
        let (hands, deeds) = mpsc::channel(DEEDS);
        // What was over before this start is in the record already; it is no news and
        // does not count towards this start's summary.
        let closed = engine.runs().filter(|run| run.is_closed());
        let rows = closed.map(|run| (run.id.clone(), RunView::of(run))).collect();
        let working = hands_at_work(deeds, Arc::clone(&rooms));
        let core = Self {
            engine,
            journal,
            rooms,
            situation,
            hands,
            rows,
            since_snapshot: 0,
            audited: None,
            slept: Millis(0),
            once,
            detached: false,
            dry: false,
            summary: Summary::default(),
        };
        (core, working)
    }

    /// Works until the host is over.
    pub async fn work(mut self, mut inbox: mpsc::Receiver<Message>) -> Result<Summary, JournalError> {
        while !self.detached && !self.situation.borrow().over {
            let due = wait_for(self.rooms.clock.clone(), self.engine.next_deadline());
            tokio::select! {
                message = inbox.recv() => match message {
                    Some(message) => self.take(message).await?,
                    None => break,
                },
                () = due => {
                    // What was said before counts before time does: a renewal that
                    // waits here must not come too late.
                    for _ in 0..inbox.len() {
                        let Ok(message) = inbox.try_recv() else { break };
                        self.take(message).await?;
                    }
                    self.apply(Input::Tick).await?;
                }
            }
        }
        Ok(self.final_summary())
    }

    async fn take(&mut self, message: Message) -> Result<(), JournalError> {
        match message {
            Message::Input(input) => self.apply(*input).await,
            Message::Polled { inputs, worked, taken } => {
                let before = self.engine.runs().count();
                for input in inputs {
                    self.apply(input).await?;
                }
                self.dry = worked && self.engine.runs().count() == before;
                self.tell_situation();
                // Whoever polled may have ended.
                let _ = taken.send(());
                Ok(())
            }
            Message::Detach(answer) => {
                self.detached = true;
                if let Some(answer) = answer {
                    // Whoever asked may have gone away.
                    let _ = answer.send(self.final_summary().working);
                }
                Ok(())
            }
            Message::PullRequests(answer) => {
                // Whoever asked may have gone away.
                let _ = answer.send(self.engine.pull_requests().cloned().collect());
                Ok(())
            }
            Message::Runs(answer) => {
                // Whoever asked may have gone away.
                let _ = answer.send(self.engine.runs().map(RunView::of).collect());
                Ok(())
            }
        }
    }

    /// Applies one input; that the machine slept before it comes first.
    pub async fn apply(&mut self, input: Input) -> Result<(), JournalError> {
        let slept = self.rooms.clock.slept();
        let more = Millis(slept.0.saturating_sub(self.slept.0));
        if more >= SLEEP_NOTICED {
            self.slept = slept;
            self.take_in(Input::Woke { slept: more }).await?;
        }
        self.take_in(input).await
    }

    /// One input: decide, hand over to the journal, let the hands act after.
    async fn take_in(&mut self, input: Input) -> Result<(), JournalError> {
        let now = self.rooms.clock.now();
        if matches!(input, Input::StopNow) {
            self.rooms.cancel.cancel();
        }
        let (input, text) = self.rooms.conceal.input(input);
        let about = input.run().map(|run| run.0.clone());
        let effects = self.engine.apply(now, input);
        let mut entry = Entry {
            at_ms: now.0,
            input: text,
            run: about,
            effects: serde_json::to_string(&effects).unwrap_or_default(),
            ..Entry::default()
        };
        self.project(&mut entry, now);
        self.since_snapshot += 1;
        if self.since_snapshot >= SNAPSHOT_EVERY {
            entry.snapshot = serde_json::to_string(&self.engine).ok();
            self.since_snapshot = 0;
        }
        let audited = self.rooms.audit.settled();
        if audited != self.audited {
            self.audited = audited;
            entry.audit = audited;
        }
        let receipt = self.journal.submit(entry).await?;
        let effects = effects
            .into_iter()
            .map(|effect| {
                let run = self.engine.run(&effect.at.run).cloned();
                (effect, run)
            })
            .collect();
        // The hands have stopped only if a write failed; then this core is stopped, too.
        let _ = self.hands.send(Deed { receipt, effects }).await;
        self.tell_situation();
        Ok(())
    }

    /// Adds the rows and outbox changes of every run that looks different now.
    fn project(&mut self, entry: &mut Entry, now: Timestamp) {
        let mut rows = BTreeMap::new();
        for run in self.engine.runs() {
            let view = RunView::of(run);
            if self.rows.get(&run.id) != Some(&view) {
                entry.runs.push(projection::row(&view, now));
                entry.outbox.extend(projection::outbox(run, now));
                self.rooms.show(Notice::Run { run: Box::new(view.clone()) });
                if view.closed {
                    count(&mut self.summary, &view);
                }
            }
            rows.insert(run.id.clone(), view);
        }
        self.rows = rows;
    }

    fn tell_situation(&self) {
        let held = self.engine.held(self.rooms.tracker.name()).into_iter().cloned().collect();
        let stopping = self.engine.mode() != hostler_engine::engine::Mode::Open;
        let done = self.engine.runs().all(|run| matches!(run.state, State::Parked { .. }));
        let undelivered = self
            .engine
            .runs()
            .filter(|run| {
                matches!(run.state, State::Reporting { .. } | State::Parked { report: Some(_), .. })
            })
            .count();
        self.situation.send_replace(Situation {
            free_slots: self.engine.free_slots(),
            mode: format!("{:?}", self.engine.mode()).to_ascii_lowercase(),
            held,
            heartbeat_every: self.engine.heartbeat_every(HEARTBEAT_EVERY),
            quiet: self.engine.is_quiet(),
            over: (stopping && self.engine.is_quiet()) || (self.once && self.dry && done),
            undelivered: u32::try_from(undelivered).unwrap_or(u32::MAX),
        });
    }

    fn final_summary(&self) -> Summary {
        let mut summary = self.summary;
        for run in self.engine.runs().filter(|run| !run.is_closed()) {
            match run.state {
                State::Parked { .. } => summary.parked += 1,
                _ if run.state.may_have_agent() => summary.working += 1,
                _ => summary.waiting += 1,
            }
        }
        summary
    }
}

/// Waits for a deadline, for ever if there is none.
async fn wait_for(clock: Clock, deadline: Option<Timestamp>) {
    match deadline {
        Some(at) => clock.sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn count(summary: &mut Summary, view: &RunView) {
    match view.result.as_deref() {
        Some("succeeded") => summary.succeeded += 1,
        Some("failed") => summary.failed += 1,
        Some("cancelled") => summary.cancelled += 1,
        Some("lost") => summary.lost += 1,
        _ => {}
    }
}

/// Waits for each entry to be durable, in order, and starts its effects.
async fn hands_at_work(mut deeds: mpsc::Receiver<Deed>, rooms: Arc<Rooms>) -> Result<(), JournalError> {
    while let Some(Deed { receipt, effects }) = deeds.recv().await {
        receipt.durable().await?;
        for (effect, run) in effects {
            tokio::spawn(carry_out(Arc::clone(&rooms), run, effect));
        }
    }
    Ok(())
}
