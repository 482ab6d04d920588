//! The protocol: a file's front matter says who works on it, and a write that
//! expects the file as it was read decides between two.

use hostler_sdk::files::Directory;
use hostler_sdk::tracker::{
    Attempt, Claim, Control, FollowUp, Polled, Report, RunPlan, RunRef, RunStatus, Task, Verdict, Workspace,
    judge, task_prompt,
};
use hostler_sdk::{Config, Context, Milliseconds, Problem, Section, Tracker, time};

use crate::task_file::{Status, TaskFile, is_task};
use crate::{report, wishes};

/// A person who saves a task should see it taken at once; listing a folder this
/// often costs next to nothing.
const PACE: Milliseconds = 2000;

/// How often a change of ours is tried again when the file changes under it. An
/// editor saves once, so a few are plenty.
const TRIES: usize = 5;

/// Bigger files are no tasks: no prompt holds them.
const TASK_BYTES: u32 = 1 << 20;

/// One try after a transient failure, where the task does not say otherwise.
const ATTEMPTS: usize = 2;

/// A folder of Markdown files.
pub struct Folder;

/// What to do with a file that was read.
enum Change {
    Write,
    Leave,
}

impl Tracker for Folder {
    fn open(_: Config, _: Option<Vec<u8>>) -> Result<Self, Problem> {
        Ok(Self)
    }

    async fn poll(&self, cx: &Context, limit: u32) -> Result<Polled, Problem> {
        let folder = folder(cx);
        let mut offered = Vec::new();
        for entry in folder.list(".").await? {
            if entry.kind != "file" || !is_task(&entry.name) {
                continue;
            }
            if entry.size > TASK_BYTES {
                cx.log(
                    "warn",
                    format!("{} is larger than 1 MiB and is left out; make it smaller.", entry.name),
                );
                continue;
            }
            match read(&folder, &entry.name).await {
                Ok((file, _)) if file.status() == Status::Todo => offered.push(file.task()),
                Err(problem) if !problem.is_gone() => cx.log("warn", problem.message),
                // Not to do, or deleted since it was listed.
                _ => {}
            }
        }
        // Stable: files of the same priority stay in the order of their names.
        offered.sort_by_key(|task| std::cmp::Reverse(task.priority));
        offered.truncate(limit as usize);
        Ok(Polled { offered, claimed: Vec::new(), pace: Some(PACE) })
    }

    async fn claim(&self, cx: &Context, run: RunRef) -> Result<Claim, Problem> {
        let started = time::iso8601(cx.now());
        let file = change(cx, &run.task.id, |file| match (file.status(), file.run()) {
            (Status::Todo, _) => {
                file.content.set("status", "doing");
                file.content.set("run", &run.run);
                file.content.set("started", &started);
                file.content.remove("finished");
                file.content.remove(wishes::FOLLOW_UP);
                Ok(Change::Write)
            }
            // We have it already: the host asks again after a crash.
            (Status::Doing, Some(holder)) if holder == run.run => Ok(Change::Leave),
            (Status::Doing, Some(holder)) => {
                Err(Problem::gone(format!("{} is already being worked on by run {holder}.", run.task.id)))
            }
            _ => Err(Problem::gone(format!("{} is not to do any more.", run.task.id))),
        });
        Ok(Claim { task: file.await?.task(), lease: None, environment: Vec::new() })
    }

    async fn heartbeat(&self, cx: &Context, runs: Vec<RunStatus>) -> Result<Vec<(String, Control)>, Problem> {
        let folder = folder(cx);
        let mut words = Vec::new();
        for status in runs {
            let RunRef { run, task, .. } = status.at;
            let word = match read(&folder, &task.id).await {
                Ok((file, _)) => objection(&file, &task.id, &run),
                Err(problem) if problem.is_gone() => {
                    Some(Control::Cancel(format!("{} was deleted or renamed.", task.id)))
                }
                // Being unable to look is no reason to end anything.
                Err(problem) => {
                    cx.log("warn", problem.message);
                    None
                }
            };
            words.extend(word.map(|word| (run, word)));
        }
        Ok(words)
    }

    async fn report(&self, cx: &Context, run: RunRef, report: Report) -> Result<(), Problem> {
        let now = cx.now();
        let written = change(cx, &run.task.id, |file| {
            if report::has(file.content.body(), &run.run) {
                return Ok(Change::Leave);
            }
            // Where the owner changed the status meanwhile, the owner's word stands.
            if file.is_held_by(&run.run) {
                file.content.set("status", final_status(&report));
                file.content.set("finished", &time::iso8601(now));
                if let Some(branch) = &report.branch {
                    file.content.set("branch", branch);
                }
            }
            let line_end = file.content.line_end();
            let section = report::section(file.content.body(), &run.run, &report, now, line_end);
            file.content.append(&section);
            Ok(Change::Write)
        });
        written.await.map(|_| ())
    }

    async fn release(&self, cx: &Context, run: RunRef) -> Result<(), Problem> {
        let released = change(cx, &run.task.id, |file| {
            if !file.is_held_by(&run.run) {
                return Ok(Change::Leave);
            }
            file.content.set("status", "todo");
            file.content.remove("run");
            file.content.remove("started");
            Ok(Change::Write)
        });
        match released.await {
            Err(problem) if !problem.is_gone() => Err(problem),
            _ => Ok(()),
        }
    }

    async fn follow_up(&self, cx: &Context, run: RunRef, word: FollowUp) -> Result<(), Problem> {
        let written = change(cx, &run.task.id, |file| match file.status() {
            Status::Ended if file.run().as_deref() == Some(run.run.as_str()) => {
                file.content.set("status", "todo");
                file.content.set(wishes::FOLLOW_UP, &word.number.to_string());
                let line = report::taken_up(file.content.body(), &word.message, file.content.line_end());
                file.content.append(&line);
                Ok(Change::Write)
            }
            // It is to do already: we were here before, or its owner was.
            Status::Todo | Status::Doing => Ok(Change::Leave),
            _ => Err(Problem::gone(format!("The owner of {} has other plans for it.", run.task.id))),
        });
        written.await.map(|_| ())
    }

    fn plan(_: &Config, task: &Task) -> Result<RunPlan, Problem> {
        wishes::plan(&task.id, &task.data)
    }

    fn prompt(_: &Config, task: &Task, at: &Workspace, history: &[Attempt]) -> Result<Vec<Section>, Problem> {
        let mut sections = task_prompt(task, at, history);
        // The title comes from the owner's file like the text below it, and mostly
        // stands there as its first heading.
        let repeated = task.sections.iter().any(|section| section.body.trim_start().starts_with("# "));
        if repeated {
            sections.remove(0);
        } else if let Some(title) = sections.first_mut() {
            title.trusted = true;
        }
        Ok(sections)
    }

    fn retry(_: &Config, task: &Task, history: &[Attempt]) -> Verdict {
        judge(history, wishes::attempts(&task.data).unwrap_or(ATTEMPTS))
    }
}

fn folder(cx: &Context) -> Directory {
    cx.files("tasks")
}

/// Reads a file, and the tag that identifies what was read.
async fn read(folder: &Directory, name: &str) -> Result<(TaskFile, String), Problem> {
    let read = folder.read(name).await?;
    match std::str::from_utf8(&read.content) {
        Ok(text) => Ok((TaskFile::parse(name, text), read.tag)),
        Err(_) => Err(Problem::permanent(format!("{name} is not UTF-8 text; save it as UTF-8."))),
    }
}

/// Reads a file, changes it and writes it, again and again until nobody changed
/// it in between.
async fn change(
    cx: &Context,
    name: &str,
    decide: impl Fn(&mut TaskFile) -> Result<Change, Problem>,
) -> Result<TaskFile, Problem> {
    let folder = folder(cx);
    for _ in 0..TRIES {
        let (mut file, tag) = read(&folder, name).await?;
        if matches!(decide(&mut file)?, Change::Leave) {
            return Ok(file);
        }
        match folder.write(name, file.content.text().into_bytes(), Some(&tag)).await {
            Ok(_) => return Ok(file),
            Err(problem) if problem.is_gone() => {}
            Err(problem) => return Err(problem),
        }
    }
    Err(Problem::transient(format!("{name} changes all the time; it is tried again.")))
}

/// Why a run must not go on, if what its file says is against it.
fn objection(file: &TaskFile, name: &str, run: &str) -> Option<Control> {
    if file.is_held_by(run) || report::has(file.content.body(), run) {
        return None;
    }
    Some(match (file.status(), file.run()) {
        (Status::Doing, Some(other)) => Control::LeaseLost(format!("{name} was given to run {other}.")),
        (Status::Doing, None) => Control::Cancel(format!("The run line was removed from {name}.")),
        _ => {
            let status = file.content.get("status").unwrap_or_else(|| "nothing".into());
            Control::Cancel(format!("The status in {name} was set to {status}."))
        }
    })
}

fn final_status(report: &Report) -> &'static str {
    match report.state.as_str() {
        "succeeded" => "done",
        "cancelled" => "cancelled",
        _ => "failed",
    }
}

#[cfg(test)]
pub(crate) mod tests;
