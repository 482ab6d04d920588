//! HTTP requests of plugins: admitted (pure), then sent.

mod admit;
mod answer;
mod failure;
mod headers;
mod scrub;
mod send;

pub(crate) use admit::{Admitted, admit};
pub(crate) use failure::too_slow;
pub(crate) use scrub::Scrubber;
pub(crate) use send::Sender;
