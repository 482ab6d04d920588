//! Taking an agent up again that another host has started.

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use hostler_engine::outcome::EndReason;
use rustix::process::Signal;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::time::{Instant, sleep, timeout};

use crate::agent::Agent;
use crate::connection::{Conversation, Supervised};
use crate::control::{Command, PROTOCOL, Report, State, to_line};
use crate::folder::{AgentRecord, Folder, SOCKET_FILE};
use crate::marker::Marker;
use crate::passing::take;
use crate::process::{connect, peer_pid, signal};
use crate::reap::{ReapError, Reaped, read_record, reap_rest};
use crate::transcript::Transcript;

/// How long a shim may take to answer. It has nothing else to do; only a machine
/// that is busy beyond reason takes longer.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// How often a shim that does not answer is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// What became of an agent while its host was away.
#[derive(Debug)]
pub enum Adopted {
    /// It works; this host has it now.
    Live(Agent),
    /// Nothing of it runs any more, which is proven like every end.
    Over {
        /// How it ended.
        reaped: Reaped,
        /// The reader that was handed in; the logs are there to be read to their
        /// end.
        transcript: Transcript,
    },
}

/// See [`crate::Agents::adopt`].
pub(crate) async fn adopt(
    folder: Folder,
    marker: Marker,
    transcript: Transcript,
) -> Result<Adopted, ReapError> {
    if let Some(record) = read_record(&folder, &marker)?
        && let Some((conversation, record, state)) = speak_to(&folder, &record).await
    {
        let supervised = Supervised { folder, marker, record, shim: None };
        return Ok(Adopted::Live(Agent::new(conversation, supervised, state, transcript)));
    }
    Ok(Adopted::Over { reaped: reap_rest(folder, marker).await?, transcript })
}

/// See [`crate::Agents::reap`].
pub(crate) async fn reap(folder: Folder, marker: Marker) -> Result<Reaped, ReapError> {
    if let Some(record) = read_record(&folder, &marker)?
        && let Some((mut conversation, ..)) = speak_to(&folder, &record).await
        && let Ok(line) = to_line(&Command::End { reason: EndReason::Stopping, grace_ms: 0 })
    {
        // One that does not listen is dealt with next, like one that does not end.
        let _ = conversation.control.write_all(&line).await;
    }
    reap_rest(folder, marker).await
}

/// Gets through to a living shim; `None` when it is over or on its way there. One
/// that lives and does not answer is told to end by a signal.
async fn speak_to(folder: &Folder, record: &AgentRecord) -> Option<(Conversation, AgentRecord, State)> {
    let deadline = Instant::now() + ANSWER_LIMIT;
    while record.shim.is_alive() && !matches!(folder.exit(), Ok(Some(_))) {
        // Should somebody have stopped it, it could not even end.
        signal(&record.shim, Signal::CONT);
        if let Ok(Ok(spoken)) = timeout(deadline - Instant::now(), introduce(folder, record)).await {
            return Some(spoken);
        }
        if Instant::now() >= deadline {
            signal(&record.shim, Signal::TERM);
            return None;
        }
        sleep(ASK_AGAIN).await;
    }
    None
}

/// Says hello, and hears from the very process that was recorded.
async fn introduce(folder: &Folder, record: &AgentRecord) -> io::Result<(Conversation, AgentRecord, State)> {
    let mut conversation = Conversation::new(knock(folder.path(), record)?)?;
    let hello = Command::Hello { protocol: PROTOCOL, run: record.run.clone(), attempt: record.attempt };
    conversation.control.write_all(&to_line(&hello)?).await?;
    match conversation.next().await? {
        Report::Here { record: heard, state } if heard.shim == record.shim => {
            Ok((conversation, heard, state))
        }
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Asks the supervisor for the agent's way to the network, until it answers or is gone.
pub(crate) async fn listener(folder: &Folder, record: &AgentRecord) -> io::Result<TcpListener> {
    let deadline = Instant::now() + ANSWER_LIMIT;
    loop {
        let asked = timeout(deadline - Instant::now(), ask_for_listener(folder, record)).await;
        let refused = match asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(listener) => return Ok(listener),
            Err(error) => error,
        };
        // Another host may have stood in the door at the same time.
        if Instant::now() >= deadline || !record.shim.is_alive() {
            return Err(refused);
        }
        sleep(ASK_AGAIN).await;
    }
}

async fn ask_for_listener(folder: &Folder, record: &AgentRecord) -> io::Result<TcpListener> {
    let socket = knock(folder.path(), record)?;
    socket.set_nonblocking(true)?;
    let mut socket = tokio::net::UnixStream::from_std(socket)?;
    let ask = Command::Listener { run: record.run.clone(), attempt: record.attempt };
    socket.write_all(&to_line(&ask)?).await?;
    let listener = socket.async_io(Interest::READABLE, || take(&socket)).await?;
    let listener = TcpListener::from(listener);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Whoever could put a socket there is of the same user; that it is the shim who
/// listens is the kernel's word.
fn knock(folder: &Path, record: &AgentRecord) -> io::Result<UnixStream> {
    let socket = connect(folder, SOCKET_FILE)?;
    if peer_pid(&socket)? != record.shim.pid || !record.shim.is_alive() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(socket)
}
