//! What one call into a plugin may cost. An operator may raise these; a plugin
//! can never.

use std::time::Duration;

/// Largest plugin file in bytes: a Python guest is 18 MB, nothing sensible is
/// three times that.
pub const FILE_BYTES: u64 = 64 * MIB as u64;

/// Largest manifest in bytes: real ones are a few kilobytes, and it is read
/// before anything is trusted.
pub const MANIFEST_BYTES: usize = 256 * KIB;

/// What one answer may take in the host's memory, in bytes: the longest line a
/// session gets, passed on as text, and as much again for everything around it.
pub const OUTPUT_BYTES: usize = 2 * MIB;

/// Most resource handles in one store: a plugin has one session or connection,
/// so even a thousand means a leak.
pub const HANDLES: usize = 1_000;

/// Most table elements in one store: the function pointers of a very large
/// guest fit, a growing table does not.
pub const TABLE_ELEMENTS: usize = 20_000;

/// Most core instances in one store: Python guests have 38.
pub const CORE_INSTANCES: usize = 64;

/// Most linear memories in one store: JavaScript guests have 3.
pub const MEMORIES: usize = 8;

/// Most tables in one store: one or two per core instance that has any.
pub const TABLES: usize = 64;

/// The guest's native stack in bytes: deep enough for any parser, small enough
/// that endless recursion ends within a millisecond.
pub const STACK_BYTES: usize = 512 * KIB;

/// Most effects one tracker call may ask for: what one heartbeat of a busy host
/// needs, and no flood.
pub const EFFECTS: usize = 64;

/// Most outputs of one `lines` call: four for each line of a full batch.
pub const SESSION_OUTPUTS: usize = 1_024;

/// Most lines handed to a session in one call, so that one call stays well
/// within its time and its outputs within [`SESSION_OUTPUTS`].
pub const BATCH_LINES: usize = 256;

/// Most bytes of lines handed to a session in one call (a single longer line
/// goes alone), so that what a plugin passes on fits into the output limit.
pub const BATCH_BYTES: usize = 256 * KIB;

/// Longest line a session gets, in bytes, as the contract promises to plugins.
pub const LINE_BYTES: usize = MIB;

/// Most bytes handed to a plugin in one argument: a large HTTP answer fits, and
/// several copies of it still fit into the guest's memory.
pub const INPUT_BYTES: usize = 8 * MIB;

/// Most log lines kept of one call: enough to follow a step, too few to bury
/// everything else.
pub const LOG_LINES: usize = 100;

/// Longest log line or message in bytes, as the contract promises.
pub const LOG_LINE_BYTES: usize = 4 * KIB;

/// Most bytes a connection may ask to have saved, as the contract promises.
pub const SAVED_BYTES: usize = 64 * KIB;

/// After so many steps a connection is replaced, so that no slow leak in a
/// plugin grows for months.
pub const CONNECTION_STEPS: u32 = 10_000;

/// A call may last so many times its processor time by the clock on the wall: a
/// busy machine does not make a good plugin fail, and nothing waits for ever.
pub const WALL_FACTOR: u32 = 20;

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Limits of every kind of call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `plan`, `prompt`, `retry`: judgement on small data.
    pub judgement: CallLimits,
    /// `detect` and `launch`.
    pub launch: CallLimits,
    /// Every step of a connection.
    pub tracker: CallLimits,
    /// Every call of a session.
    pub session: CallLimits,
}

/// Limits of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// All linear memories of the instance together, in bytes.
    pub memory: usize,
    /// Processor time; [`WALL_FACTOR`] times as much may pass on the wall clock.
    pub time: Duration,
    /// What the answer may take in the host's memory, in bytes: its text, and a
    /// record for each element of its lists. Refused before it is allocated.
    pub output: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let limit = |memory_mib: usize, millis: u64| CallLimits {
            memory: memory_mib * MIB,
            time: Duration::from_millis(millis),
            output: OUTPUT_BYTES,
        };
        Self {
            judgement: limit(16, 500),
            launch: limit(32, 500),
            tracker: limit(64, 500),
            session: limit(64, 250),
        }
    }
}

impl Limits {
    /// The largest memory any kind of call may use, in bytes.
    pub(crate) fn largest_memory(&self) -> usize {
        [self.judgement, self.launch, self.tracker, self.session]
            .iter()
            .map(|limits| limits.memory)
            .max()
            .unwrap_or(0)
    }
}
