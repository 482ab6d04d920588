//! A running stand-in, and everything a test does to it.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;

use crate::fault::Fault;
use crate::gh;
use crate::pulls::{PullRequest, Pulls};
use crate::server::{self, Call, Shared};

/// A running server, on threads of its own. Ends when dropped.
#[derive(Debug)]
pub struct Forge {
    shared: Arc<Shared>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Forge {
    /// Serves the bare repositories below `root` on a free port of 127.0.0.1
    /// (or on `port`, if it is not 0).
    pub fn start(root: &Path, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(root.to_owned(), format!("http://{address}")));
        let thread = {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new()
                .name("forge stand-in".to_owned())
                .spawn(move || server::run(&listener, &shared))?
        };
        Ok(Self { shared, address, thread: Some(thread) })
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> &str {
        &self.shared.origin
    }

    /// `127.0.0.1:PORT`.
    pub fn authority(&self) -> String {
        self.address.to_string()
    }

    /// Where a repository is cloned from and pushed to.
    pub fn url(&self, repository: &str) -> String {
        format!("{}/{repository}.git", self.origin())
    }

    /// Makes an empty bare repository `owner/name` whose default branch is
    /// `main`; gives back its folder.
    pub fn create_repository(&self, repository: &str) -> io::Result<PathBuf> {
        let folder = self.shared.root.join(format!("{repository}.git"));
        std::fs::create_dir_all(&folder)?;
        for arguments in
            [&["init", "-q", "--bare", "-b", "main", "."][..], &["config", "http.receivepack", "true"]]
        {
            let status = Command::new("git").args(arguments).current_dir(&folder).status()?;
            if !status.success() {
                return Err(io::Error::other(format!("git {arguments:?} ended with {status}")));
            }
        }
        Ok(folder)
    }

    /// From now on every request needs this `Authorization` header, such as
    /// `Basic dTpw`; `gh` has a sign-in of its own.
    pub fn require_authorization(&self, value: &str) {
        self.shared.state().authorization = Some(value.to_owned());
    }

    /// Whether `gh` is signed in; it is at the start.
    pub fn sign_in_gh(&self, signed_in: bool) {
        self.shared.state().gh_signed_in = signed_in;
    }

    /// Writes a `gh` that talks to this server into `folder`.
    pub fn install_gh(&self, folder: &Path) -> io::Result<()> {
        gh::install(folder, self.address)
    }

    /// Lets something go wrong.
    pub fn inject(&self, fault: Fault) {
        self.shared.state().faults.add(fault);
    }

    /// Waits until a request hangs by a fault.
    pub fn wait_until_hanging(&self) {
        self.shared.wait_until_hanging();
    }

    /// Every call so far, oldest first.
    pub fn calls(&self) -> Vec<Call> {
        self.shared.state().calls.clone()
    }

    /// The pull requests of a repository.
    pub fn pull_requests(&self, repository: &str) -> Vec<PullRequest> {
        self.shared.state().pulls.of(repository).to_vec()
    }

    /// Changes what the forge knows, as its users would.
    pub fn with_pulls<T>(&self, change: impl FnOnce(&mut Pulls) -> T) -> T {
        change(&mut self.shared.state().pulls)
    }

    /// Serves until the server ends.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            // The thread ends with the process.
            let _ = thread.join();
        }
    }
}

impl Drop for Forge {
    fn drop(&mut self) {
        self.shared.stop();
        // Wakes the thread, which waits for a line.
        let woken = TcpStream::connect(self.address).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| woken) {
            let _ = thread.join();
        }
    }
}
