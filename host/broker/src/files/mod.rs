//! Work on files below the granted directories.

mod directory;
mod fault;
mod lock;
mod path;
mod read;
mod tag;
mod write;

pub(crate) use directory::Directories;
