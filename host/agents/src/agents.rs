//! Starting an agent: the one place where the host starts a provider's process.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::agent::{Agent, Parts, Stream};
use crate::control::{Orders, Report, Streams, to_line};
use crate::folder::Folder;
use crate::marker::{ATTEMPT_VARIABLE, Marker, RUN_VARIABLE};
use crate::output_stream::OutputStream;
use crate::program::find_program;
use crate::raw_log::RawLog;
use crate::reap::{ReapError, Reaped, reap};
use crate::start_error::StartError;
use crate::stdin::{Stdin, StdinQueue, StdinWriter};

/// How long a supervisor may take to start the agent. It does no work of its
/// own; only a program on a dead network disk takes longer.
const START_LIMIT: Duration = Duration::from_secs(10);

/// The most that is handed to a supervisor, in bytes of arguments and
/// environment: no system passes more to a program, most pass less.
const ARGUMENTS_LIMIT: usize = 6 * 1024 * 1024;

/// One attempt, ready to start.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The run it belongs to.
    pub run: String,
    /// Counts from 1.
    pub attempt: u32,
    /// A full path, or a name to look up in the `PATH` of `env`.
    pub program: PathBuf,
    /// What follows the program on the command line.
    pub args: Vec<OsString>,
    /// The whole environment, see [`crate::agent_environment`]; nothing is
    /// inherited, the run's two markers are added.
    pub env: Vec<(OsString, OsString)>,
    /// The folder to work in.
    pub cwd: PathBuf,
    /// The attempt's own folder, made if need be, for logs and records. Each
    /// attempt has another.
    pub folder: PathBuf,
    /// What the agent reads.
    pub stdin: Stdin,
}

/// Starts agents, each under a supervisor of its own.
#[derive(Clone, Debug)]
pub struct Agents {
    shim: PathBuf,
    shim_args: Vec<OsString>,
}

impl Agents {
    /// Supervisors are started as `shim shim_args…`, a command that calls
    /// [`crate::shim_main`].
    pub fn new(shim: PathBuf, shim_args: Vec<OsString>) -> Self {
        Self { shim, shim_args }
    }

    /// Starts an agent. When the returned [`Agent`], or this future, is dropped,
    /// everything that was started ends.
    pub async fn start(&self, launch: Launch) -> Result<Agent, StartError> {
        let (folder, orders) = prepare(&launch)?;
        let marker = Marker::new(&launch.run, launch.attempt);
        let pipes = Pipes::open(launch.stdin, &folder)?;

        let no_shim = |source| StartError::Shim { shim: self.shim.clone(), source };
        let (mut shim, socket) = self.spawn_shim(&marker).map_err(no_shim)?;
        let (reports, mut control) = hand_over(pipes.theirs, socket).map_err(no_shim)?;
        let mut reports = BufReader::new(reports).lines();
        let answer = timeout(START_LIMIT, async {
            control.write_all(&to_line(&orders)?).await?;
            reports.next_line().await?.ok_or_else(|| io::Error::from(io::ErrorKind::UnexpectedEof))
        });
        let answer = answer.await.map_err(|_| no_shim(io::ErrorKind::TimedOut.into()))?.map_err(no_shim)?;
        let record = match serde_json::from_str(&answer).map_err(|error| no_shim(error.into()))? {
            Report::Started(record) => record,
            Report::NotStarted { step, errno } => {
                // Its last word; "nothing of it runs" is true only once it has gone.
                let _ = shim.wait().await;
                return Err(StartError::from_shim(step, errno, &orders, &self.shim));
            }
            Report::Exited(_) => return Err(no_shim(io::ErrorKind::InvalidData.into())),
        };
        let Pipes { writer, queue, stdout, stderr, .. } = pipes;
        let parts = Parts { folder, marker, shim, reports, _writer: writer, queue, stdout, stderr };
        Ok(Agent::new(record, parts, control))
    }

    /// After the host has died: makes sure that nothing of an attempt is left,
    /// and learns how it ended. Waits for a supervisor that is still ending its
    /// tree, kills what carries the marker of this run and attempt, and nothing
    /// else. Not for an attempt that this host still supervises.
    pub async fn reap(&self, folder: &Path, run: &str, attempt: u32) -> Result<Reaped, ReapError> {
        reap(Folder::at(folder), Marker::new(run, attempt)).await
    }

    fn spawn_shim(&self, marker: &Marker) -> io::Result<(Child, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let shim = Command::new(&self.shim)
            .args(&self.shim_args)
            .env_clear()
            .envs(marker.entries())
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok((shim, ours))
    }
}

/// Everything that can be found wrong before there is a process.
fn prepare(launch: &Launch) -> Result<(Folder, Orders), StartError> {
    let path = launch.env.iter().find(|(name, _)| name == "PATH").map_or(OsStr::new(""), |(_, value)| value);
    let program = find_program(launch.program.as_os_str(), path)?;
    if !launch.cwd.is_dir() {
        return Err(StartError::NoFolderToWorkIn { cwd: launch.cwd.clone() });
    }
    let folder =
        std::path::absolute(&launch.folder).map_err(|error| StartError::folder(&launch.folder, error))?;
    let is_marker = |name: &OsStr| name == RUN_VARIABLE || name == ATTEMPT_VARIABLE;
    let env = launch.env.iter().filter(|(name, _)| !is_marker(name)).cloned();
    let orders = Orders {
        run: launch.run.clone(),
        attempt: launch.attempt,
        folder: folder.clone().into(),
        program: program.into(),
        args: launch.args.clone(),
        env: env.chain(Marker::new(&launch.run, launch.attempt).entries()).collect(),
        cwd: launch.cwd.clone().into(),
    };
    if orders.size() > ARGUMENTS_LIMIT {
        return Err(StartError::too_long(&orders));
    }
    Ok((Folder::at(&folder), orders))
}

/// Both ends of the agent's three streams.
struct Pipes {
    theirs: Streams,
    writer: StdinWriter,
    queue: StdinQueue,
    stdout: OutputStream,
    stderr: OutputStream,
}

impl Pipes {
    /// The first log is created new: it is what tells a folder that was used before.
    fn open(stdin: Stdin, folder: &Folder) -> Result<Self, StartError> {
        let no_folder = |error| StartError::folder(folder.path(), error);
        let no_pipe = |source| StartError::TooManyProcesses { source };
        folder.create().map_err(no_folder)?;
        let output = |stream: Stream| -> Result<(OutputStream, OwnedFd), StartError> {
            let log = folder.create_log(stream.log_name()).map_err(no_folder)?;
            let (ours, theirs) = io::pipe().map_err(no_pipe)?;
            let ours = OutputStream::new(ours.into(), RawLog::new(stream, log)).map_err(no_pipe)?;
            Ok((ours, OwnedFd::from(theirs)))
        };
        let (stdout, their_stdout) = output(Stream::Stdout)?;
        let (stderr, their_stderr) = output(Stream::Stderr)?;
        let (their_stdin, writer, queue) = stdin.open().map_err(no_pipe)?;
        let theirs = Streams { stdin: their_stdin, stdout: their_stdout, stderr: their_stderr };
        Ok(Self { theirs, writer, queue, stdout, stderr })
    }
}

type Halves = (OwnedReadHalf, OwnedWriteHalf);

/// The shim has copies of the streams afterwards, and ours are closed, so that
/// we see their end.
fn hand_over(streams: Streams, socket: UnixStream) -> io::Result<Halves> {
    streams.send(&socket)?;
    drop(streams);
    socket.set_nonblocking(true)?;
    Ok(tokio::net::UnixStream::from_std(socket)?.into_split())
}
