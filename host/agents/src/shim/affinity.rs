//! On which processors a process may run.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "linux")]
pub(super) use linux::{Processors, allowed};
#[cfg(target_os = "macos")]
pub(super) use macos::{Processors, allowed};
