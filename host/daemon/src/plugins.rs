//! Plugins: found, granted, kept by content, asked.

pub(crate) mod admission;
pub(crate) mod builds;
pub mod effective;
pub mod grants;
mod installed;
pub(crate) mod judgement;
pub mod keys;
pub mod permit;
pub mod providers;
pub mod store;
pub mod trial;
pub mod vouching;

pub use installed::*;
