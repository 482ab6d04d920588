//! How many requests an origin gets in a time. Pure.

use hostler_engine::time::{Millis, Timestamp};

use super::Urgency;

/// Requests to one origin that may follow each other at once: a host with dozens of
/// runs that wakes up sends about as many.
pub const BURST: u32 = 60;
/// Requests to one origin in a second, in the long run: several times what dozens of
/// runs need, and less than what servers call abuse.
pub const REQUESTS_PER_SECOND: u32 = 20;
/// Of the burst, what only requests that keep a lease may use: as many leases as a
/// host has runs, so that no crowd of other requests costs one.
pub const RESERVED: u32 = 20;

/// Thousandths of a request, so that time is not lost to rounding.
const WHOLE: u64 = 1000;

/// Fills up with time and is emptied by requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    level: u64,
    filled: Timestamp,
}

impl Bucket {
    /// A full one.
    pub(crate) const fn full(now: Timestamp) -> Self {
        Self { level: BURST as u64 * WHOLE, filled: now }
    }

    /// Takes one request out, or says how long to wait before asking again.
    pub(crate) fn take(&mut self, urgency: Urgency, now: Timestamp) -> Result<(), Millis> {
        let gained = now.since(self.filled).0.saturating_mul(REQUESTS_PER_SECOND.into());
        self.level = self.level.saturating_add(gained).min(u64::from(BURST) * WHOLE);
        self.filled = self.filled.max(now);
        let kept = match urgency {
            Urgency::Ordinary => u64::from(RESERVED) * WHOLE,
            Urgency::Lease => 0,
        };
        let missing = (kept + WHOLE).saturating_sub(self.level);
        if missing > 0 {
            return Err(Millis(missing.div_ceil(REQUESTS_PER_SECOND.into())));
        }
        self.level -= WHOLE;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp(1_000_000);

    fn taken(bucket: &mut Bucket, urgency: Urgency, now: Timestamp) -> u32 {
        (0..=BURST).take_while(|_| bucket.take(urgency, now).is_ok()).count().try_into().unwrap_or(u32::MAX)
    }

    #[test]
    fn a_crowd_leaves_the_reserve_to_what_keeps_a_lease() {
        let mut bucket = Bucket::full(START);
        assert_eq!(taken(&mut bucket, Urgency::Ordinary, START), BURST - RESERVED);
        assert_eq!(taken(&mut bucket, Urgency::Lease, START), RESERVED);
        assert_eq!(bucket.take(Urgency::Lease, START), Err(Millis(50)));
        let until_reserve = Millis(u64::from(RESERVED + 1) * 50);
        assert_eq!(bucket.take(Urgency::Ordinary, START), Err(until_reserve));
    }

    #[test]
    fn after_the_wait_it_named_a_request_passes_and_not_before() {
        let mut bucket = Bucket::full(START);
        taken(&mut bucket, Urgency::Lease, START);
        assert_eq!(bucket.take(Urgency::Lease, START + Millis(49)), Err(Millis(1)));
        assert_eq!(bucket.take(Urgency::Lease, START + Millis(50)), Ok(()));
    }

    #[test]
    fn in_the_long_run_so_many_pass_in_a_second_and_rest_fills_no_more_than_the_burst() {
        let mut bucket = Bucket::full(START);
        taken(&mut bucket, Urgency::Lease, START);
        let passed: u32 = (1..=10_000)
            .map(|millisecond| taken(&mut bucket, Urgency::Lease, START + Millis(millisecond)))
            .sum();
        assert_eq!(passed, 10 * REQUESTS_PER_SECOND);
        assert_eq!(taken(&mut bucket, Urgency::Lease, START + Millis::minutes(60)), BURST);
    }

    #[test]
    fn a_clock_that_steps_back_gives_nothing_twice() {
        let mut bucket = Bucket::full(START);
        taken(&mut bucket, Urgency::Lease, START);
        assert!(bucket.take(Urgency::Lease, Timestamp(0)).is_err());
        assert!(bucket.take(Urgency::Lease, START).is_err());
    }
}
