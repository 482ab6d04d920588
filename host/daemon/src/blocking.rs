//! Work that blocks, off the threads that must stay quick.

use crate::failure::Failure;

/// Does work here and now, for a thread that has nothing better to do. Fails only if the
/// work panicked.
pub fn here<T>(work: impl FnOnce() -> T) -> Result<T, Failure> {
    // What a panic left half done is given up with the error.
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work))
        .map_err(|_| Failure::Internal("a plugin call panicked".to_owned()))
}

/// Runs blocking work on a thread of its own. Fails only if the work panicked.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Failure::Internal(error.to_string()))
}
