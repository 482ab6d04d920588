//! Between the contract's types and the engine's vocabulary. Everything that
//! comes from a plugin is checked here: numbers are sane, text shown to people is
//! clean, open sets have their documented fallback.

mod effects;
mod provider;
mod tracker;

use hostler_engine::event::{Level, LogLine};
use hostler_engine::outcome::{Class, Outcome, OutcomeState, Usage};
use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::task::Section;
use hostler_engine::time::{Millis, Timestamp};

use crate::bindings::types;
use crate::guest_text::{clean, clean_lines};
use crate::limits::LOG_LINE_BYTES;

pub(crate) use effects::{frame, frame_bytes, reply, reply_bytes};
pub(crate) use provider::session_outputs;
pub(crate) use tracker::{tracker_outputs, wish};

/// Largest whole number that a JavaScript number holds exactly: 2^53.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A point in time for a plugin.
#[allow(clippy::cast_precision_loss)] // exact for the next 285,000 years
pub(crate) fn instant(time: Timestamp) -> f64 {
    time.0 as f64
}

/// A point in time from a plugin; `None` where the number is none.
#[allow(clippy::cast_possible_truncation)] // checked to be within 2^53
fn timestamp(instant: f64) -> Option<Timestamp> {
    (instant.abs() < EXACT).then_some(Timestamp(instant as i64))
}

/// A length of time for a plugin: at most 49 days.
pub(crate) fn milliseconds(length: Millis) -> u32 {
    saturated(length.0)
}

fn millis(length: u32) -> Millis {
    Millis(u64::from(length))
}

/// Counts are 32 bits wide in the contract.
fn saturated(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

pub(crate) fn problem(found: &types::Problem) -> Problem {
    Problem {
        kind: ProblemKind::from_name(&found.kind),
        message: clean(&found.message, LOG_LINE_BYTES),
        retry_after: found.retry_after.map(millis),
    }
}

pub(crate) fn problem_for_guest(problem: Problem) -> types::Problem {
    types::Problem {
        kind: problem.kind.name().to_owned(),
        message: problem.message,
        retry_after: problem.retry_after.map(milliseconds),
    }
}

pub(crate) fn log_line(line: &types::LogLine) -> LogLine {
    LogLine { level: Level::from_name(&line.level), message: clean(&line.message, LOG_LINE_BYTES) }
}

/// Section bodies go to the agent, not to a terminal; they stay as they are.
pub(crate) fn section(section: types::Section) -> Section {
    Section { title: clean(&section.title, LOG_LINE_BYTES), body: section.body, trusted: section.trusted }
}

fn usage(usage: &types::Usage) -> Usage {
    Usage {
        input_tokens: u64::from(usage.input_tokens),
        output_tokens: u64::from(usage.output_tokens),
        cached_tokens: u64::from(usage.cached_tokens),
        cost_usd: usage.cost_usd.filter(|cost| cost.is_finite() && *cost >= 0.0),
    }
}

fn usage_for_guest(usage: Usage) -> types::Usage {
    types::Usage {
        input_tokens: saturated(usage.input_tokens),
        output_tokens: saturated(usage.output_tokens),
        cached_tokens: saturated(usage.cached_tokens),
        cost_usd: usage.cost_usd,
    }
}

pub(crate) fn outcome(found: types::Outcome) -> Outcome {
    Outcome {
        state: if found.state == "succeeded" { OutcomeState::Succeeded } else { OutcomeState::Failed },
        reason: clean(&found.reason, LOG_LINE_BYTES),
        class: Class::from_name(&found.class),
        message: clean(&found.message, LOG_LINE_BYTES),
        summary: clean_lines(found.summary),
        session: found.session,
        usage: usage(&found.usage),
        resets_at: found.resets_at.and_then(timestamp),
    }
}

fn outcome_for_guest(outcome: Outcome) -> types::Outcome {
    let state = if outcome.succeeded() { "succeeded" } else { "failed" };
    types::Outcome {
        state: state.to_owned(),
        reason: outcome.reason,
        class: outcome.class.name().to_owned(),
        message: outcome.message,
        summary: outcome.summary,
        session: outcome.session,
        usage: usage_for_guest(outcome.usage),
        resets_at: outcome.resets_at.map(instant),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_that_is_no_number_is_no_moment() {
        assert_eq!(timestamp(1_700_000_000_000.7), Some(Timestamp(1_700_000_000_000)));
        for nonsense in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, EXACT, -EXACT] {
            assert_eq!(timestamp(nonsense), None, "{nonsense}");
        }
        assert_eq!(timestamp(EXACT - 1.0), Some(Timestamp(9_007_199_254_740_991)));
    }

    #[test]
    fn a_cost_is_finite_and_not_negative() {
        let cost = |cost_usd| {
            usage(&types::Usage { input_tokens: 1, output_tokens: 2, cached_tokens: 0, cost_usd }).cost_usd
        };
        assert_eq!(cost(Some(0.25)), Some(0.25));
        for nonsense in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(cost(Some(nonsense)), None, "{nonsense}");
        }
    }

    #[test]
    fn counts_and_lengths_saturate_instead_of_wrapping() {
        assert_eq!(milliseconds(Millis(4_294_967_295)), u32::MAX);
        assert_eq!(milliseconds(Millis(4_294_967_296)), u32::MAX);
        assert_eq!(saturated(7), 7);
    }

    #[test]
    fn what_a_plugin_says_cannot_draw_on_a_terminal() {
        let found = problem(&types::Problem {
            kind: "nonsense".to_owned(),
            message: "\u{1b}[31mred\nline".to_owned(),
            retry_after: None,
        });
        assert_eq!(found.message, "\\u{1b}[31mred\\nline");
        assert_eq!(found.kind, ProblemKind::Transient);
    }
}
