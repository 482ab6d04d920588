//! The host's clock: set once from the wall clock, then driven by one that never
//! jumps and goes on during sleep.

use std::time::{SystemTime, UNIX_EPOCH};

use hostler_engine::time::{Millis, Timestamp};

/// A clock that never jumps while the host runs.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    /// Wall clock minus steady clock, in milliseconds, at the start.
    offset: i64,
}

impl Clock {
    /// A clock set from the wall clock now, or from `floor` if that is later: a wall
    /// clock that was set back must not make the record go backwards.
    pub fn start(floor: Timestamp) -> Self {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = i64::try_from(wall.as_millis()).unwrap_or(i64::MAX);
        Self { offset: wall.max(floor.0).saturating_sub(steady()) }
    }

    /// Now.
    pub fn now(self) -> Timestamp {
        Timestamp(steady().saturating_add(self.offset))
    }

    /// How long until `at`; zero if it has passed.
    pub fn until(self, at: Timestamp) -> Millis {
        at.since(self.now())
    }
}

/// Milliseconds of a clock that counts sleep: a lease runs out while a laptop's lid
/// is closed.
fn steady() -> i64 {
    let time = rustix::time::clock_gettime(steady_clock());
    time.tv_sec.saturating_mul(1000).saturating_add(time.tv_nsec / 1_000_000)
}

#[cfg(target_os = "linux")]
const fn steady_clock() -> rustix::time::ClockId {
    rustix::time::ClockId::Boottime
}

/// On macOS this clock counts sleep.
#[cfg(not(target_os = "linux"))]
const fn steady_clock() -> rustix::time::ClockId {
    rustix::time::ClockId::Monotonic
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_agrees_with_the_wall_and_never_goes_back() {
        let clock = Clock::start(Timestamp(0));
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let first = clock.now();
        assert!((i128::from(first.0) - i128::try_from(wall).unwrap_or(0)).abs() < 1000);
        assert!(clock.now() >= first);
    }

    #[test]
    fn a_wall_clock_that_was_set_back_does_not_turn_back_time() {
        let future = Timestamp(i64::MAX / 2);
        assert!(Clock::start(future).now() >= future);
    }
}
