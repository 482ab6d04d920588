//! Where a run is in its life, so that a late answer can be told from a timely one.

use serde::{Deserialize, Serialize};

use crate::task::RunId;

/// Names one step in the life of a run. An answer that names an older step is
/// stale and changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Step {
    /// Which run.
    pub run: RunId,
    /// Grows by one with every change of state.
    pub number: u32,
}
