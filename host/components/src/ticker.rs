//! The clock that interrupts guests: moves the engines' epoch every 10 ms while
//! any call is under way, and sleeps otherwise.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use wasmtime::{Engine, EngineWeak};

/// How often a running guest is looked at: often enough for limits of some
/// hundred milliseconds, too rarely to be felt.
const TICK: Duration = Duration::from_millis(10);

/// Runs the clock as long as it lives.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    calls: usize,
    stopped: bool,
}

impl Shared {
    /// The state is two plain values, right even if a holder panicked.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticker {
    /// Starts the clock for these engines. Holds no engine alive.
    pub(crate) fn start(engines: &[&Engine]) -> std::io::Result<Self> {
        let engines: Vec<EngineWeak> = engines.iter().map(|engine| engine.weak()).collect();
        let shared = Arc::new(Shared::default());
        let clock = Arc::clone(&shared);
        thread::Builder::new().name("plugin-clock".into()).spawn(move || run(&clock, &engines))?;
        Ok(Self { shared })
    }

    /// Keeps the clock going until the returned value is dropped.
    pub(crate) fn during_call(&self) -> Ticking<'_> {
        let mut state = self.shared.state();
        state.calls += 1;
        if state.calls == 1 {
            self.shared.changed.notify_one();
        }
        Ticking(&self.shared)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.state().stopped = true;
        self.shared.changed.notify_one();
    }
}

/// A call is under way.
pub(crate) struct Ticking<'a>(&'a Shared);

impl Drop for Ticking<'_> {
    fn drop(&mut self) {
        self.0.state().calls -= 1;
    }
}

fn run(shared: &Shared, engines: &[EngineWeak]) {
    loop {
        {
            let mut state = shared.state();
            while state.calls == 0 && !state.stopped {
                state = shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.stopped {
                return;
            }
        }
        thread::sleep(TICK);
        for engine in engines.iter().filter_map(EngineWeak::upgrade) {
            engine.increment_epoch();
        }
    }
}
