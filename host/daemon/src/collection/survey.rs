//! Looks at what there is: runs, their folders, worktrees, plugins, the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hostler_engine::time::{Millis, Timestamp};
use hostler_workspaces::{Known, RemovalProof, Repository, Workspace, is_removed, known_workspaces};

use super::rules::{self, Decision, Named, Standing};
use super::{Choice, Deed, Fate, Finding, Retention, What, disk};
use crate::failure::Failure;
use crate::home::Home;
use crate::plugins::grants::Grants;
use crate::plugins::store::{self, Store};
use crate::record::history::{FindError, History};
use crate::view::RunView;

/// Native code is made again within seconds, so only code that nobody has made or
/// made anew for so long is called unused.
const NATIVE_CODE_AGE: Millis = Millis::minutes(30 * 24 * 60);

/// Everything there is.
pub struct Survey {
    runs: BTreeMap<String, SeenRun>,
    workspaces: Vec<Known>,
    history: Option<History>,
}

/// The folder of a run.
struct SeenRun {
    folder: PathBuf,
    view: Option<RunView>,
    workspace: Option<Workspace>,
}

impl SeenRun {
    fn standing(&self) -> Standing {
        standing(self.view.as_ref())
    }
}

fn standing(view: Option<&RunView>) -> Standing {
    match view {
        Some(view) if view.closed => Standing::Closed(Timestamp(view.since)),
        Some(_) => Standing::Open,
        None => Standing::Unknown,
    }
}

impl Survey {
    /// Looks.
    pub fn take(home: &Home) -> Result<Self, Failure> {
        let history = History::open(home)?;
        let mut runs = BTreeMap::new();
        for folder in folders(&home.runs())? {
            let id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let view = match &history {
                Some(history) => history.get(&id)?,
                None => None,
            };
            let workspace = store::read_json(&folder.join("workspace.json"));
            runs.insert(id, SeenRun { folder, view, workspace });
        }
        let workspaces = known_workspaces(&home.workspaces())?;
        Ok(Self { runs, workspaces, history })
    }

    /// The choice with the whole id of the run that the operator meant.
    pub fn chosen(&self, choice: &Choice) -> Result<Choice, Failure> {
        Ok(match choice {
            Choice::All => Choice::All,
            Choice::Run(name) => Choice::Run(self.id_of(name)?),
            Choice::Discard(name) => Choice::Discard(self.id_of(name)?),
        })
    }

    fn id_of(&self, name: &str) -> Result<String, Failure> {
        let found = self.history.as_ref().map(|history| history.run(name));
        match found {
            Some(Ok(run)) => return Ok(run.id),
            Some(Err(FindError::Failed(failure))) => return Err(failure),
            Some(Err(FindError::Ambiguous { .. })) => {}
            Some(Err(FindError::Unknown(_))) | None => {
                // What the record does not know is named by its folder or worktree.
                let owners = self.workspaces.iter().filter_map(|known| known.workspace.as_ref().ok());
                let owners = owners.map(|workspace| workspace.order.run.clone());
                let ids: BTreeSet<String> = self.runs.keys().cloned().chain(owners).collect();
                let matches: Vec<_> = ids.into_iter().filter(|id| id.contains(name)).collect();
                if let [id] = matches.as_slice() {
                    return Ok(id.clone());
                }
            }
        }
        Err(Failure::NoSuchRun(name.to_owned()))
    }

    /// What there is and what may become of it.
    pub fn findings(
        &self,
        home: &Home,
        retention: &Retention,
        choice: &Choice,
        now: Timestamp,
    ) -> Vec<Finding> {
        let named = |id: &str| match choice {
            Choice::All => Some(Named::No),
            Choice::Run(chosen) => (chosen == id).then_some(Named::Yes),
            Choice::Discard(chosen) => (chosen == id).then_some(Named::Discard),
        };
        let mut findings = Vec::new();
        for known in &self.workspaces {
            findings.extend(self.worktree(home, known, retention, &named, now));
        }
        // A worktree that stays is found again by what stands in its run's folder.
        let staying: BTreeSet<String> = findings
            .iter()
            .filter(|finding| finding.fate == Fate::Stays)
            .filter_map(|finding| finding.run.clone())
            .collect();
        for (id, run) in &self.runs {
            if let Some(named) = named(id) {
                findings.push(run_folder(id, run, retention, named, staying.contains(id), now));
            }
        }
        if *choice == Choice::All {
            findings.push(self.journal(home, retention, now));
            findings.push(super::audit::found(home, retention.audit, now));
            findings.extend(self.plugins(home, &findings));
            findings.extend(native_code(home, now));
        }
        findings
    }

    /// Every run that worked in a worktree: the one it was made for, and those that
    /// went on in it.
    fn users(&self, workspace: &Workspace) -> Vec<String> {
        let went_on = self
            .runs
            .iter()
            .filter(|(_, run)| run.workspace.as_ref().is_some_and(|theirs| theirs.path == workspace.path));
        let mut users: Vec<String> = went_on.map(|(id, _)| id.clone()).collect();
        if !users.contains(&workspace.order.run) {
            users.push(workspace.order.run.clone());
        }
        users
    }

    fn standing_of(&self, id: &str) -> Standing {
        if let Some(run) = self.runs.get(id) {
            return run.standing();
        }
        let view = self.history.as_ref().and_then(|history| history.get(id).ok().flatten());
        standing(view.as_ref())
    }

    fn worktree(
        &self,
        home: &Home,
        known: &Known,
        retention: &Retention,
        named: &impl Fn(&str) -> Option<Named>,
        now: Timestamp,
    ) -> Option<Finding> {
        let workspace = match &known.workspace {
            Ok(workspace) => workspace,
            Err(error) => {
                let stays = Decision::stays(format!("its record cannot be read: {error}"));
                return Some(finding(What::Worktree, None, known.desk.clone(), stays, None));
            }
        };
        let users = self.users(workspace);
        let named = users.iter().filter_map(|id| named(id)).max_by_key(|named| *named as u8)?;
        let standings: Vec<Standing> = users.iter().map(|id| self.standing_of(id)).collect();
        let owner = users.last().cloned().unwrap_or_default();
        if is_removed(workspace) && !standings.contains(&Standing::Open) {
            let goes = Decision::goes("somebody removed the worktree; only the host's notes on it are left");
            let deed = Deed::Forget(known.desk.clone());
            return Some(self.of_run(finding(
                What::Worktree,
                Some(owner),
                known.desk.clone(),
                goes,
                Some(deed),
            )));
        }
        let due = rules::due(&standings, retention.worktrees, named, now);
        let (decision, proof) = rules::worktree(due, named, || prove(home, workspace));
        let deed = proof.map(|proof| Deed::Worktree {
            workspace: Box::new(workspace.clone()),
            proof,
            users: users.clone(),
        });
        Some(self.of_run(finding(What::Worktree, Some(owner), workspace.path.clone(), decision, deed)))
    }

    fn of_run(&self, finding: Finding) -> Finding {
        let view = finding.run.as_ref().and_then(|id| self.runs.get(id)?.view.as_ref());
        Finding { task: view.map(|view| view.task_key.clone()), ..finding }
    }

    fn journal(&self, home: &Home, retention: &Retention, now: Timestamp) -> Finding {
        let path = home.journal();
        let (Some(keep), Some(history)) = (retention.journal, &self.history) else {
            return finding(
                What::Journal,
                None,
                path,
                Decision::stays("your settings keep it for ever"),
                None,
            );
        };
        let before = Timestamp(now.0 - i64::try_from(keep.0).unwrap_or(i64::MAX));
        let folders: Vec<String> = self.runs.keys().cloned().collect();
        let (decision, deed) = match history.prunable(before, &folders) {
            Err(error) => (Decision::stays(error.to_string()), None),
            Ok(found) if found.runs == 0 && found.entries == 0 => {
                (Decision::stays(format!("nothing in it that can go is older than {keep}")), None)
            }
            Ok(_) if crate::control::is_running(home) => {
                (Decision::stays("a host is running: it is made smaller while none runs"), None)
            }
            Ok(found) => {
                let what = format!("{} runs and {} entries are older than {keep}", found.runs, found.entries);
                (Decision::goes(what), Some(Deed::Prune { before }))
            }
        };
        finding(What::Journal, None, path, decision, deed)
    }

    /// Kept plugins that no run needs that stays, and that no host is set up with.
    fn plugins(&self, home: &Home, findings: &[Finding]) -> Vec<Finding> {
        let gone: BTreeSet<&PathBuf> = findings
            .iter()
            .filter(|finding| finding.fate != Fate::Stays)
            .map(|finding| &finding.path)
            .collect();
        let store = Store::of(home);
        let mut needed = store.in_use();
        for run in self.runs.values().filter(|run| !gone.contains(&run.folder)) {
            needed.extend(store::pinned_in(&run.folder));
        }
        let judged = store.stored().into_iter().map(|(digest, path)| {
            let decision = if needed.contains(&digest) {
                Decision::stays("a host or a recorded run uses it")
            } else {
                Decision::goes("no recorded run uses it")
            };
            let deed = (decision.fate == Fate::Goes).then_some(Deed::File);
            finding(What::Plugin, None, path, decision, deed)
        });
        judged.collect()
    }
}

/// The proof that a worktree's work is safe, from the repository itself.
fn prove(home: &Home, workspace: &Workspace) -> Result<RemovalProof, String> {
    let repository = repository_of(home, workspace)?;
    repository.proof_of_safety(workspace)
}

/// The repository that a worktree belongs to.
pub fn repository_of(home: &Home, workspace: &Workspace) -> Result<Repository, String> {
    let checkout = workspace.common_dir.parent().unwrap_or(&workspace.common_dir);
    Repository::open(checkout, &home.workspaces())
        .map_err(|error| format!("it could not be checked: {error}"))
}

fn run_folder(
    id: &str,
    run: &SeenRun,
    retention: &Retention,
    named: Named,
    worktree_stays: bool,
    now: Timestamp,
) -> Finding {
    let decision = rules::logs(rules::due(&[run.standing()], retention.logs, named, now));
    let deed =
        (decision.fate == Fate::Goes).then_some(if worktree_stays { Deed::Logs } else { Deed::Folder });
    let found = finding(What::Logs, Some(id.to_owned()), run.folder.clone(), decision, deed);
    Finding { task: run.view.as_ref().map(|view| view.task_key.clone()), ..found }
}

/// Native code of builds that have no grant any more, unless it is young.
fn native_code(home: &Home, now: Timestamp) -> Vec<Finding> {
    let Ok(grants) = Grants::load(&home.grants()) else { return Vec::new() };
    let entries = fs::read_dir(home.native_code()).into_iter().flatten().filter_map(Result::ok);
    let judged = entries.map(|entry| entry.path()).map(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let granted = grants.all().iter().any(|grant| name.starts_with(&grant.digest));
        let decision = if granted {
            Decision::stays("its plugin may run")
        } else if modified(&path).is_none_or(|at| now.since(at) < NATIVE_CODE_AGE) {
            Decision::stays(format!("it is younger than {NATIVE_CODE_AGE}"))
        } else {
            Decision::goes("its plugin has no grant; it is made again when needed")
        };
        let deed = (decision.fate == Fate::Goes).then_some(Deed::File);
        finding(What::NativeCode, None, path, decision, deed)
    });
    judged.collect()
}

fn modified(path: &Path) -> Option<Timestamp> {
    let at = fs::symlink_metadata(path).ok()?.modified().ok()?;
    let passed = at.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(Timestamp(i64::try_from(passed.as_millis()).ok()?))
}

pub fn finding(
    what: What,
    run: Option<String>,
    path: PathBuf,
    decision: Decision,
    deed: Option<Deed>,
) -> Finding {
    let bytes = disk::size(&path);
    Finding { what, run, task: None, path, bytes, fate: decision.fate, why: decision.why, deed }
}

fn folders(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(Failure::folder(path))?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Failure::folder(path))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}
