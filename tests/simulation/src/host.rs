//! A host: its process, as the daemon behaves, and what outlives the process.

use std::collections::{BTreeMap, BTreeSet};

use hostler_engine::Engine;
use hostler_engine::engine::Mode;
use hostler_engine::run::State;
use hostler_engine::task::RunId;
use hostler_engine::time::{Millis, Timestamp};

use crate::disk::{Disk, Standing};
use crate::event::Life;

/// A workspace on a host.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    /// Whether it was made to the end.
    pub whole: bool,
    /// The run and attempt it was made for.
    pub made_for: Option<(RunId, u32)>,
    /// How often an agent changed something in it.
    pub work: u32,
}

/// The process `host`, from one start to its end.
#[derive(Debug)]
pub struct Process {
    /// What it decides with.
    pub engine: Engine,
    /// Agents it listens to: run and attempt.
    pub listens: BTreeSet<(RunId, u32)>,
    /// Whether its tracker is configured.
    pub has_tracker: bool,
    /// When the next look at the deadlines is planned.
    pub tick: Option<Timestamp>,
}

impl Process {
    /// Whether it ends by itself, because it was asked to and nothing is left to do.
    pub fn is_over(&self) -> bool {
        self.engine.mode() != Mode::Open && self.engine.is_quiet()
    }
}

/// A machine with its host.
#[derive(Debug, Default)]
pub struct Host {
    /// Counts the starts.
    pub life: Life,
    /// While it runs.
    pub process: Option<Process>,
    /// Its journal.
    pub disk: Disk,
    /// The host's clock minus the world's, in milliseconds.
    pub ahead: i64,
    /// Until when the machine sleeps.
    pub asleep_until: Timestamp,
    /// Until when nothing can be written.
    pub full_until: Timestamp,
    /// Until when nothing passes to or from the tracker.
    pub cut_off_until: Timestamp,
    /// How long it stays down after the next shutdown.
    pub down: Millis,
    /// Workspaces by name.
    pub folders: BTreeMap<String, Folder>,
    /// Entries so far, over all lives.
    pub entries: u32,
    /// Entries that became durable, over all lives.
    pub durable: u32,
    /// Effects carried out, over all lives.
    pub effects: u32,
    /// What the record said of each run, at least (I3).
    pub floor: BTreeMap<RunId, Standing>,
    /// Runs whose end was wished for good, according to the record, and the first
    /// attempt of each that must not start.
    pub stopped: BTreeMap<RunId, u32>,
    /// The next start is without its tracker.
    pub boots_without_tracker: bool,
    /// The engine as it was when the process died, if nothing was lost.
    pub last_known: Option<Box<Engine>>,
}

impl Host {
    /// What its clock says.
    pub fn clock(&self, now: Timestamp) -> Timestamp {
        Timestamp(now.0 + self.ahead)
    }

    /// When it is that moment of its clock.
    pub fn moment(&self, clock: Timestamp) -> Timestamp {
        Timestamp(clock.0 - self.ahead)
    }

    /// Runs that are neither over nor visibly waiting for a person.
    pub fn open_runs(&self) -> Vec<String> {
        let open =
            |state: &State| !matches!(state, State::Closed { .. } | State::Parked { report: Some(_), .. });
        let runs = self.process.iter().flat_map(|process| process.engine.runs());
        runs.filter(|run| open(&run.state)).map(|run| format!("{} {}", run.id, run.state.name())).collect()
    }
}
