//! What an agent and everything it starts may use together.

use serde::{Deserialize, Serialize};

/// The limits of one attempt; absent is without a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory. What goes beyond ends the attempt.
    pub memory: Option<u64>,
    /// Processors. More than the machine has is all of them.
    pub cpus: Option<u32>,
}

/// What holds an agent to its limits; absent is a limit that was not set, or
/// could not be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LimitedBy {
    /// What watches its memory.
    pub memory: Option<MemoryLimiter>,
    /// What keeps it to its processors.
    pub cpus: Option<CpuLimiter>,
}

/// What watches memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemoryLimiter {
    /// The supervisor, who adds up the memory of all processes each second. What a
    /// fork has in common with its parent counts for both.
    Watch,
}

/// What limits processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CpuLimiter {
    /// A choice of processors, handed down from process to process.
    Affinity,
}
