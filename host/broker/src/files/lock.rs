//! Keeps other gates, also of other hosts on this machine, from writing in the
//! same directory at the same time.

use std::fs::{File, TryLockError};
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use cap_std::fs::Dir;

/// Between two tries: short beside the write it waits for, long beside a try.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// An advisory lock on a directory. It lies on the directory itself, so that no
/// lock file is left among the user's files, and ends with the process.
#[derive(Debug)]
pub(super) struct DirectoryLock(File);

impl DirectoryLock {
    /// Takes the lock, or gives up with `TimedOut`: a stranger's lock must not
    /// hold a thread of ours for ever.
    pub(super) fn take(directory: &Dir, wait: Duration) -> io::Result<Self> {
        // Opened anew: a lock belongs to the open file, and `Dir`s share theirs.
        let file = directory.open(".")?.into_std();
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self(file)),
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if start.elapsed() >= wait => {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "another program holds its folder's lock",
                    ));
                }
                Err(TryLockError::WouldBlock) => sleep(TRY_AGAIN_AFTER),
            }
        }
    }

    /// Makes renames in the directory survive a power cut.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.0.sync_all()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use cap_std::ambient_authority;

    use super::*;

    #[test]
    fn a_second_lock_on_a_directory_waits_and_gives_up() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        let first = DirectoryLock::take(&open(), Duration::ZERO).unwrap();
        let refused = DirectoryLock::take(&open(), Duration::from_millis(20)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::TimedOut);
        drop(first);
        DirectoryLock::take(&open(), Duration::ZERO).unwrap();
    }
}
