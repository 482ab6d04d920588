//! Making sure that nothing of an attempt is left that is over.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::control_group::ControlGroup;
use crate::exit::{Exit, Survivor, TreeProof};
use crate::folder::{AgentRecord, Folder};
use crate::marker::Marker;
use crate::process::{ProcessId, Seen, Sent, all, descendants, environ, look, signal};

/// How long a supervisor may take to end its tree once it was told to: a
/// little more than it takes before it gives up by itself.
const SHIM_LIMIT: Duration = Duration::from_secs(12);

/// How long marked processes are killed before they count as survivors.
const SWEEP_LIMIT: Duration = Duration::from_secs(10);

/// How often a supervisor or a killed process is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// How many looks in a row must find nothing. One would do if numbers only rose;
/// the second is for a process whose number wrapped around below our cursor.
const CLEAN_LOOKS: u32 = 2;

/// What is known of an attempt after its remains were cleared away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reaped {
    /// How it ended, as the supervisor saw it; absent if that was killed too.
    pub exit: Option<Exit>,
    /// What is left now.
    pub tree: TreeProof,
}

/// Why an attempt's remains cannot be judged.
#[derive(Debug, thiserror::Error)]
pub enum ReapError {
    /// A record is there but cannot be read.
    #[error("the records in `{}` cannot be read: {source}; repair or remove them once no process of the attempt is left", folder.display())]
    Unreadable {
        /// The attempt's folder.
        folder: PathBuf,
        /// What was wrong.
        source: io::Error,
    },
    /// The folder is another attempt's.
    #[error("`{}` belongs to attempt {attempt} of run {run}; reap that one by its own name", folder.display())]
    AnotherAttempt {
        /// The folder asked for.
        folder: PathBuf,
        /// The run it belongs to.
        run: String,
        /// The attempt it belongs to.
        attempt: u32,
    },
    /// The system does not show its processes.
    #[error("the processes of this machine cannot be listed: {source}; check that /proc is mounted")]
    NoProcesses {
        /// What the system said.
        source: io::Error,
    },
}

/// Who runs this attempt, if anybody ever did.
pub(crate) fn read_record(folder: &Folder, marker: &Marker) -> Result<Option<AgentRecord>, ReapError> {
    let unreadable = |source| ReapError::Unreadable { folder: folder.path().to_owned(), source };
    let record = folder.record().map_err(unreadable)?;
    if let Some(AgentRecord { run, attempt, .. }) = &record
        && (*run != marker.run || *attempt != marker.attempt)
    {
        let folder = folder.path().to_owned();
        return Err(ReapError::AnotherAttempt { folder, run: run.clone(), attempt: *attempt });
    }
    Ok(record)
}

/// Waits for a supervisor that is ending its tree, clears away what it left, and
/// looks until nothing is found.
pub(crate) async fn reap_rest(folder: Folder, marker: Marker) -> Result<Reaped, ReapError> {
    let done = tokio::task::spawn_blocking(move || reap_now(&folder, &marker)).await;
    done.unwrap_or_else(|panic| Err(ReapError::NoProcesses { source: io::Error::other(panic) }))
}

fn reap_now(folder: &Folder, marker: &Marker) -> Result<Reaped, ReapError> {
    let record = read_record(folder, marker)?;
    if let Some(record) = &record {
        wait_for_end(&record.shim);
    }
    let tree = sweep(marker, record.as_ref()).map_err(|source| ReapError::NoProcesses { source })?;
    let exit =
        folder.exit().map_err(|source| ReapError::Unreadable { folder: folder.path().to_owned(), source })?;
    Ok(Reaped { exit, tree })
}

/// The supervisor knows its tree best, so it is given its time, and woken should
/// somebody have stopped it. What it leaves is swept up like itself.
fn wait_for_end(shim: &ProcessId) {
    signal(shim, Signal::CONT);
    let deadline = Instant::now() + SHIM_LIMIT;
    while shim.is_alive() && Instant::now() < deadline {
        sleep(LOOK);
    }
}

/// Kills everything that carries the marker, the recorded processes, all below
/// them, and the members of the recorded control group, until nothing is found any more.
pub(crate) fn sweep(marker: &Marker, record: Option<&AgentRecord>) -> io::Result<TreeProof> {
    let recorded: Vec<ProcessId> = record
        .into_iter()
        .flat_map(|record| [Some(record.shim.clone()), record.agent.clone()])
        .flatten()
        .collect();
    let group = record.and_then(|record| ControlGroup::find(record.cgroup.as_ref()?, &record.shim));
    let deadline = Instant::now() + SWEEP_LIMIT;
    let mut killed = HashSet::new();
    let mut clean = 0;
    while clean < CLEAN_LOOKS {
        let mut found = kill_marked(marker, &recorded, &mut killed)?;
        found.extend(group.as_ref().map(kill_members).unwrap_or_default());
        clean = if found.is_empty() { clean + 1 } else { 0 };
        if !found.is_empty() && Instant::now() > deadline {
            return Ok(TreeProof::Survivors(found));
        }
    }
    if let Some(group) = group {
        group.remove();
    }
    let others = killed.iter().filter(|id| !recorded.contains(id)).count();
    Ok(TreeProof::Empty { killed: u32::try_from(others).unwrap_or(u32::MAX) })
}

/// Those of the attempt's control group carry no mark that they could lose. Gives
/// those who were there, so that another look follows.
fn kill_members(group: &ControlGroup) -> Vec<Survivor> {
    let members = group.members();
    group.kill();
    let seen = members.into_iter().filter_map(look).filter(|seen| !seen.ended);
    seen.map(|seen| Survivor { pid: seen.id.pid, name: seen.name }).collect()
}

/// One look at all processes; what belongs to the attempt is killed as soon as
/// it is met. A process that forks and exits all the time is gone before it is
/// looked at, so the list is taken again, and who is new on it looked at at
/// once, until there is nobody on it who was not looked at.
fn kill_marked(
    marker: &Marker,
    recorded: &[ProcessId],
    killed: &mut HashSet<ProcessId>,
) -> io::Result<Vec<Survivor>> {
    let mut looked_at = HashSet::from([me()]);
    let mut found = Vec::new();
    loop {
        let new: Vec<i32> = all()?.into_iter().filter(|pid| looked_at.insert(*pid)).collect();
        if new.is_empty() {
            return Ok(found);
        }
        for seen in new.into_iter().filter_map(look).filter(|seen| !seen.ended) {
            if recorded.contains(&seen.id)
                || environ(seen.id.pid).is_some_and(|environ| marker.is_in(&environ))
            {
                kill_below(seen, killed, &mut found);
            }
        }
    }
}

fn kill_below(top: Seen, killed: &mut HashSet<ProcessId>, found: &mut Vec<Survivor>) {
    let below = descendants(&top.id);
    for Seen { id, name, .. } in std::iter::once(top).chain(below).filter(|seen| seen.id.pid != me()) {
        let sent = signal(&id, Signal::KILL);
        if sent != Sent::Gone {
            found.push(Survivor { pid: id.pid, name });
        }
        if sent == Sent::Delivered {
            killed.insert(id);
        }
    }
}

fn me() -> i32 {
    rustix::process::getpid().as_raw_nonzero().get()
}
