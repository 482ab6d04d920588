//! HTTP requests of plugins: admitted (pure), then sent.

mod admit;
mod answer;
mod clients;
mod failure;
mod headers;
mod memory;
mod scrub;
mod send;

pub(crate) use admit::{Admitted, admit};
pub(crate) use clients::{certificates, client};
pub(crate) use failure::{causes, problem, too_slow};
pub use memory::{REMEMBERED, REMEMBERED_BYTES};
pub(crate) use scrub::Scrubber;
pub(crate) use send::{Bounds, Sender};
