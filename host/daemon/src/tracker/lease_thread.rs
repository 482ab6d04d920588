//! A thread of its own for whatever keeps leases alive: the tracker's connection, its
//! requests and the heartbeats. A host whose other threads are all busy, with a large
//! diff or a hundred talking agents, must not lose its tasks for that.

use std::io;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

/// The thread and its runtime; dropping it ends what runs there.
pub struct LeaseThread {
    handle: Handle,
    /// Dropped with this: then the thread ends.
    _stop: oneshot::Sender<()>,
}

impl LeaseThread {
    /// Starts the thread.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (handle, (stop, stopped)) = (runtime.handle().clone(), oneshot::channel::<()>());
        let work = move || {
            // The sender says nothing; it is only dropped.
            let _ = runtime.block_on(stopped);
            runtime.shutdown_background();
        };
        std::thread::Builder::new().name("leases".to_owned()).spawn(work)?;
        Ok(Self { handle, _stop: stop })
    }

    /// For starting work there.
    pub const fn handle(&self) -> &Handle {
        &self.handle
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    use tokio::runtime::Runtime;

    /// Longer than a test may take: the work that must not be in the way.
    const FOR_EVER: Duration = Duration::from_mins(1);

    /// A host's threads: one for work, and one for work that blocks.
    pub fn two_threads() -> Runtime {
        let main = Builder::new_multi_thread().worker_threads(1).max_blocking_threads(1).enable_all().build();
        main.unwrap()
    }

    /// Returns once both of them have something to do that lasts.
    pub fn keep_busy(main: &Runtime) {
        let (busy, is_busy) = mpsc::channel();
        let (blocked, worker) = (busy.clone(), busy);
        main.spawn_blocking(move || {
            blocked.send(()).unwrap();
            std::thread::sleep(FOR_EVER);
        });
        main.spawn(async move {
            worker.send(()).unwrap();
            std::thread::sleep(FOR_EVER);
        });
        is_busy.recv().unwrap();
        is_busy.recv().unwrap();
    }

    #[test]
    fn work_there_goes_on_while_every_thread_of_the_host_is_busy() {
        let (main, thread) = (two_threads(), LeaseThread::start().unwrap());
        keep_busy(&main);
        let (beat, beats) = mpsc::channel();
        thread.handle().spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(5)).await;
                // Looking up a server's name needs such a thread.
                tokio::task::spawn_blocking(|| ()).await.unwrap();
                if beat.send(()).is_err() {
                    return;
                }
            }
        });
        for _ in 0..3 {
            beats.recv_timeout(Duration::from_secs(10)).unwrap();
        }
        main.shutdown_background();
    }

    #[test]
    fn dropping_it_ends_what_runs_there() {
        let thread = LeaseThread::start().unwrap();
        let (held, gone) = mpsc::channel::<()>();
        thread.handle().spawn(async move {
            let _held = held;
            std::future::pending::<()>().await;
        });
        drop(thread);
        let ended = gone.recv_timeout(Duration::from_secs(10));
        assert_eq!(ended, Err(mpsc::RecvTimeoutError::Disconnected));
    }
}
