//! Calling off work that takes long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Says to an operation in another thread that nobody waits for it any more.
/// Clones are one and the same; it cannot be taken back.
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Not cancelled yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The operation ends soon, with an error that says so.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// True from the first [`cancel`](Self::cancel) on.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
