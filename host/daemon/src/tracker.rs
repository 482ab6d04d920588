//! The tracker: its connection, the two loops that use it, progress on its way to
//! it, and the thread they share.

mod connection;
pub mod heartbeat;
pub mod lease_thread;
pub mod poll;
pub mod progress;

pub use connection::{Answered, Tracker, log};
