//! Moments on the server's clock, and the clock itself.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, on the stand-in's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Time(pub u64);

impl Time {
    /// The moment a duration later; whole milliseconds.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// How long ago `earlier` was; nothing if it is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Year and month in UTC: what a monthly budget is counted in.
    pub fn month(self) -> (i16, i8) {
        let date = self.zoned().date();
        (date.year(), date.month())
    }

    /// For people: `14:03:27`, in UTC.
    pub fn clock_face(self) -> String {
        self.zoned().strftime("%H:%M:%S").to_string()
    }

    fn zoned(self) -> jiff::Zoned {
        let millis = i64::try_from(self.0).unwrap_or(i64::MAX);
        let timestamp = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
        timestamp.to_zoned(jiff::tz::TimeZone::UTC)
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
                let age = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                Time(millis(age.unwrap_or_default())).plus(*ahead)
            }
            Self::Fake(now) => *now,
        }
    }

    /// Moves the clock forward.
    pub fn advance(&mut self, by: Duration) {
        match self {
            Self::Real(ahead) => *ahead = ahead.saturating_add(by),
            Self::Fake(now) => *now = now.plus(by),
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
    fn the_fake_clock_starts_with_the_year_2026() {
        let now = Clock::fake().now();
        assert_eq!(now.month(), (2026, 1));
        assert_eq!(now.clock_face(), "00:00:00");
        assert_eq!(Time(now.0 - 1).month(), (2025, 12));
    }

    #[test]
    fn both_clocks_can_be_advanced() {
        let minute = Duration::from_mins(1);
        for mut clock in [Clock::real(), Clock::fake()] {
            let before = clock.now();
            clock.advance(minute);
            assert!(clock.now() >= before.plus(minute), "{clock:?}");
        }
    }

    #[test]
    fn time_beyond_every_calendar_is_still_shown() {
        assert_eq!(Time(u64::MAX).month().0, 9999);
    }
}
