//! What is to be true when a soak is over.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use standin_tale::board::{Run, Task};
use standin_tale::{Answered, Board, Endpoint, Fault, Harm, Moment, RecordedRequest, Time, limits};

use super::drive::{Dispatched, Driven};
use super::faults;
use super::history::HostRun;
use super::machine::Machine;
use super::task_check::Evidence;

/// Everything that was looked at.
pub struct Findings {
    /// What is wrong, in words; empty if the soak went well.
    pub wrong: Vec<String>,
    /// All requests of the host.
    pub requests: Vec<RecordedRequest>,
    /// Tasks that were handed out without the host hearing of it.
    pub lost_claims: usize,
    /// Starts of agents.
    pub starts: usize,
    /// Worktrees that hold work, and are kept for it.
    pub kept: usize,
}

/// Looks at everything, after the host has ended.
pub fn look(machine: &Machine, driven: &Driven, history: &[HostRun]) -> Findings {
    let requests = machine.server.requests();
    let mut findings = Findings { wrong: Vec::new(), requests, lost_claims: 0, starts: 0, kept: 0 };
    findings.record_is_whole();
    findings.wrong.extend(machine.server.board(Board::unended));
    findings.tasks(machine, &driven.tasks, history);
    findings.nothing_waits_at_the_host(driven);
    findings.commits(machine, &driven.tasks, history);
    findings.worktrees(machine, history);
    findings.locks(machine);
    findings
}

impl Findings {
    fn record_is_whole(&mut self) {
        if self.requests.len() >= limits::KEPT_REQUESTS {
            self.wrong.push("the server has forgotten requests: give it fewer tasks".to_owned());
        }
    }

    fn tasks(&mut self, machine: &Machine, tasks: &[Dispatched], history: &[HostRun]) {
        for dispatched in tasks {
            let (Some(task), Some(run)) =
                (machine.server.task(&dispatched.task), machine.server.run(&dispatched.run))
            else {
                self.wrong.push(format!("{} is not on the board any more", dispatched.work.key()));
                continue;
            };
            let evidence = Evidence {
                work: &dispatched.work,
                task: &task,
                run: &run,
                host: history.iter().filter(|own| own.task_id == task.id.0).collect(),
                starts: machine.starts(&dispatched.work),
                unacknowledged: self
                    .requests
                    .iter()
                    .filter(|request| is_unacknowledged(request) && request.path.contains(&run.id.0))
                    .count(),
            };
            self.starts += evidence.starts.len();
            self.lost_claims += evidence.lost_claims();
            let wrong = evidence.wrong();
            if !wrong.is_empty() {
                self.wrong.extend(wrong);
                self.wrong.extend(timeline(&task, &run, &self.requests));
            }
        }
        let cut = self.requests.iter().filter(|request| is_lost_claim(request)).count();
        if self.lost_claims > cut {
            let lost = self.lost_claims;
            self.wrong
                .push(format!("the host never heard of {lost} claims, but only {cut} answers were lost"));
        }
    }

    fn nothing_waits_at_the_host(&mut self, driven: &Driven) {
        let status = &driven.status;
        if status.undelivered_reports > 0 || !status.denied.is_empty() {
            self.wrong.push(format!("the host has something left to do, or refused something: {status:?}"));
        }
    }

    /// Every run that succeeded with a commit has exactly that commit on its branch.
    fn commits(&mut self, machine: &Machine, tasks: &[Dispatched], history: &[HostRun]) {
        for Dispatched { work, task, .. } in tasks.iter().filter(|task| task.work.kind.leaves_a_commit()) {
            let own = history.iter().filter(|run| run.task_id == task.0);
            for run in own.filter(|run| run.result.as_deref() == Some("succeeded")) {
                let branch = run.branch.as_deref().unwrap_or_default();
                let git = |args: &[&str]| {
                    let output = machine.repository.try_git(machine.repository.path(), args);
                    String::from_utf8_lossy(&output.stdout).trim().to_owned()
                };
                let written = git(&["show", &format!("{branch}:{}", work.file())]);
                let commits = git(&["rev-list", "--count", &format!("main..{branch}")]);
                if (written.as_str(), commits.as_str()) != (&work.key(), "1") {
                    let what = format!("its branch `{branch}` has {commits} commits and says {written:?}");
                    self.wrong.push(format!("{}: {what}", work.key()));
                }
            }
        }
    }

    /// Worktrees with work are kept until somebody clears them; all others are gone.
    fn worktrees(&mut self, machine: &Machine, history: &[HostRun]) {
        let workspaces = history.iter().filter_map(|run| run.workspace.clone());
        let there: BTreeSet<PathBuf> =
            workspaces.clone().filter_map(|path| folders(path.parent()?)).flatten().collect();
        let kept: BTreeSet<PathBuf> =
            history.iter().filter(|run| run.holds_work()).filter_map(|run| run.workspace.clone()).collect();
        self.kept = kept.len();
        for left in there.difference(&kept) {
            self.wrong.push(format!("the worktree {} was left without work in it", left.display()));
        }
        for gone in kept.difference(&there) {
            self.wrong.push(format!("the worktree {} with its work is gone", gone.display()));
        }
        let listed = machine.repository.git(&["worktree", "list", "--porcelain"]);
        let listed = listed.lines().filter(|line| line.starts_with("worktree ")).count();
        if listed != kept.len() + 1 {
            self.wrong.push(format!("git lists {listed} worktrees for {} and the checkout", kept.len()));
        }
        let status = machine.repository.git(&["status", "--porcelain"]);
        if !status.is_empty() {
            self.wrong.push(format!("the checkout was touched: {status}"));
        }
    }

    /// Git's own locks last as long as a command.
    fn locks(&mut self, machine: &Machine) {
        let mut found = Vec::new();
        // The host's own lock is held, not made: its file stays.
        for root in
            [machine.repository.path().join(".git"), machine.sandbox.state_folder().join("workspaces")]
        {
            find_locks(&root, &mut found);
        }
        self.wrong.extend(found.iter().map(|lock| format!("the lock {} was left", lock.display())));
    }
}

/// What happened to a task that went wrong, for whoever looks for the reason: as the
/// board tells it, and as it was asked.
fn timeline(task: &Task, run: &Run, requests: &[RecordedRequest]) -> Vec<String> {
    let told = task.activity.iter().map(|line| (line.at, format!("{}: {}", line.kind, line.text)));
    let about = requests.iter().filter(|request| request.path.contains(&run.id.0));
    let asked = about.map(|request| {
        let kind = request.body.get("type").and_then(serde_json::Value::as_str).unwrap_or_default();
        let fault = request.fault.as_ref().map(faults::name);
        (request.at, format!("{:?} {kind}, fault {fault:?}: {:?}", request.endpoint, request.answer))
    });
    let mut lines: Vec<(Time, String)> = told.chain(asked).collect();
    lines.sort_by_key(|(at, _)| *at);
    let begun = lines.first().map_or(Time(0), |(at, _)| *at);
    lines.iter().map(|(at, line)| format!("    {:>7} ms {line}", at.since(begun).as_millis())).collect()
}

/// Whether a report counted, and its sender perhaps does not know in time.
fn is_unacknowledged(request: &RecordedRequest) -> bool {
    let struck = request.fault.is_some_and(|fault| {
        fault.harm == Harm::Duplicate || (fault.harm == Harm::Cut && fault.moment == Moment::AfterCommit)
    });
    let counted = matches!(request.answer, Answered::Reply { status: 200, .. });
    match request.endpoint {
        Some(Endpoint::Complete) => struck,
        Some(Endpoint::Fail) => struck || counted,
        _ => false,
    }
}

fn is_lost_claim(request: &RecordedRequest) -> bool {
    let late = matches!(request.fault, Some(Fault { moment: Moment::AfterCommit, .. }));
    request.endpoint == Some(Endpoint::Claim) && late && request.answer == Answered::Cut
}

fn folders(place: &Path) -> Option<Vec<PathBuf>> {
    let entries = std::fs::read_dir(place).ok()?;
    Some(entries.flatten().map(|entry| entry.path()).filter(|path| path.is_dir()).collect())
}

fn find_locks(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "lock") {
            found.push(path);
        } else if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            find_locks(&path, found);
        }
    }
}
