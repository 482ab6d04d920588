//! Moments on the server's clock, and the clock itself.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, on the stand-in's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    /// How long ago `earlier` was; nothing if it is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// As it goes over the wire: `2026-02-01T09:00:00Z`.
    pub fn iso(self) -> String {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        let timestamp = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
        timestamp.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }
}

/// Where the server takes the time from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock, so much ahead.
    Real(Duration),
    /// Stands still at this moment until it is advanced.
    Fake(Time),
}

impl Clock {
    /// The machine's clock.
    pub fn real() -> Self {
        Self::Real(Duration::ZERO)
    }

    /// A fake clock at the start of 2026, so that tests show the same times on every day.
    pub fn fake() -> Self {
        Self::Fake(Time(1_767_225_600_000))
    }

    /// What the clock shows.
    pub fn now(&self) -> Time {
        match self {
            Self::Real(ahead) => {
                let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                Time(millis(age + *ahead))
            }
            Self::Fake(now) => *now,
        }
    }

    /// Moves the clock forward.
    pub fn advance(&mut self, by: Duration) {
        match self {
            Self::Real(ahead) => *ahead = ahead.saturating_add(by),
            Self::Fake(now) => *now = Time(now.0.saturating_add(millis(by))),
        }
    }
}

/// Whole milliseconds of a duration.
fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_clocks_can_be_advanced_and_times_are_written_as_on_the_wire() {
        assert_eq!(Clock::fake().now().iso(), "2026-01-01T00:00:00Z");
        assert!(Time(u64::MAX).iso().starts_with("9999-12-30"));
        for mut clock in [Clock::real(), Clock::fake()] {
            let before = clock.now();
            clock.advance(Duration::from_mins(1));
            assert!(clock.now().since(before) >= Duration::from_mins(1), "{clock:?}");
        }
    }
}
