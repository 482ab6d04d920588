//! A tunnel: whatever the agent's client says there goes on as it is, both ways.

use std::io;
use std::sync::Arc;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};

use super::dial::Stream;
use super::passage::Underway;

/// Bytes taken over at once: what the system's buffers hold anyway.
const PIECE_BYTES: usize = 16 << 10;

/// A tunnel whose far end stands.
pub(super) struct Tunnel {
    pub(super) agent: OnUpgrade,
    pub(super) server: Box<dyn Stream>,
    pub(super) passage: Arc<Underway>,
}

impl Tunnel {
    /// Carries bytes until both sides have said all, or one breaks off.
    pub(super) async fn carry(self) {
        let Self { agent, server, passage } = self;
        let Ok(agent) = agent.await else { return };
        let (from_agent, to_agent) = split(TokioIo::new(agent));
        let (from_server, to_server) = split(server);
        let up = pump(from_agent, to_server, |bytes| passage.sent(bytes));
        let down = pump(from_server, to_agent, |bytes| passage.received(bytes));
        if let Err(error) = tokio::try_join!(up, down) {
            tracing::debug!(%error, "a tunnel broke off");
        }
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    moved: impl Fn(usize),
) -> io::Result<()> {
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = from.read(&mut piece).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&piece[..read]).await?;
        moved(read);
    }
}
