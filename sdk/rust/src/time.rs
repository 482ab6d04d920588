//! Instants as people and files write them.

use crate::Instant;

const MILLISECONDS_PER_DAY: i64 = 86_400_000;

/// An instant as `2026-11-20T08:00:00Z`, in UTC, without fractions of a second.
pub fn iso8601(at: Instant) -> String {
    #[allow(clippy::cast_possible_truncation, reason = "`as` saturates, which is what is wanted")]
    let milliseconds = at as i64;
    let (year, month, day) = civil_date(milliseconds.div_euclid(MILLISECONDS_PER_DAY));
    let second = milliseconds.rem_euclid(MILLISECONDS_PER_DAY) / 1000;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Year, month and day of a day counted from 1970-01-01, in the Gregorian
/// calendar. Years are counted from March, so that the leap day comes last.
fn civil_date(days: i64) -> (i64, i64, i64) {
    let days = days.saturating_add(719_468);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn well_known_instants_are_written_as_everybody_writes_them() {
        assert_eq!(iso8601(0.0), "1970-01-01T00:00:00Z");
        assert_eq!(iso8601(951_782_400_000.0), "2000-02-29T00:00:00Z");
        assert_eq!(iso8601(1_795_164_228_999.0), "2026-11-20T08:43:48Z");
        assert_eq!(iso8601(4_107_542_399_000.0), "2100-02-28T23:59:59Z");
        assert_eq!(iso8601(4_107_542_400_000.0), "2100-03-01T00:00:00Z");
        assert_eq!(iso8601(-1000.0), "1969-12-31T23:59:59Z");
    }

    #[test]
    fn nonsense_is_written_without_a_panic() {
        for nonsense in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(iso8601(nonsense).ends_with('Z'));
        }
    }
}
