//! How often to ask for runs.

use hostler_sdk::{Instant, Milliseconds};

/// Where the server does not say when to ask again.
const DEFAULT: Milliseconds = 15_000;

/// Whatever the server says: never busier than this.
const SHORTEST: Milliseconds = 1_000;

/// Whatever the server says: a queued run is given up after two minutes, so a longer
/// pause would lose it.
const LONGEST: Milliseconds = 60_000;

/// A host that was idle for so long asks only once a minute.
const DEEP_IDLE_AFTER: Milliseconds = 10 * 60_000;

/// How long this host has been idle.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pace {
    /// The start, or the last sign of a run.
    idle_since: Option<Instant>,
}

impl Pace {
    /// There is, or just was, a run.
    pub fn busy(&mut self, now: Instant) {
        self.idle_since = Some(now);
    }

    /// When to ask again. `asked` is what the server said, in milliseconds.
    pub fn next(&mut self, now: Instant, asked: Option<f64>) -> Milliseconds {
        let idle_since = *self.idle_since.get_or_insert(now);
        if now - idle_since >= f64::from(DEEP_IDLE_AFTER) {
            return LONGEST;
        }
        let sane = asked.filter(|asked| asked.is_finite() && *asked >= 0.0);
        sane.map_or(DEFAULT, |asked| {
            let asked = asked.clamp(f64::from(SHORTEST), f64::from(LONGEST));
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was clamped")]
            let asked = asked as Milliseconds;
            asked
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_drives_the_pace_within_bounds() {
        let mut pace = Pace::default();
        for (asked, next) in [
            (Some(3_000.0), 3_000),
            (Some(15_000.0), 15_000),
            (None, 15_000),
            (Some(f64::NAN), 15_000),
            (Some(-1.0), 15_000),
            (Some(999.0), 1_000),
            (Some(60_000.0), 60_000),
            (Some(60_001.0), 60_000),
        ] {
            assert_eq!(pace.next(5.0, asked), next, "{asked:?}");
        }
    }

    #[test]
    fn after_ten_idle_minutes_it_is_once_a_minute() {
        let mut pace = Pace::default();
        assert_eq!(pace.next(1_000.0, Some(15_000.0)), 15_000);
        assert_eq!(pace.next(600_999.0, Some(15_000.0)), 15_000);
        assert_eq!(pace.next(601_000.0, Some(15_000.0)), 60_000);
        pace.busy(601_000.0);
        assert_eq!(pace.next(601_001.0, Some(15_000.0)), 15_000);
    }
}
