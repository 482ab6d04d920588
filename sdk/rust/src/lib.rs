//! What authors of Hostler plugins use.
//!
//! A plugin is a WebAssembly component that imports nothing: it answers each
//! call with values, among them *effects* it would like the host to carry out.
//! This crate hides that shape. A tracker is written as straight-line `async`
//! code that awaits HTTP requests, files and time; the crate parks it between
//! the steps. A provider is written as a struct that reads lines.
//!
//! It never does I/O, never reads a clock or the environment, and works the same
//! in a component and in `cargo test`, where [`testing`] plays the host.
//!
//! Main types: [`Tracker`] with [`Context`] and [`tracker!`](crate::tracker!);
//! [`Provider`] with [`Session`] and [`provider!`](crate::provider!);
//! [`Problem`] and [`Reason`] for everything that goes wrong.

// The generated bindings name this crate from outside and from inside alike.
extern crate self as hostler_sdk;

pub mod bindings;
mod config;
mod connection;
mod context;
mod export;
pub mod files;
pub mod http;
pub mod json;
mod problem;
pub mod provider;
mod reason;
mod steps;
pub mod testing;
pub mod text;
pub mod time;
pub mod tracker;

#[doc(hidden)]
pub use wit_bindgen;

pub use bindings::tracker::hostler::plugin::types::{
    Event, Finished, Instant, LogLine, Milliseconds, Outcome, Permission, Problem, Quota, Section,
    SessionInfo, ToolUse, Usage,
};
pub use config::Config;
pub use context::Context;
pub use provider::{Provider, Session};
pub use reason::Reason;
pub use tracker::Tracker;
