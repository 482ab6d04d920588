//! Work that blocks, off the threads that must stay quick.

use crate::failure::Failure;

/// Runs blocking work on a thread of its own. Fails only if the work panicked.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::Internal(error.to_string()))
}
