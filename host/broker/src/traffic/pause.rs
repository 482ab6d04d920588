//! How long a server asks to be left alone. Pure.

use hostler_engine::time::Millis;

/// The longest pause that is kept: a server that names a longer one by mistake, or to
/// silence the host, is asked again after this.
pub const LONGEST_PAUSE: Millis = Millis::minutes(5);

/// Statuses that, with `Retry-After`, speak of the server and not of one request: too
/// many requests, and unavailable.
const PAUSING: [u16; 2] = [429, 503];

/// The pause an answer asks of everybody. Only whole seconds are read: a date would be
/// measured by two clocks.
pub(crate) fn asked(status: u16, headers: &[(String, String)]) -> Option<Millis> {
    if !PAUSING.contains(&status) {
        return None;
    }
    let (_, value) = headers.iter().find(|(name, _)| name == "retry-after")?;
    let seconds = value.trim().parse().ok().filter(|seconds| *seconds > 0)?;
    Some(Millis::seconds(seconds).min(LONGEST_PAUSE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(status: u16, value: &str) -> Option<Millis> {
        let headers = [("date".to_owned(), "now".to_owned()), ("retry-after".to_owned(), value.to_owned())];
        asked(status, &headers)
    }

    #[test]
    fn only_a_busy_server_with_a_time_in_seconds_asks_for_a_pause() {
        assert_eq!(after(429, "7"), Some(Millis::seconds(7)));
        assert_eq!(after(503, " 1 "), Some(Millis::seconds(1)));
        for (status, value) in [(200, "7"), (500, "7"), (429, "0"), (429, "-1"), (429, "soon"), (429, "")] {
            assert_eq!(after(status, value), None, "{status} {value}");
        }
        assert_eq!(asked(429, &[]), None);
    }

    #[test]
    fn a_pause_is_kept_up_to_the_longest() {
        let longest = LONGEST_PAUSE.0 / 1000;
        assert_eq!(after(429, &longest.to_string()), Some(LONGEST_PAUSE));
        assert_eq!(after(429, &(longest + 1).to_string()), Some(LONGEST_PAUSE));
        assert_eq!(after(429, &(longest - 1).to_string()), Some(Millis::seconds(longest - 1)));
        assert_eq!(after(429, &u64::MAX.to_string()), Some(LONGEST_PAUSE));
    }
}
