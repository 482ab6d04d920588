//! Plugins of all kinds, from the well-behaved to the hostile, against the real
//! runtime.

#![allow(clippy::unwrap_used)]

mod answers;
mod bombs;
mod cache;
mod guest;
mod guests;
mod hostile;
mod refused;
