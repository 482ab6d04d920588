//! `host logs`.

use std::fs::File;
use std::io::{BufRead, BufReader, IsTerminal, Read};
use std::path::Path;
use std::time::Duration;

use hostler_daemon::engine::task::RunId;
use hostler_daemon::events::Recorded;
use hostler_daemon::history::History;
use hostler_daemon::view::RunView;

use super::find_run;
use crate::arguments::LogsArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::page::Page;
use crate::screens::events::{draw_attempt, draw_event};
use crate::text::paragraph;

/// How often the file is looked at while following: quick to the eye, nothing to
/// the disk.
const LOOK: Duration = Duration::from_millis(250);

/// Names of the files with what an agent printed.
const STDOUT: &str = "stdout.log";
const STDERR: &str = "stderr.log";

/// Shows what the agents of a run said and did.
pub fn logs(args: &LogsArgs, context: &Context) -> Result<(), Failure> {
    let (history, run) = find_run(&args.run, context)?;
    let id = RunId(run.id.clone());
    if args.raw {
        let attempt = args.attempt.unwrap_or(run.attempt.max(1));
        let folder = context.home.attempt(&id, attempt);
        raw(&folder.join(STDOUT), attempt, Standard::Output)?;
        return raw(&folder.join(STDERR), attempt, Standard::Error);
    }
    let mut screen = Screen { page: context.page(), json: args.json, only: args.attempt, attempt: 0 };
    let mut tail = Tail { path: context.home.events(&id), file: None, line: Vec::new() };
    loop {
        // Asked before reading: what was said until the end is not missed.
        let over = !args.follow || is_over(&history, &run)?;
        let mut lines = 0;
        while let Some(line) = tail.next()? {
            screen.show(&line)?;
            lines += 1;
        }
        if over {
            return Ok(());
        }
        if lines == 0 {
            std::thread::sleep(LOOK);
        }
    }
}

fn is_over(history: &History, run: &RunView) -> Result<bool, Failure> {
    Ok(history.run(&run.id)?.closed)
}

/// Byte for byte, except on a terminal, which the bytes must not drive.
fn raw(path: &Path, attempt: u32, to: Standard) -> Result<(), Failure> {
    let mut file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Failure::new(
            Exit::Absent,
            format!("attempt {attempt} printed nothing that is still kept ({})", path.display()),
        ),
        _ => unreadable(path, &error),
    })?;
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut bytes).map_err(|error| unreadable(path, &error))?;
        match bytes.get(..read) {
            None | Some([]) => return Ok(()),
            Some(chunk) => to.write(chunk)?,
        }
    }
}

/// What the agent printed to one goes to the same.
#[derive(Clone, Copy)]
enum Standard {
    Output,
    Error,
}

impl Standard {
    fn write(self, chunk: &[u8]) -> Result<(), Failure> {
        let terminal = match self {
            Self::Output => std::io::stdout().is_terminal(),
            Self::Error => std::io::stderr().is_terminal(),
        };
        let safe = terminal.then(|| paragraph(&String::from_utf8_lossy(chunk)));
        let bytes = safe.as_deref().map_or(chunk, str::as_bytes);
        match self {
            Self::Output => output::write(bytes),
            Self::Error => output::write_error(bytes),
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Exit::Record, format!("{} cannot be read: {error}", path.display()))
}

/// Whole lines of a file that may still grow, or not be there yet.
struct Tail {
    path: std::path::PathBuf,
    file: Option<BufReader<File>>,
    /// The beginning of a line whose end is not written yet.
    line: Vec<u8>,
}

impl Tail {
    fn next(&mut self) -> Result<Option<String>, Failure> {
        if self.file.is_none() {
            self.file = match File::open(&self.path) {
                Ok(file) => Some(BufReader::new(file)),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                Err(error) => return Err(unreadable(&self.path, &error)),
            };
        }
        let Some(file) = &mut self.file else { return Ok(None) };
        file.read_until(b'\n', &mut self.line).map_err(|error| unreadable(&self.path, &error))?;
        if self.line.last() != Some(&b'\n') {
            return Ok(None);
        }
        let line = std::mem::take(&mut self.line);
        Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
    }
}

struct Screen {
    page: Page,
    json: bool,
    only: Option<u32>,
    attempt: u32,
}

impl Screen {
    fn show(&mut self, line: &str) -> Result<(), Failure> {
        // A line of another version, or half of one after a crash, is left out.
        let Ok(recorded) = serde_json::from_str::<Recorded>(line) else { return Ok(()) };
        if self.only.is_some_and(|only| only != recorded.attempt) {
            return Ok(());
        }
        if self.json {
            return output::line(line);
        }
        if recorded.attempt != self.attempt {
            self.attempt = recorded.attempt;
            output::line(draw_attempt(&self.page, self.attempt))?;
        }
        match draw_event(&self.page, &recorded) {
            Some(line) => output::line(line),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::io::Write;

    #[test]
    fn a_growing_file_is_read_by_whole_lines() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("events.jsonl");
        let mut tail = Tail { path: path.clone(), file: None, line: Vec::new() };
        assert_eq!(tail.next().unwrap(), None);
        let mut file = File::create(&path).unwrap();
        file.write_all(b"one\ntw").unwrap();
        assert_eq!(tail.next().unwrap().as_deref(), Some("one"));
        assert_eq!(tail.next().unwrap(), None);
        file.write_all(b"o\n").unwrap();
        assert_eq!(tail.next().unwrap().as_deref(), Some("two"));
        assert_eq!(tail.next().unwrap(), None);
    }
}
