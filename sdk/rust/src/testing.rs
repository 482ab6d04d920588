//! Plays the host in native tests of a plugin: no component, no I/O.
//!
//! [`FakeHost`] drives a tracker's operations and answers its effects from a
//! closure; [`MemoryFiles`] is such a closure for a granted directory.
//! [`Transcript`] feeds recorded output through a provider's session.

mod fake_host;
mod memory_files;
mod transcript;

pub use fake_host::{Done, FakeHost};
pub use memory_files::MemoryFiles;
pub use transcript::{Read, Transcript, job};
