//! Fetching and landing, against real git and a stand-in for a forge.
#![allow(clippy::unwrap_used)]

mod commit;
mod fetch;
mod hostile;
mod look;
mod merge;
mod pull_request;
mod push;
mod put_away;
#[path = "../scene/mod.rs"]
#[allow(dead_code)]
mod scene;
mod stage;
