//! Connections that can be cut from the inside.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};

/// After a failed accept (usually too many open files), a moment of rest.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// One connection.
#[derive(Debug, Clone)]
pub(super) struct Line(Arc<std::net::TcpStream>);

impl Line {
    /// Closes the connection: whatever is written to it now is lost.
    pub(super) fn cut(&self) {
        // Fails only if the client was faster.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

/// Accepts connections on the loopback interface.
pub(super) struct Door {
    listener: TcpListener,
    address: SocketAddr,
}

impl Door {
    /// Opens on this port; 0 picks a free one.
    pub(super) async fn open(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    async fn next(&self) -> io::Result<(TcpStream, Line)> {
        let (stream, _) = self.listener.accept().await?;
        stream.set_nodelay(true)?;
        let stream = stream.into_std()?;
        let line = Line(Arc::new(stream.try_clone()?));
        Ok((TcpStream::from_std(stream)?, line))
    }
}

impl Listener for Door {
    type Io = TcpStream;
    type Addr = Line;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.next().await {
                Ok(accepted) => return accepted,
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Err(io::Error::other("the door itself is no connection"))
    }
}

impl Connected<IncomingStream<'_, Door>> for Line {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.remote_addr().clone()
    }
}
