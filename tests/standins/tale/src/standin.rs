//! A running stand-in, and everything a test does to it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;

use crate::board::{
    Agent, Board, Cancelled, NewTask, Organization, Refusal, Rules, Run, RunId, Task, TaskId, User,
};
use crate::fault::Fault;
use crate::record::{RecordedRequest, Traffic};
use crate::server::{self, Shared};
use crate::time::{Clock, Time};
use crate::world::World;

/// Slug of the organisation every stand-in starts with.
pub const ORGANIZATION: &str = "studio";

/// How a stand-in is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// On the loopback interface; 0 picks a free one.
    pub port: u16,
    /// The API key of the one user there is at the start.
    pub key: String,
    /// Decides ids, and which requests faults with a chance strike.
    pub seed: u64,
    /// Where the time comes from.
    pub clock: Clock,
    /// Whether clients are limited as the real server limits them.
    pub rate_limits: bool,
    /// Where versions of the server differ.
    pub rules: Rules,
}

impl Default for Options {
    /// For tests: a free port, a fake clock, no rate limits.
    fn default() -> Self {
        Self {
            port: 0,
            key: "tale-standin-key".to_owned(),
            seed: 1,
            clock: Clock::fake(),
            rate_limits: false,
            rules: Rules::default(),
        }
    }
}

/// Why a stand-in did not start.
#[derive(Debug, Error)]
pub enum StartError {
    /// The port cannot be used.
    #[error("the stand-in cannot listen on port {port} of 127.0.0.1: {reason}; choose another one")]
    Listen {
        /// Which one.
        port: u16,
        /// What the system says.
        reason: io::Error,
    },
    /// The system gives no thread.
    #[error("the stand-in cannot start its thread: {0}; end some other program")]
    Thread(io::Error),
}

/// A running server, on a thread of its own. Ends when dropped.
#[derive(Debug)]
pub struct Standin {
    shared: Arc<Shared>,
    address: SocketAddr,
    key: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Standin {
    /// Starts a server with one organisation, one user, and the project `APP`.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let mut board = Board::new(options.seed, options.rules);
        board.put_organization(Organization::new(ORGANIZATION));
        board.put_project("APP", "App", "The app everybody works on.");
        let mut world = World::new(board, options.clock, options.seed);
        world.limit_rates(options.rate_limits);
        let shared = Shared::new(world);
        let (ready, told) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = {
            let (shared, port) = (Arc::clone(&shared), options.port);
            let run = move || server::run(port, &shared, &ready, stopped);
            std::thread::Builder::new().name("tale stand-in".to_owned()).spawn(run)
        };
        let thread = Some(thread.map_err(StartError::Thread)?);
        let gone = |_| Err(io::Error::other("its thread ended"));
        let address = told.recv().unwrap_or_else(gone);
        let address = address.map_err(|reason| StartError::Listen { port: options.port, reason })?;
        let standin = Self { shared, address, key: options.key, stop: Some(stop), thread };
        standin.add_key(&standin.key, &[ORGANIZATION]);
        Ok(standin)
    }

    /// The base URL that a daemon is configured with.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The API key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What the clock shows.
    pub fn now(&self) -> Time {
        self.shared.world().now()
    }

    /// Looks at the board, after the sweeps that are due.
    pub fn board<T>(&self, look: impl FnOnce(&Board) -> T) -> T {
        let mut world = self.shared.world();
        world.now();
        look(&world.board)
    }

    /// Does something to the board.
    pub fn change<T>(&self, act: impl FnOnce(&mut Board, Time) -> T) -> T {
        let mut world = self.shared.world();
        let now = world.now();
        act(&mut world.board, now)
    }

    /// Adds a user with this key. Memberships are slugs; a slug that is new becomes
    /// an organisation.
    pub fn add_key(&self, key: &str, memberships: &[&str]) {
        let mut world = self.shared.world();
        world.keys.push(key.to_owned());
        for slug in memberships {
            if world.board.organization(slug).is_none() {
                world.board.put_organization(Organization::new(slug));
            }
        }
        let memberships = memberships.iter().map(ToString::to_string).collect();
        world.board.put_user(User { key: key.to_owned(), memberships, last_active: None });
    }

    /// Adds an agent, or changes the one with its slug.
    pub fn put_agent(&self, agent: Agent) {
        self.change(|board, _| board.put_agent(agent));
    }

    /// Adds a task, in To do.
    pub fn create_task(&self, task: NewTask) -> TaskId {
        self.change(|board, now| board.create_task(task, now))
    }

    /// Assigns a task to an agent, which dispatches it.
    pub fn assign(&self, task: &TaskId, agent: &str) -> Result<RunId, Refusal> {
        self.change(|board, now| board.assign(task, agent, now))
    }

    /// Says what is to be changed, which dispatches the task again.
    pub fn request_revision(&self, task: &TaskId, wish: &str) -> Result<RunId, Refusal> {
        self.change(|board, now| board.request_revision(task, "tester", wish, now))
    }

    /// Ends a queued run, or asks the daemon to end the one it holds.
    pub fn cancel(&self, run: &RunId) -> Cancelled {
        self.change(|board, now| board.cancel(run, now))
    }

    /// A task as it is now; `None` if it was deleted.
    pub fn task(&self, id: &TaskId) -> Option<Task> {
        self.board(|board| board.task(id).cloned())
    }

    /// A run as it is now.
    pub fn run(&self, id: &RunId) -> Option<Run> {
        self.board(|board| board.run(id).cloned())
    }

    /// Moves the clock forward. Sweeps happen at their own moments on the way.
    pub fn advance(&self, by: Duration) {
        self.shared.world().advance(by);
    }

    /// Looks for overdue runs now.
    pub fn sweep(&self) {
        self.change(Board::sweep_all);
    }

    /// Makes requests go wrong from now on.
    pub fn fault(&self, fault: Fault) {
        self.shared.world().faults.set(fault);
    }

    /// Lets everything go right again.
    pub fn clear_faults(&self) {
        self.shared.world().faults.clear();
    }

    /// What clients sent, oldest first, and what they were answered.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.world().record.list().cloned().collect()
    }

    /// How many requests came, and how many of them wait for their answer.
    pub fn traffic(&self) -> Traffic {
        self.shared.world().record.traffic()
    }

    /// Cuts all connections and refuses new ones until [`Standin::come_up`].
    pub fn go_down(&self) {
        self.shared.gate().shut();
    }

    /// Lets connections in again.
    pub fn come_up(&self) {
        self.shared.gate().open();
    }

    /// Loses all registrations, as a server does that kept them in memory only.
    pub fn forget_runtimes(&self) {
        self.change(|board, _| board.forget_runtimes());
    }

    /// Panics with what is wrong unless every run of every task has ended, once, and
    /// told so on its task.
    #[track_caller]
    pub fn assert_every_task_ended_exactly_once(&self) {
        let unended = self.board(Board::unended);
        assert!(unended.is_empty(), "not every task ended exactly once:\n  {}", unended.join("\n  "));
    }
}

impl Drop for Standin {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Fails only if the server has ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            // A panic there was printed there.
            let _ = thread.join();
        }
    }
}
