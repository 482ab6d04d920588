//! What a screen is drawn for: colours, width, time and zone. Screens are pure
//! functions of this and their subject.

use hostler_daemon::engine::time::{Millis, Timestamp};
use jiff::tz::TimeZone;

use crate::paint::{Paint, Tone};

/// What a screen is drawn for.
#[derive(Clone, Debug)]
pub struct Page {
    /// Whether to colour.
    pub paint: Paint,
    /// Columns of the terminal; `None` when the output goes elsewhere.
    pub width: Option<usize>,
    /// Now.
    pub now: Timestamp,
    /// For absolute times.
    pub zone: TimeZone,
}

impl Page {
    /// The text in the colour of its meaning.
    pub fn tone(&self, tone: Tone, text: &str) -> String {
        self.paint.tone(tone, text)
    }

    /// How long ago: `just now`, `3m 05s ago`.
    pub fn ago(&self, at: i64) -> String {
        let passed = self.now.since(Timestamp(at));
        if passed < Millis::seconds(2) { "just now".to_owned() } else { format!("{passed} ago") }
    }

    /// Local time to the second.
    pub fn moment(&self, at: i64) -> String {
        self.format(at, "%Y-%m-%d %H:%M:%S")
    }

    /// Local time of day.
    pub fn clock(&self, at: i64) -> String {
        self.format(at, "%H:%M:%S")
    }

    fn format(&self, at: i64, form: &str) -> String {
        match jiff::Timestamp::from_millisecond(at) {
            Ok(time) => time.to_zoned(self.zone.clone()).strftime(form).to_string(),
            Err(_) => format!("{at} ms"),
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A plain page at a fixed time, for snapshots.
    pub fn page() -> Page {
        Page { paint: Paint::Plain, width: None, now: Timestamp(1_780_000_000_000), zone: TimeZone::UTC }
    }

    #[test]
    fn times_are_told_relative_and_absolute() {
        let page = page();
        assert_eq!(page.ago(1_779_999_815_000), "3m 05s ago");
        assert_eq!(page.ago(1_780_000_009_000), "just now");
        assert_eq!(page.moment(1_780_000_000_000), "2026-05-28 20:26:40");
        assert_eq!(page.clock(i64::MAX), "9223372036854775807 ms");
    }
}
