//! How many log lines of one call are kept.

use hostler_engine::event::{Level, LogLine};

use crate::limits::LOG_LINES;

/// Counts the log lines of one call.
#[derive(Default)]
pub(crate) struct LogBudget {
    seen: usize,
}

impl LogBudget {
    /// Whether one more line may be kept.
    pub(crate) fn admit(&mut self) -> bool {
        self.seen += 1;
        self.seen <= LOG_LINES
    }

    /// Says how many lines were dropped, if any were.
    pub(crate) fn closing_line(&self) -> Option<LogLine> {
        let dropped = self.seen.checked_sub(LOG_LINES).filter(|dropped| *dropped > 0)?;
        let message = format!("{dropped} more log lines of this call were dropped");
        Some(LogLine { level: Level::Warn, message })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_hundred_lines_are_kept_and_the_rest_is_counted() {
        let mut budget = LogBudget::default();
        assert!((0..LOG_LINES).all(|_| budget.admit()));
        assert_eq!(budget.closing_line(), None);
        assert!(!budget.admit());
        let line = budget.closing_line().unwrap();
        assert_eq!(line.message, "1 more log lines of this call were dropped");
    }
}
