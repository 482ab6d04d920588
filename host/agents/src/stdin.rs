//! What the agent reads.

use serde::{Deserialize, Serialize};

use crate::byte_text;

/// What the agent reads. Several CLIs wait for ever on an input that stays open,
/// so open is the exception.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stdin {
    /// Nothing: it is at its end from the start.
    #[default]
    Closed,
    /// These bytes, then the end.
    Bytes(#[serde(with = "byte_text")] Vec<u8>),
    /// These bytes, then what is written later, until it is closed.
    Open(#[serde(with = "byte_text")] Vec<u8>),
}

/// The agent's standard input takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the agent's standard input is closed; send the message to its next attempt")]
pub struct StdinClosed;
