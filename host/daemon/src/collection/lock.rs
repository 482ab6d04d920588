//! Keeps a worktree from being removed in the moment in which a new run takes it up.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use crate::home::Home;

/// Held together by runs that take up earlier worktrees, or alone by what removes one.
/// The system lets go of it when the process ends.
pub struct CollectionLock {
    _file: File,
}

impl CollectionLock {
    /// Waits until nothing is being removed.
    pub fn to_take_up(home: &Home) -> io::Result<Self> {
        let file = open(home)?;
        file.lock_shared()?;
        Ok(Self { _file: file })
    }

    /// Waits until no run is taking up a worktree.
    pub fn to_remove(home: &Home) -> io::Result<Self> {
        let file = open(home)?;
        file.lock()?;
        Ok(Self { _file: file })
    }
}

fn open(home: &Home) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(home.state.join("collection.lock"))
}
