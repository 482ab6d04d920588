//! Plugins: found, granted, kept by content, asked.

pub(crate) mod admission;
pub(crate) mod builds;
pub mod consent;
pub mod effective;
pub mod grants;
pub mod install_folder;
pub mod install_state;
mod installed;
pub mod installing;
pub(crate) mod judgement;
pub mod keys;
pub mod lockfile;
pub mod permit;
pub mod providers;
pub mod proving;
pub mod store;
pub mod trial;
mod update;
pub mod vouching;

pub use installed::*;
