//! The gate against real servers on the loopback interface and real directories.

#![allow(clippy::unwrap_used)]

mod addresses;
mod answers;
mod certificates;
mod changes;
mod denial_table;
mod denials;
mod escapes;
mod failures;
mod files;
mod granted;
mod grants;
mod names;
mod observing;
mod proxies;
mod secrets;
mod server;
mod swaps;
#[path = "../tls/mod.rs"]
mod tls;
mod traffic;
