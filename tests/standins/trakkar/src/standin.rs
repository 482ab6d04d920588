//! A running stand-in, and everything a test does to it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::oneshot;

use crate::board::{Agent, Board, NewTask, Refusal, Replied, Run, Task};
use crate::fault::Fault;
use crate::record::RecordedRequest;
use crate::server::{self, Shared};
use crate::time::{Clock, Time};
use crate::world::World;

/// How a stand-in is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// On the loopback interface; 0 picks a free one.
    pub port: u16,
    /// The one agent there is at the start. An empty token is made up.
    pub agent: Agent,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Default for Options {
    /// For tests: a free port, a fake clock.
    fn default() -> Self {
        Self { port: 0, agent: Agent::default(), clock: Clock::fake() }
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
    agent: String,
    token: String,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Standin {
    /// Starts a server with one agent.
    pub fn start(options: Options) -> Result<Self, StartError> {
        let mut world = World::new(options.clock);
        let (agent, token) = world.board.add_agent(options.agent);
        let shared = Shared::new(world);
        let (ready, told) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = {
            let (shared, port) = (Arc::clone(&shared), options.port);
            let run = move || server::run(port, &shared, &ready, stopped);
            std::thread::Builder::new().name("trakkar stand-in".to_owned()).spawn(run)
        };
        let thread = Some(thread.map_err(StartError::Thread)?);
        let gone = |_| Err(io::Error::other("its thread ended"));
        let address = told.recv().unwrap_or_else(gone);
        let address = address.map_err(|reason| StartError::Listen { port: options.port, reason })?;
        Ok(Self { shared, address, agent, token, stop: Some(stop), thread })
    }

    /// The address that a runner is configured with.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Id of the first agent.
    pub fn agent(&self) -> &str {
        &self.agent
    }

    /// Token of the first agent.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// What the clock shows.
    pub fn now(&self) -> Time {
        self.shared.world().now()
    }

    /// Looks at the board.
    pub fn board<T>(&self, look: impl FnOnce(&Board) -> T) -> T {
        look(&self.shared.world().board)
    }

    /// Does something to the board.
    pub fn change<T>(&self, act: impl FnOnce(&mut Board, Time) -> T) -> T {
        let mut world = self.shared.world();
        let now = world.now();
        act(&mut world.board, now)
    }

    /// Adds another agent; returns its id and its token.
    pub fn add_agent(&self, agent: Agent) -> (String, String) {
        self.change(|board, _| board.add_agent(agent))
    }

    /// Changes the settings of the first agent.
    pub fn change_agent(&self, change: impl FnOnce(&mut Agent)) {
        self.change(|board, _| board.change_agent(&self.agent, change));
    }

    /// Adds a task that nobody works on.
    pub fn create_task(&self, task: NewTask) -> String {
        self.change(|board, _| board.create_task(task))
    }

    /// Adds a task and delegates it to the first agent; returns the ids of both.
    pub fn delegate(&self, task: NewTask) -> (String, String) {
        self.change(|board, now| {
            let task = board.create_task(task);
            // Neither task nor agent can be missing.
            let run = board.delegate(&task, &self.agent, now).unwrap_or_default();
            (task, run)
        })
    }

    /// Presses Stop.
    pub fn stop(&self, task: &str) -> Result<(), Refusal> {
        self.change(|board, _| board.stop(task))
    }

    /// Says something in the task's chat.
    pub fn reply(&self, task: &str, body: &str) -> Result<Replied, Refusal> {
        self.change(|board, now| board.reply(task, "tester", body, now))
    }

    /// A task as it is now; `None` if it was deleted.
    pub fn task(&self, id: &str) -> Option<Task> {
        self.board(|board| board.task(id).cloned())
    }

    /// A run as it is now.
    pub fn run(&self, id: &str) -> Option<Run> {
        self.board(|board| board.run(id).cloned())
    }

    /// The newest run of a task.
    pub fn last_run(&self, task: &str) -> Option<Run> {
        self.board(|board| board.runs_of(task).next_back().cloned())
    }

    /// What a task's column is called: the state of its last run.
    pub fn status(&self, task: &str) -> &'static str {
        self.change(|board, now| board.status_of(task, now))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.shared.world().clock.advance(by);
    }

    /// Makes requests go wrong from now on.
    pub fn fault(&self, fault: Fault) {
        self.shared.world().faults.set(fault);
    }

    /// Lets everything go right again.
    pub fn clear_faults(&self) {
        self.shared.world().faults.clear();
    }

    /// Cuts every request of runners until [`Standin::come_up`].
    pub fn go_down(&self) {
        self.shared.world().is_down = true;
    }

    /// Answers again.
    pub fn come_up(&self) {
        self.shared.world().is_down = false;
    }

    /// What clients sent, oldest first, and what they were answered.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.shared.world().record.list().cloned().collect()
    }

    /// A text that must never arrive here, such as a line of the repository's code.
    pub fn forbid(&self, text: &str) {
        self.shared.world().record.forbid(text);
    }

    /// What arrived that should not have: forbidden texts, and diffs.
    pub fn leaks(&self) -> Vec<String> {
        self.shared.world().record.leaks().to_vec()
    }

    /// Panics with what leaked, if anything did.
    #[track_caller]
    pub fn assert_nothing_leaked(&self) {
        let leaks = self.leaks();
        assert!(leaks.is_empty(), "this left the machine:\n  {}", leaks.join("\n  "));
    }

    /// Panics with what is wrong unless every run of every task has ended, once.
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
