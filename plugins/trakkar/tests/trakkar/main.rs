//! The plugin against a server that it is told everything about: each test is a
//! conversation, and what must be true of it.

#![allow(clippy::unwrap_used)]

mod claiming;
mod fake_trakkar;
mod follow_up;
mod keeping;
mod rehearsal;
mod reporting;
mod stage;
mod troubles;
