//! A stand-in for a GitHub-shaped forge: bare repositories over smart HTTP
//! (by `git http-backend`), the pull-request part of the REST interface, and a
//! `gh` that answers from the same state. For tests, on the loopback interface.
//!
//! It never leaves the machine and keeps nothing but the bare repositories in
//! the folder it is given. The server is plain sockets on threads: cutting a
//! line in the middle is part of its work, and frameworks hide the line.
//!
//! - [`Forge`]: a running server, and everything a test does to it.
//! - [`PullRequest`]: what clients have opened.
//! - [`Fault`]: what goes wrong on purpose.
//! - [`Call`]: what a client sent and what it was answered.

mod api;
mod fault;
mod forge;
mod gh;
mod git_backend;
mod http;
mod pulls;
mod server;

pub use fault::{Fault, Harm, Part};
pub use forge::Forge;
pub use pulls::{OPENED_BY, PullRequest, Pulls};
pub use server::Call;
