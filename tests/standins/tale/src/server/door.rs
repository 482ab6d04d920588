//! The door of the server: lets connections in, refuses them while the server plays
//! dead, and cuts the ones that are inside.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;

/// After a failed accept (usually too many open files), a moment of rest.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How many connections may wait to be let in.
const BACKLOG: u32 = 1024;

/// What opens and shuts the door, from any thread.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    moved: Condvar,
    wished: Notify,
    lines: Mutex<Vec<Weak<std::net::TcpStream>>>,
}

#[derive(Debug, Default, Clone, Copy)]
struct State {
    shut_wished: bool,
    is_shut: bool,
    /// The server has ended; nobody moves the door any more.
    is_gone: bool,
}

impl Gate {
    /// Refuses new connections and cuts all others. Returns once that is so; blocks
    /// until then, so it must not be called on the server's own thread.
    pub(crate) fn shut(&self) {
        self.move_to(true);
        for line in lock(&self.lines).drain(..).filter_map(|line| line.upgrade()) {
            cut(&line);
        }
    }

    /// Lets connections in again. Returns once they get in; blocks like [`Gate::shut`].
    pub(crate) fn open(&self) {
        self.move_to(false);
    }

    fn move_to(&self, shut: bool) {
        let mut state = lock(&self.state);
        state.shut_wished = shut;
        self.wished.notify_one();
        let waiting = |state: &mut State| state.is_shut != shut && !state.is_gone;
        drop(self.moved.wait_while(state, waiting).unwrap_or_else(PoisonError::into_inner));
    }

    fn tell(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
        self.moved.notify_all();
    }

    fn is_shut_wished(&self) -> bool {
        lock(&self.state).shut_wished
    }
}

/// A connection that can be cut from outside.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    socket: Arc<std::net::TcpStream>,
}

impl Line {
    /// Closes the connection: whatever is written to it now is lost.
    pub(crate) fn cut(&self) {
        cut(&self.socket);
    }
}

fn cut(socket: &std::net::TcpStream) {
    // Fails only if the client was faster.
    let _ = socket.shutdown(Shutdown::Both);
}

/// Accepts connections as the gate says.
pub(super) struct Door {
    gate: Arc<Gate>,
    /// Bound but not listening: keeps the port ours while the door is shut.
    _reserved: TcpSocket,
    listener: Option<TcpListener>,
    address: SocketAddr,
}

impl Door {
    /// Opens on this port of the loopback interface; 0 picks a free one.
    pub(super) fn open(port: u16, gate: Arc<Gate>) -> io::Result<Self> {
        // Sockets that share a port would hide that another program listens there.
        drop(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?);
        let reserved = bind(port)?;
        let address = reserved.local_addr()?;
        let listener = bind(address.port())?.listen(BACKLOG)?;
        Ok(Self { gate, _reserved: reserved, listener: Some(listener), address })
    }

    fn obey(&mut self) -> io::Result<()> {
        let shut = self.gate.is_shut_wished();
        if shut {
            self.listener = None;
        } else if self.listener.is_none() {
            self.listener = Some(bind(self.address.port())?.listen(BACKLOG)?);
        }
        self.gate.tell(|state| state.is_shut = shut);
        Ok(())
    }

    async fn next(&mut self) -> io::Result<Option<(TcpStream, Line)>> {
        self.obey()?;
        let Some(listener) = &self.listener else {
            self.gate.wished.notified().await;
            return Ok(None);
        };
        let accepted = tokio::select! {
            () = self.gate.wished.notified() => return Ok(None),
            accepted = listener.accept() => accepted,
        };
        let (stream, address) = accepted?;
        stream.set_nodelay(true)?;
        let stream = stream.into_std()?;
        let socket = Arc::new(stream.try_clone()?);
        let mut lines = lock(&self.gate.lines);
        lines.retain(|line| line.strong_count() > 0);
        lines.push(Arc::downgrade(&socket));
        Ok(Some((TcpStream::from_std(stream)?, Line { address, socket })))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.gate.tell(|state| state.is_gone = true);
    }
}

fn bind(port: u16) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind((Ipv4Addr::LOCALHOST, port).into())?;
    Ok(socket)
}

impl Listener for Door {
    type Io = TcpStream;
    type Addr = Line;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        loop {
            match self.next().await {
                Ok(Some(accepted)) => return accepted,
                Ok(None) => {}
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        Err(io::Error::other("the door itself is no connection"))
    }
}

impl Door {
    /// Where it is.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Connected<IncomingStream<'_, Door>> for Line {
    fn connect_info(stream: IncomingStream<'_, Door>) -> Self {
        stream.remote_addr().clone()
    }
}

/// What a thread that panicked left is still the list of connections.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
