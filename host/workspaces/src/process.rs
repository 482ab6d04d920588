//! One child process: bounded in time and output, and ended as a whole.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::cancel::Cancel;

/// Listing and comparing 50,000 files takes about two seconds; a hundred times
/// that on a busy disk is still a sign of trouble.
pub(crate) const INSPECTION_LIMIT: Duration = Duration::from_mins(3);

/// About a million paths; more than that is not a workspace a person reviews.
pub(crate) const MAX_LISTING_BYTES: usize = 128 * 1024 * 1024;

/// Enough of an error message to act on.
const MAX_MESSAGE_BYTES: usize = 4096;

/// How long to wait between looks at a child that has closed its output.
const EXIT_POLL: Duration = Duration::from_millis(1);

/// How long a cancellation may go unseen.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// How long a child that was asked to end may take to remove its lock files,
/// which would stand in the way of the next command.
const GRACE: Duration = Duration::from_secs(2);

/// Bounds and input of one command.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) input: &'a [u8],
    pub(crate) time_limit: Duration,
    pub(crate) max_output: usize,
    pub(crate) cancel: Option<&'a Cancel>,
}

impl Default for Call<'_> {
    fn default() -> Self {
        Self { input: &[], time_limit: INSPECTION_LIMIT, max_output: MAX_LISTING_BYTES, cancel: None }
    }
}

/// What a command wrote and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: Vec<u8>,
    /// There was more; the child was ended.
    pub(crate) truncated: bool,
    pub(crate) status: ExitStatus,
    /// The start of what it wrote to standard error.
    pub(crate) message: String,
}

/// Why a command has no end of its own.
#[derive(Debug)]
pub(crate) enum Broken {
    Start(io::Error),
    Wait(io::Error),
    TimedOut,
    Cancelled,
}

/// Runs the command in a process group of its own and reads all it writes.
pub(crate) fn execute(mut command: Command, call: &Call<'_>) -> Result<Output, Broken> {
    let deadline = Instant::now() + call.time_limit;
    let mut child = command
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Broken::Start)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (end, mut stdout, message) = thread::scope(|scope| {
        let (finished, reports) = mpsc::channel();
        let failed = finished.clone();
        // A child that stops reading its input says why on standard error.
        scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(call.input)));
        let out = scope.spawn(move || {
            let bytes = read_up_to(stdout, call.max_output.saturating_add(1));
            let _ = finished.send(bytes.len() > call.max_output);
            bytes
        });
        let err = scope.spawn(move || {
            let bytes = read_message(stderr);
            drop(failed);
            bytes
        });
        let end = watch(&mut child, &reports, deadline, call.cancel);
        let stdout = out.join().unwrap_or_default();
        (end, stdout, err.join().unwrap_or_default())
    });
    let (status, truncated) = match end {
        End::Exited(status) => (status, false),
        End::Overflowed(status) => (status, true),
        End::TimedOut => return Err(Broken::TimedOut),
        End::Cancelled => return Err(Broken::Cancelled),
    };
    stdout.truncate(call.max_output);
    Ok(Output { stdout, truncated, status: status.map_err(Broken::Wait)?, message })
}

/// How a child came to its end.
enum End {
    Exited(io::Result<ExitStatus>),
    Overflowed(io::Result<ExitStatus>),
    TimedOut,
    Cancelled,
}

/// Waits until the child has closed its output and exited, or ends it.
///
/// `reports` says whether standard output overflowed, and is disconnected once
/// both output streams are closed.
fn watch(
    child: &mut Child,
    reports: &mpsc::Receiver<bool>,
    deadline: Instant,
    cancel: Option<&Cancel>,
) -> End {
    let mut streams_open = true;
    loop {
        if streams_open {
            let left = deadline.saturating_duration_since(Instant::now());
            match reports.recv_timeout(if cancel.is_some() { left.min(CANCEL_POLL) } else { left }) {
                Ok(false) | Err(mpsc::RecvTimeoutError::Timeout) => {}
                Ok(true) => return End::Overflowed(end_group(child)),
                Err(mpsc::RecvTimeoutError::Disconnected) => streams_open = false,
            }
        } else {
            match child.try_wait() {
                Ok(Some(status)) => return End::Exited(Ok(status)),
                Ok(None) => thread::sleep(EXIT_POLL),
                Err(error) => return End::Exited(Err(error)),
            }
        }
        let cancelled = cancel.is_some_and(Cancel::is_cancelled);
        if cancelled || Instant::now() >= deadline {
            let _ = end_group(child);
            return if cancelled { End::Cancelled } else { End::TimedOut };
        }
    }
}

/// Ends the child and the helpers it started, first by asking, and reaps the
/// child. It is not reaped before, so the process group id is still its own.
fn end_group(child: &mut Child) -> io::Result<ExitStatus> {
    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

    let group = Pid::from_child(child);
    let asked = Instant::now();
    if kill_process_group(group, Signal::TERM).is_ok() {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        while asked.elapsed() < GRACE && matches!(waitid(WaitId::Pid(group), look), Ok(None)) {
            thread::sleep(EXIT_POLL);
        }
    }
    if kill_process_group(group, Signal::KILL).is_err() {
        child.kill()?;
    }
    child.wait()
}

fn read_up_to(stream: Option<impl Read>, limit: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // What arrived before an error still counts; the exit status tells the rest.
        let _ = stream.take(u64::try_from(limit).unwrap_or(u64::MAX)).read_to_end(&mut bytes);
    }
    bytes
}

/// Reads to the end, so that the child never blocks, but keeps only the start.
fn read_message(stream: Option<impl Read>) -> String {
    let Some(mut stream) = stream else {
        return String::new();
    };
    let bytes = read_up_to(Some(&mut stream), MAX_MESSAGE_BYTES);
    let _ = io::copy(&mut stream, &mut io::sink());
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
