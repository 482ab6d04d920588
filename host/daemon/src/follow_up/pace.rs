//! How often a pull request is looked at. Pure.

use hostler_engine::time::Millis;

/// The shortest time between two looks: checks take minutes, and people longer.
pub const SHORTEST: Millis = Millis::seconds(60);

/// The longest: a person who comments waits for no more than this before the task goes on.
pub const LONGEST: Millis = Millis::minutes(10);

/// Every so many minutes of age make the time between two looks a minute longer.
const SLOWER_BY: u64 = 60;

/// The time until the next look at a pull request of this age. Something that came back
/// and is not told yet is looked after often; a forge that does not answer is left alone
/// for ever longer.
pub fn pause(age: Millis, failures: u32, waiting: bool) -> Millis {
    let usual = if waiting { SHORTEST.0 } else { (age.0 / SLOWER_BY).clamp(SHORTEST.0, LONGEST.0) };
    let doubled = usual.saturating_mul(1 << failures.min(8));
    Millis(doubled.min(LONGEST.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Millis = Millis::minutes(60);

    #[test]
    fn looks_get_rarer_with_age_down_to_one_in_ten_minutes() {
        assert_eq!(pause(Millis(0), 0, false), SHORTEST);
        assert_eq!(pause(HOUR, 0, false), SHORTEST);
        assert_eq!(pause(Millis(HOUR.0 * 2), 0, false), Millis::minutes(2));
        assert_eq!(pause(Millis(HOUR.0 * 10), 0, false), LONGEST);
        assert_eq!(pause(Millis(HOUR.0 * 1000), 0, false), LONGEST);
    }

    #[test]
    fn what_waits_to_be_told_is_looked_after_every_minute() {
        assert_eq!(pause(Millis(HOUR.0 * 1000), 0, true), SHORTEST);
    }

    #[test]
    fn a_forge_that_does_not_answer_is_left_alone_for_ever_longer() {
        let pauses = [0, 1, 2, 3, 4, 100].map(|failures| pause(Millis(0), failures, true).0 / 60_000);
        assert_eq!(pauses, [1, 2, 4, 8, 10, 10]);
    }
}
