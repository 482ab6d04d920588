//! How long to wait after looks for tasks that did not work.

use hostler_sdk::Milliseconds;

/// Longest pause, however often it did not work.
const LONGEST: Milliseconds = 5 * 60_000;

/// A disabled agent is asked for so seldom: only a person can change it.
pub const DISABLED: Milliseconds = 60_000;

/// How often in a row it did not work.
#[derive(Clone, Copy, Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Whether the last look worked, or there was none.
    pub fn is_fresh(self) -> bool {
        self.failures == 0
    }

    /// It worked.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// It did not work: the pause before the next try, doubled each time.
    pub fn next(&mut self, interval: Milliseconds) -> Milliseconds {
        let factor = 2_u32.saturating_pow(self.failures);
        self.failures = self.failures.saturating_add(1);
        interval.saturating_mul(factor).min(LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_five_minutes_and_begin_anew_after_an_answer() {
        let mut backoff = Backoff::default();
        let pauses: Vec<u32> = (0..7).map(|_| backoff.next(15_000) / 1_000).collect();
        assert!(!backoff.is_fresh());
        assert_eq!(pauses, [15, 30, 60, 120, 240, 300, 300]);
        backoff.reset();
        assert!(backoff.is_fresh());
        assert_eq!(backoff.next(15_000), 15_000);
        for _ in 0..100 {
            assert!(backoff.next(15_000) <= LONGEST);
        }
    }
}
