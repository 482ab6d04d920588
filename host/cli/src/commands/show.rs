//! `host show`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use hostler_daemon::engine::task::RunId;
use hostler_daemon::events::Recorded;
use hostler_daemon::standing::Standing;
use hostler_daemon::supervision::Supervision;

use super::find_run;
use crate::arguments::ShowArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::screens::show::{Places, draw_run};

/// Shows one run in full, or what it changed.
pub fn show(args: &ShowArgs, context: &Context) -> Result<(), Failure> {
    let (_, run) = find_run(&args.run, context)?;
    let id = RunId(run.id.clone());
    if args.diff {
        return print_patch(&context.home.patch(&id), &run.task_key);
    }
    if args.json {
        return output::json(&run);
    }
    let workspace = run.workspace.as_deref().unwrap_or_default();
    let last_event = if run.closed { None } else { last_event(&context.home.events(&id)) };
    let places = Places {
        last_event,
        logs: context.home.run(&id).display().to_string(),
        repository: checkout_of(workspace),
        worktree: Path::new(workspace).is_dir(),
        supervision: Supervision::of(&context.home, &id, run.attempt),
        pull_request: Standing::read(&context.home, &id),
    };
    output::print(&draw_run(&context.page(), &run, &places))
}

/// The checkout that a worktree belongs to, where it lies below it.
fn checkout_of(workspace: &str) -> Option<String> {
    workspace.split_once("/.hostler/").map(|(checkout, _)| checkout.to_owned())
}

/// Bytes at the end of the event log among which the last word is looked for.
const END_BYTES: i64 = 64 * 1024;

/// The last thing the agent did; a log that cannot be read is no reason to show
/// nothing else.
fn last_event(path: &Path) -> Option<String> {
    let mut file = File::open(path).ok()?;
    // A shorter file is read from its start.
    if file.seek(SeekFrom::End(-END_BYTES)).is_err() {
        file.rewind().ok()?;
    }
    let mut end = Vec::new();
    file.read_to_end(&mut end).ok()?;
    let end = String::from_utf8_lossy(&end);
    end.lines().rev().find_map(|line| serde_json::from_str::<Recorded>(line).ok()?.event.headline())
}

fn print_patch(path: &Path, key: &str) -> Result<(), Failure> {
    match std::fs::read(path) {
        Ok(changes) => output::write(&changes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Failure::new(
            Exit::Absent,
            format!("no changes of `{key}` are recorded; `host show {key}` tells its state"),
        )),
        Err(error) => Err(Failure::new(Exit::Record, format!("{} cannot be read: {error}", path.display()))),
    }
}
