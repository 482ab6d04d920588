//! A control group around the agent: the kernel knows who is in it, and ends
//! all of them at once, whatever became of their parents.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

#[cfg(target_os = "linux")]
pub(crate) use linux::ControlGroup;
#[cfg(target_os = "macos")]
pub(crate) use macos::ControlGroup;
