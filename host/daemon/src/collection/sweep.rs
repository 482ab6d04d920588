//! Removes what may go, each thing after a last look: a host that runs beside may
//! have taken it up in between.

use std::fs;
use std::io;
use std::path::Path;

use hostler_agents::remove_tree;
use hostler_engine::time::Timestamp;
use hostler_journal::Journal;
use hostler_workspaces::{Removal, RemovalProof, Workspace, forget_removed, known_workspaces};

use super::survey::repository_of;
use super::{CollectionLock, Deed, Fate, Finding, What};
use crate::home::Home;
use crate::lock::StateLock;
use crate::plugins::store;
use crate::record::history::History;

/// What of a run's folder stays as long as its worktree does.
const WORKSPACE_FILE: &str = "workspace.json";

/// Removes what may go. A worktree goes before the notes on its run.
pub fn sweep(home: &Home, findings: Vec<Finding>) -> Vec<Finding> {
    let mut kept_runs = Vec::new();
    let mut swept = Vec::new();
    for mut finding in findings {
        let Some(deed) = finding.deed.take() else {
            swept.push(finding);
            continue;
        };
        let worktree_was_kept = finding.run.as_ref().is_some_and(|run| kept_runs.contains(run));
        let deed = if matches!(deed, Deed::Folder) && worktree_was_kept { Deed::Logs } else { deed };
        match carry_out(home, &finding, deed) {
            Ok(()) => finding.fate = Fate::Gone,
            Err(reason) => {
                finding.fate = Fate::Stays;
                finding.why = reason;
                if finding.what == What::Worktree {
                    kept_runs.extend(finding.run.clone());
                }
            }
        }
        swept.push(finding);
    }
    swept
}

fn carry_out(home: &Home, finding: &Finding, deed: Deed) -> Result<(), String> {
    match deed {
        Deed::Worktree { workspace, proof, users } => worktree(home, &workspace, &proof, &users),
        Deed::Forget(desk) => forget(home, &desk),
        Deed::Logs => logs(&finding.path).map_err(|error| not_deleted(&finding.path, &error)),
        Deed::Folder => remove_tree(&finding.path).map_err(|error| not_deleted(&finding.path, &error)),
        Deed::File => fs::remove_file(&finding.path).map_err(|error| not_deleted(&finding.path, &error)),
        Deed::Prune { before } => prune(home, before),
        Deed::Audit { old, now } => super::audit::remove(home, &old, now),
    }
}

fn not_deleted(path: &Path, error: &io::Error) -> String {
    format!("{} cannot be deleted ({error}); check its permissions", path.display())
}

/// While the lock is held no run takes up an earlier worktree; one that did so before
/// has said so in its folder.
fn worktree(
    home: &Home,
    workspace: &Workspace,
    proof: &RemovalProof,
    users: &[String],
) -> Result<(), String> {
    let _lock =
        CollectionLock::to_remove(home).map_err(|error| format!("it could not be locked: {error}"))?;
    let history = History::open(home).map_err(|error| error.to_string())?;
    for id in users_now(home, workspace, users) {
        let view = match &history {
            Some(history) => history.get(&id).map_err(|error| error.to_string())?,
            None => None,
        };
        if view.is_some_and(|view| !view.closed) {
            return Err("a run that is not over needs it".to_owned());
        }
    }
    match repository_of(home, workspace)?.remove(workspace, proof) {
        Removal::Removed { .. } => Ok(()),
        Removal::Kept { reason } => Err(reason),
    }
}

fn users_now(home: &Home, workspace: &Workspace, known: &[String]) -> Vec<String> {
    let folders = fs::read_dir(home.runs()).into_iter().flatten().filter_map(Result::ok);
    let went_on = folders.filter(|folder| {
        let theirs: Option<Workspace> = store::read_json(&folder.path().join(WORKSPACE_FILE));
        theirs.is_some_and(|theirs| theirs.path == workspace.path)
    });
    let went_on = went_on.map(|folder| folder.file_name().to_string_lossy().into_owned());
    known.iter().cloned().chain(went_on).collect()
}

fn forget(home: &Home, desk: &Path) -> Result<(), String> {
    let known = known_workspaces(&home.workspaces()).map_err(|error| error.to_string())?;
    let Some(known) = known.iter().find(|known| known.desk == desk) else { return Ok(()) };
    match forget_removed(known) {
        Ok(true) => Ok(()),
        Ok(false) => Err("the worktree is there again".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Everything of a run's folder but what leads to its worktree.
fn logs(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() != WORKSPACE_FILE {
            remove_tree(&entry.path())?;
        }
    }
    Ok(())
}

/// Only while no host writes to the journal. Runs whose folder is there keep their
/// rows, so that what is left of them is never without a record.
fn prune(home: &Home, before: Timestamp) -> Result<(), String> {
    let _lock = StateLock::take(home).map_err(|error| error.to_string())?;
    let (journal, _) = Journal::open(&home.journal()).map_err(|error| error.to_string())?;
    let folders = fs::read_dir(home.runs()).into_iter().flatten().filter_map(Result::ok);
    let keep = folders.map(|folder| folder.file_name().to_string_lossy().into_owned()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    runtime.block_on(journal.prune_except(before.0, keep)).map(drop).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Enough for this, and not for a frame per folder.
    const STACK: usize = 64 * 1024;

    #[test]
    fn of_a_runs_folder_only_the_way_to_its_worktree_stays_however_deep_an_agent_made_the_rest() {
        let place = tempfile::tempdir().unwrap();
        let run = place.path().to_owned();
        fs::create_dir_all((0..500).fold(run.join("attempt-1/private"), |path, _| path.join("d"))).unwrap();
        fs::write(run.join("events.jsonl"), "").unwrap();
        fs::write(run.join(WORKSPACE_FILE), "").unwrap();
        let thread = std::thread::Builder::new().stack_size(STACK);
        thread.spawn(move || logs(&run)).unwrap().join().unwrap().unwrap();
        let left: Vec<_> =
            fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, [WORKSPACE_FILE]);
    }
}
