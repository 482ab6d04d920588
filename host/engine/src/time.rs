//! Points in time and lengths of time, as values. The engine never reads a clock.

use std::fmt;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
///
/// The daemon derives it from a clock that never jumps while it runs and goes on
/// during sleep, so comparing two of them within one start is safe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A length of time in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// So many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// So many minutes.
    pub const fn minutes(minutes: u64) -> Self {
        Self::seconds(minutes.saturating_mul(60))
    }

    /// The same as a standard duration.
    pub const fn duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl Timestamp {
    /// How long after `earlier` this is; zero if it is before.
    pub fn since(self, earlier: Self) -> Millis {
        Millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl Add<Millis> for Timestamp {
    type Output = Self;
    fn add(self, length: Millis) -> Self {
        Self(self.0.saturating_add(i64::try_from(length.0).unwrap_or(i64::MAX)))
    }
}

impl Sub<Millis> for Timestamp {
    type Output = Self;
    fn sub(self, length: Millis) -> Self {
        Self(self.0.saturating_sub(i64::try_from(length.0).unwrap_or(i64::MAX)))
    }
}

/// `48s`, `3m 05s`, `2h 07m`, `4d 03h`: the two largest units that matter.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1000;
        match seconds {
            0..60 => write!(f, "{seconds}s"),
            60..3600 => write!(f, "{}m {:02}s", seconds / 60, seconds % 60),
            3600..86_400 => write!(f, "{}h {:02}m", seconds / 3600, seconds / 60 % 60),
            _ => write!(f, "{}d {:02}h", seconds / 86_400, seconds / 3600 % 24),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_read_like_a_person_would_say_them() {
        let said = |seconds| Millis::seconds(seconds).to_string();
        assert_eq!(said(48), "48s");
        assert_eq!(said(185), "3m 05s");
        assert_eq!(said(7620), "2h 07m");
        assert_eq!(said(356_400), "4d 03h");
    }

    #[test]
    fn time_saturates_instead_of_wrapping() {
        assert_eq!(Timestamp(5) + Millis(u64::MAX), Timestamp(i64::MAX));
        assert_eq!(Timestamp(5).since(Timestamp(9)), Millis(0));
    }
}
