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

mod api;
pub mod board;
pub mod demo;
mod fault;
pub mod limits;
mod record;
mod server;
mod standin;
mod time;
mod world;

pub use api::Endpoint;
pub use board::Board;
pub use fault::{Fault, Harm, Moment};
pub use record::{Answered, RecordedRequest, Traffic};
pub use standin::{ORGANIZATION, Options, Standin, StartError};
pub use time::{Clock, Time};
