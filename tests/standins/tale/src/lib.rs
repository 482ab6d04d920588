//! A stand-in for a Tale server: the board, the six endpoints that daemons call, and
//! an admin interface, on the loopback interface. For tests, and for trying out a
//! daemon without an account.
//!
//! It never leaves the machine, never runs an agent, and never keeps anything on disk.
//!
//! - [`Standin`]: a running server, and everything a test does to it.
//! - [`Board`]: what the server knows, as a state machine without I/O.
//! - [`Fault`]: what goes wrong on purpose.
//! - [`RecordedRequest`]: what a client sent and what it was answered.

pub mod board;
pub mod limits;
pub mod time;

pub use board::Board;
