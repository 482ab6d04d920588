//! Every limit of Trakkar's server, in one place.

use std::time::Duration;

/// A run whose runner shows no sign of life for so long is shown as disconnected.
pub const DISCONNECTED: Duration = Duration::from_mins(10);

/// One call of progress brings at most so many events.
pub const EVENTS: usize = 50;

/// Characters of one event.
pub const EVENT: usize = 4_000;

/// Characters of a run's summary.
pub const SUMMARY: usize = 4_000;

/// Largest body that is read: fifty full events, and some.
pub const BODY_BYTES: usize = 1 << 20;

/// So many of the latest requests are kept for tests to look at.
pub const KEPT_REQUESTS: usize = 10_000;
