//! What an agent in a sandbox gives up for good, just before it becomes itself:
//! capabilities, the gaining of rights, and some system calls.

#[cfg(target_os = "linux")]
mod filter;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "linux")]
pub(super) use linux::Seal;
#[cfg(target_os = "macos")]
pub(super) use macos::Seal;
