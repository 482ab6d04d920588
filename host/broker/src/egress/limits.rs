//! How much of the host one agent's way out may take up.

use hostler_engine::time::Millis;

/// Connections of one agent open together; further ones wait. A package manager opens
/// dozens, and each costs the host two file descriptors.
pub const AGENT_CONNECTIONS: usize = 256;

/// Bytes in a request's line and headers: several times what APIs take.
pub const AGENT_HEAD_BYTES: usize = 64 << 10;

/// Headers of a request: more than any client sends.
pub const AGENT_HEADERS: usize = 128;

/// Time for a request's head, also for the next one on a connection: clients that keep
/// one for later open another when it is gone.
pub const AGENT_HEAD_WITHIN: Millis = Millis::seconds(60);

/// Time in which nothing moves on a connection before it ends: a model may think for
/// minutes without a word.
pub const AGENT_IDLE: Millis = Millis::minutes(15);

/// The limits of one agent's way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EgressLimits {
    /// Connections open together.
    pub connections: usize,
    /// Bytes in a request's line and headers.
    pub head_bytes: usize,
    /// Headers of a request.
    pub headers: usize,
    /// Time for a request's head.
    pub head_within: Millis,
    /// Time in which nothing moves.
    pub idle: Millis,
}

impl Default for EgressLimits {
    fn default() -> Self {
        Self {
            connections: AGENT_CONNECTIONS,
            head_bytes: AGENT_HEAD_BYTES,
            headers: AGENT_HEADERS,
            head_within: AGENT_HEAD_WITHIN,
            idle: AGENT_IDLE,
        }
    }
}

/// The least that the parser takes for its buffer, in bytes.
const SMALLEST_BUFFER: usize = 8 << 10;

impl EgressLimits {
    /// Bytes that are read ahead on one connection: a whole head fits.
    pub(super) fn buffer(&self) -> usize {
        self.head_bytes.max(SMALLEST_BUFFER)
    }
}
