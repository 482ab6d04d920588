//! When a call has run for too long: a decision over two clocks.

use std::time::{Duration, Instant};

use crate::limits::WALL_FACTOR;

/// How much of both clocks a call may use, counted from its start.
///
/// The processor's clock is the one that counts: on a machine busy with agents a
/// thread may be kept waiting for long, which is not the plugin's doing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    cpu_until: Duration,
    wall_until: Instant,
}

impl Deadline {
    /// A deadline for a call that starts now and may use `budget` of processor time.
    pub(crate) fn new(budget: Duration, now: Reading) -> Self {
        Self { cpu_until: now.cpu + budget, wall_until: now.wall + budget * WALL_FACTOR }
    }

    /// Whether the call must end.
    pub(crate) fn has_passed(&self, now: Reading) -> bool {
        now.cpu >= self.cpu_until || now.wall >= self.wall_until
    }
}

/// What both clocks say at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    /// Processor time the current thread has used.
    pub(crate) cpu: Duration,
    /// The monotonic clock.
    pub(crate) wall: Instant,
}

impl Reading {
    /// Reads both clocks.
    pub(crate) fn now() -> Self {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Self {
            cpu: Duration::new(
                u64::try_from(cpu.tv_sec).unwrap_or(0),
                u32::try_from(cpu.tv_nsec).unwrap_or(0),
            ),
            wall: Instant::now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BUDGET: Duration = Duration::from_millis(100);

    fn after(start: Reading, cpu_ms: u64, wall_ms: u64) -> Reading {
        Reading {
            cpu: start.cpu + Duration::from_millis(cpu_ms),
            wall: start.wall + Duration::from_millis(wall_ms),
        }
    }

    #[test]
    fn the_processor_time_ends_a_call_at_its_limit_and_not_before() {
        let start = Reading::now();
        let deadline = Deadline::new(BUDGET, start);
        assert!(!deadline.has_passed(after(start, 99, 99)));
        assert!(deadline.has_passed(after(start, 100, 100)));
    }

    #[test]
    fn a_thread_kept_waiting_gets_twenty_times_the_wall_time() {
        let start = Reading::now();
        let deadline = Deadline::new(BUDGET, start);
        assert!(!deadline.has_passed(after(start, 1, 1_999)));
        assert!(deadline.has_passed(after(start, 1, 2_000)));
    }
}
