//! Memory that was needed once, at the start, is not kept for days.

/// From now on every large block is given back to the system when it is freed.
/// The C library's allocator otherwise learns from the first large block to keep
/// all later ones of that size.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub(super) fn give_back_what_is_large() {
    /// The C library's own first choice, in bytes.
    const LARGE: libc::c_int = 128 * 1024;
    // SAFETY: sets a number of the allocator; nobody else is in it, for the shim
    // has a single thread. Should it be refused, memory is kept longer.
    unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
}

/// Other allocators do so by themselves.
#[cfg(not(all(target_os = "linux", target_env = "gnu")))]
pub(super) fn give_back_what_is_large() {}
