//! An agent's way out, over real sockets on the loopback interface.

#![allow(clippy::unwrap_used)]

mod limits;
mod models;
#[path = "../broker/names.rs"]
mod names;
mod plain;
mod proxied;
mod stage;
mod strict;
#[path = "../tls/mod.rs"]
mod tls;
mod tunnels;
mod walk;
