//! The host's end of the conversation with one shim: a task that listens, and
//! what it has heard so far.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Child;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::control::{Report, State};
use crate::exit::{Cause, Ending, Exit, TreeProof};
use crate::folder::{AgentRecord, Folder};
use crate::marker::Marker;
use crate::reap::sweep;
use crate::shim::now;

/// How long a shim may take to go after its last words, and one that does not
/// speak any more to turn out dead.
const GONE_LIMIT: Duration = Duration::from_secs(3);

/// The longest line that is listened to, in bytes: an exit that names every survivor is
/// far shorter, and whoever took a shim's place may talk without end.
const LINE_BYTES: usize = 1024 * 1024;

/// How often a shim that is not our child is looked at meanwhile.
const LOOK: Duration = Duration::from_millis(2);

/// One conversation, before anybody listens to it.
#[derive(Debug)]
pub(crate) struct Conversation {
    reports: BufReader<OwnedReadHalf>,
    pub control: OwnedWriteHalf,
}

impl Conversation {
    pub(crate) fn new(socket: std::os::unix::net::UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let (reports, control) = UnixStream::from_std(socket)?.into_split();
        Ok(Self { reports: BufReader::new(reports), control })
    }

    /// What the shim says next. A report that this host does not know is of
    /// another version, and passed over.
    pub(crate) async fn next(&mut self) -> io::Result<Report> {
        next(&mut self.reports).await
    }

    /// Listens from now on.
    pub(crate) fn listen(self, supervised: Supervised, state: State) -> (Listener, OwnedWriteHalf) {
        let (heard, receiver) = watch::channel(Heard { state, end: None });
        let task = tokio::spawn(listen(self.reports, supervised, heard));
        (Listener { heard: receiver, task }, self.control)
    }
}

/// Everything heard so far.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub state: State,
    pub end: Option<End>,
}

/// How a conversation ended.
#[derive(Clone, Debug)]
pub(crate) enum End {
    Exited(Exit),
    /// Another host has it now.
    TakenOver,
}

/// Stops listening when dropped.
#[derive(Debug)]
pub(crate) struct Listener {
    pub heard: watch::Receiver<Heard>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The shim at the other end.
#[derive(Debug)]
pub(crate) struct Supervised {
    pub folder: Folder,
    pub marker: Marker,
    pub record: AgentRecord,
    /// Absent if another host started it.
    pub shim: Option<Child>,
}

async fn next(reports: &mut BufReader<OwnedReadHalf>) -> io::Result<Report> {
    loop {
        let mut line = Vec::new();
        // One more, for the line feed.
        let mut bounded = (&mut *reports).take(LINE_BYTES as u64 + 1);
        bounded.read_until(b'\n', &mut line).await?;
        if line.pop_if(|last| *last == b'\n').is_none() {
            let whole = line.len() <= LINE_BYTES;
            return Err(if whole { io::ErrorKind::UnexpectedEof } else { io::ErrorKind::InvalidData }.into());
        }
        if let Ok(report) = serde_json::from_slice(&line) {
            return Ok(report);
        }
    }
}

async fn listen(
    mut reports: BufReader<OwnedReadHalf>,
    mut supervised: Supervised,
    heard: watch::Sender<Heard>,
) {
    let end = loop {
        match next(&mut reports).await {
            Ok(Report::State(state)) => heard.send_modify(|heard| heard.state = state),
            Ok(Report::Exited(exit)) => break End::Exited(exit),
            Ok(Report::TakenOver) => break End::TakenOver,
            Ok(Report::Here { .. } | Report::NotStarted { .. }) => {}
            Err(_) => break End::Exited(supervised.lost().await),
        }
    };
    if let End::Exited(_) = end {
        // It ends right after its last report; a dead one is collected here too.
        supervised.gone().await;
    }
    heard.send_modify(|heard| heard.end = Some(end));
}

impl Supervised {
    /// Waits until the shim is gone; whether it is.
    async fn gone(&mut self) -> bool {
        if let Some(shim) = &mut self.shim {
            return tokio::time::timeout(GONE_LIMIT, shim.wait()).await.is_ok();
        }
        let deadline = Instant::now() + GONE_LIMIT;
        while self.record.shim.is_alive() {
            if Instant::now() > deadline {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    }

    /// The shim has gone without a word. It may have written how the agent ended;
    /// if not, nobody adopts what loses its parent, so what is left is found by
    /// its marker. A shim that went mad instead of dying goes with it.
    async fn lost(&mut self) -> Exit {
        self.gone().await;
        if let Ok(Some(exit)) = self.folder.exit() {
            return exit;
        }
        let (marker, record) = (self.marker.clone(), self.record.clone());
        let swept = tokio::task::spawn_blocking(move || sweep(&marker, Some(&record))).await;
        // Without a look at the processes there is no proof.
        let tree = swept.ok().and_then(Result::ok).unwrap_or(TreeProof::Survivors(Vec::new()));
        let (ending, cause) = (Ending::Unknown, Cause::ShimLost);
        let exit = Exit { ending, cause, tree, truncated: false, exchanged: Vec::new(), at: now() };
        // The exit is told in any case; the file is for a host that is not there yet.
        let _ = self.folder.write_exit(&exit);
        exit
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Write;

    use super::*;
    use crate::control::to_line;

    #[tokio::test]
    async fn a_report_of_another_version_is_passed_over() {
        let (host, mut shim) = std::os::unix::net::UnixStream::pair().unwrap();
        let mut conversation = Conversation::new(host).unwrap();
        shim.write_all(b"{\"weather\":{\"rain\":true}}\n").unwrap();
        shim.write_all(&to_line(&Report::TakenOver).unwrap()).unwrap();
        assert_eq!(conversation.next().await.unwrap(), Report::TakenOver);
        drop(shim);
        assert!(conversation.next().await.is_err());
    }

    #[tokio::test]
    async fn a_line_at_the_limit_is_listened_to_and_a_longer_one_ends_the_conversation() {
        for (length, heard) in [(LINE_BYTES, true), (LINE_BYTES + 1, false)] {
            let (host, mut shim) = std::os::unix::net::UnixStream::pair().unwrap();
            let mut conversation = Conversation::new(host).unwrap();
            let mut line = serde_json::to_vec(&Report::TakenOver).unwrap();
            line.resize(length, b' ');
            line.push(b'\n');
            let talking = std::thread::spawn(move || shim.write_all(&line).is_ok());
            let next = conversation.next().await;
            assert_eq!(next.as_ref().ok() == Some(&Report::TakenOver), heard, "{next:?}");
            drop(conversation);
            let _ = talking.join().unwrap();
        }
    }
}
