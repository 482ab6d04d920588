//! SIGTERM: how a host that cannot get through to the shim still ends it.

use std::sync::atomic::{AtomicBool, Ordering};

static TOLD: AtomicBool = AtomicBool::new(false);

extern "C" fn note(_signal: libc::c_int) {
    TOLD.store(true, Ordering::Relaxed);
}

/// From now on SIGTERM is noted instead of ending this process.
pub(super) fn listen_for_sigterm() {
    let handler = note as extern "C" fn(libc::c_int) as libc::sighandler_t;
    // SAFETY: the handler does nothing but store to an atomic, which a handler
    // may do at any moment.
    unsafe { libc::signal(libc::SIGTERM, handler) };
}

/// Whether it came.
pub(super) fn told_to_end() -> bool {
    TOLD.load(Ordering::Relaxed)
}
