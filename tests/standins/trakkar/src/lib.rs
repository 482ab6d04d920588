//! A stand-in for a Trakkar server: agents, tasks, the endpoints that runners call, and
//! an admin interface, on the loopback interface. For tests, and for trying out a runner
//! without an account.
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
mod endpoint;
mod fault;
pub mod limits;
mod record;
mod server;
mod standin;
mod time;
mod world;

pub use board::Board;
pub use endpoint::Endpoint;
pub use fault::{Fault, Harm, Moment};
pub use record::{Answered, RecordedRequest};
pub use standin::{Options, Standin, StartError};
pub use time::{Clock, Time};
