//! The gate against real servers on the loopback interface and real directories.

#![allow(clippy::unwrap_used)]

mod answers;
mod denials;
mod escapes;
mod failures;
mod files;
mod granted;
mod grants;
mod secrets;
mod server;
mod swaps;
