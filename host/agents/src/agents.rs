//! Starting an agent: the one place where the host starts a provider's process.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use hostler_engine::redaction::Redaction;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command as Program};
use tokio::time::timeout;

use crate::adopt::{Adopted, adopt, reap};
use crate::agent::Agent;
use crate::byte_text::Word;
use crate::connection::{Conversation, Supervised};
use crate::containment::Containment;
use crate::control::{Command, Orders, Report, to_line};
use crate::folder::Folder;
use crate::limits::Limits;
use crate::marker::{ATTEMPT_VARIABLE, Marker, RUN_VARIABLE};
use crate::program::find_program;
use crate::reap::{ReapError, Reaped, sweep};
use crate::sandbox::{Places, Plan, Sandbox};
use crate::start_error::StartError;
use crate::stdin::Stdin;
use crate::transcript::Transcript;

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
    /// What it may use.
    pub limits: Limits,
    /// What keeps its processes together; in a sandbox, always a PID namespace.
    pub containment: Containment,
    /// What it may write, see and reach.
    pub sandbox: Sandbox,
    /// Values that must not be in its logs, nor in anything made of them: its own
    /// secrets and whatever else it might find. They are masked with `*`.
    pub secrets: Vec<OsString>,
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

    /// Starts an agent. It works until it is ended, whatever becomes of this host.
    /// When this future is dropped half way, [`Self::adopt`] and [`Self::reap`]
    /// find what was started.
    pub async fn start(&self, launch: Launch) -> Result<Agent, StartError> {
        let (folder, orders) = prepare(&launch)?;
        folder.create().map_err(|error| StartError::folder(folder.path(), error))?;
        let marker = Marker::new(&launch.run, launch.attempt);
        let no_shim = |source| StartError::Shim { shim: self.shim.clone(), source };
        let (mut shim, socket) = self.spawn_shim(&marker).map_err(no_shim)?;
        let secrets = launch.secrets.into_iter().map(Word::from).collect();
        let answer = timeout(START_LIMIT, hand_over(&orders, secrets, socket)).await;
        match answer.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok((conversation, Report::Here { record, state })) => {
                let transcript = Transcript::open(folder.path());
                let supervised = Supervised { folder, marker, record, shim: Some(shim) };
                Ok(Agent::new(conversation, supervised, state, transcript))
            }
            Ok((_, Report::NotStarted { step, errno })) => {
                // Its last word; "nothing of it runs" is true only once it has gone.
                let _ = shim.wait().await;
                Err(StartError::from_shim(step, errno, &orders, &self.shim))
            }
            Ok(_) => Err(no_shim(give_up(shim, marker, io::ErrorKind::InvalidData.into()).await)),
            Err(error) => Err(no_shim(give_up(shim, marker, error).await)),
        }
    }

    /// After a restart of the host: takes an agent up again that another host has
    /// started, or learns how it ended. `transcript` stands where that host had
    /// read to. An agent belongs to the host that adopted it last.
    pub async fn adopt(
        &self,
        folder: &Path,
        run: &str,
        attempt: u32,
        transcript: Transcript,
    ) -> Result<Adopted, ReapError> {
        adopt(Folder::at(folder), Marker::new(run, attempt), transcript).await
    }

    /// Ends what lives of an attempt, makes sure that nothing is left, and learns
    /// how it ended. Its supervisor is told to; without one, what carries the
    /// marker of this run and attempt is killed, and nothing else.
    pub async fn reap(&self, folder: &Path, run: &str, attempt: u32) -> Result<Reaped, ReapError> {
        reap(Folder::at(folder), Marker::new(run, attempt)).await
    }

    fn spawn_shim(&self, marker: &Marker) -> io::Result<(Child, UnixStream)> {
        let (ours, theirs) = UnixStream::pair()?;
        let shim = Program::new(&self.shim)
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

/// What is to be started goes over the socket; the answer comes back. Once the agent is
/// there, its supervisor is told what to hide.
async fn hand_over(
    orders: &Orders,
    secrets: Vec<Word>,
    socket: UnixStream,
) -> io::Result<(Conversation, Report)> {
    let mut conversation = Conversation::new(socket)?;
    conversation.control.write_all(&to_line(orders)?).await?;
    let answer = conversation.next().await?;
    if matches!(answer, Report::Here { .. }) {
        conversation.control.write_all(&to_line(&Command::Hide { secrets })?).await?;
    }
    Ok((conversation, answer))
}

/// A supervisor that makes no sense goes, and takes with it what it may have
/// started.
async fn give_up(mut shim: Child, marker: Marker, error: io::Error) -> io::Error {
    let _ = shim.kill().await;
    // What cannot even be listed was most likely never started.
    let _ = tokio::task::spawn_blocking(move || sweep(&marker, None)).await;
    error
}

/// Says where temporary files go.
const TEMPORARY: &str = "TMPDIR";

fn value_of<'a>(launch: &'a Launch, name: &str) -> Option<&'a OsStr> {
    launch.env.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_os_str())
}

/// Everything that can be found wrong before there is a process.
fn prepare(launch: &Launch) -> Result<(Folder, Orders), StartError> {
    let path = value_of(launch, "PATH").unwrap_or_default();
    let program = find_program(launch.program.as_os_str(), path)?;
    let no_cwd = || StartError::NoFolderToWorkIn { cwd: launch.cwd.clone() };
    if !launch.cwd.is_dir() {
        return Err(no_cwd());
    }
    let folder =
        std::path::absolute(&launch.folder).map_err(|error| StartError::folder(&launch.folder, error))?;
    let cwd = std::path::absolute(&launch.cwd).map_err(|_| no_cwd())?;
    let places = Places::find(&launch.sandbox, value_of(launch, "HOME"))?;
    let temporary = places.as_ref().map(|places| (TEMPORARY.into(), places.temporary.0.clone().into()));
    let is_ours = |name: &OsStr| {
        name == RUN_VARIABLE || name == ATTEMPT_VARIABLE || (places.is_some() && name == TEMPORARY)
    };
    let env = launch.env.iter().filter(|(name, _)| !is_ours(name)).cloned().chain(temporary);
    let marker = Marker::new(&launch.run, launch.attempt);
    let orders = Orders {
        run: launch.run.clone(),
        attempt: launch.attempt,
        folder: folder.clone().into(),
        program: program.into(),
        args: launch.args.iter().cloned().map(Word::from).collect(),
        env: env.chain(marker.entries()).map(|(name, value)| (name.into(), value.into())).collect(),
        cwd: cwd.into(),
        stdin: launch.stdin.clone(),
        limits: launch.limits,
        containment: launch.containment,
        sandbox: places.as_ref().map(Plan::of),
    };
    Redaction::of(launch.secrets.iter().map(|secret| secret.as_bytes()))?;
    if orders.size() > ARGUMENTS_LIMIT {
        return Err(StartError::too_long(&orders));
    }
    Ok((Folder::at(&folder), orders))
}
