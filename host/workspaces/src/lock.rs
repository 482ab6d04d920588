//! Mutual exclusion between threads and between processes.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use crate::cancel::Cancel;
use crate::error::WorkspaceError;

/// How long to wait between attempts at a lock that can be given up: short
/// beside anything done under it.
const RETRY: Duration = Duration::from_millis(10);

/// Holds an advisory lock on a file until dropped.
///
/// Each acquisition opens the file anew, so it excludes other threads of this
/// process just like other processes; the kernel frees it when a process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Waits for the lock. The file must be in a directory only the host
    /// writes to.
    pub(crate) fn acquire(path: &Path) -> Result<Self, WorkspaceError> {
        let file = open(path)?;
        file.lock().map_err(WorkspaceError::io("lock the file", path))?;
        Ok(Self { _file: file })
    }

    /// Like [`acquire`](Self::acquire), but gives up (`None`) when it is called
    /// off or the time has come.
    pub(crate) fn acquire_until(
        path: &Path,
        deadline: Instant,
        cancel: &Cancel,
    ) -> Result<Option<Self>, WorkspaceError> {
        let file = open(path)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(Self { _file: file })),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => {
                    return Err(WorkspaceError::io("lock the file", path)(error));
                }
            }
            if cancel.is_cancelled() || Instant::now() >= deadline {
                return Ok(None);
            }
            thread::sleep(RETRY);
        }
    }
}

fn open(path: &Path) -> Result<File, WorkspaceError> {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .map_err(WorkspaceError::io("open the lock file", path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn threads_of_one_process_exclude_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let inside = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let _lock = Lock::acquire(&path).unwrap();
                        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                        std::thread::yield_now();
                        inside.fetch_sub(1, Ordering::SeqCst);
                    }
                });
            }
        });
    }

    #[test]
    fn waiting_for_a_held_lock_ends_when_it_is_called_off_or_too_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let _held = Lock::acquire(&path).unwrap();
        let soon = Instant::now() + Duration::from_millis(30);
        assert!(Lock::acquire_until(&path, soon, &Cancel::new()).unwrap().is_none());
        let cancel = Cancel::new();
        cancel.cancel();
        let late = Instant::now() + Duration::from_mins(10);
        assert!(Lock::acquire_until(&path, late, &cancel).unwrap().is_none());
    }
}
