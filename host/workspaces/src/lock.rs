//! Mutual exclusion between threads and between processes.

use std::fs::File;
use std::path::Path;

use crate::error::WorkspaceError;

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
        let file = File::options()
            .create(true)
            .append(true)
            .open(path)
            .map_err(WorkspaceError::io("open the lock file", path))?;
        file.lock().map_err(WorkspaceError::io("lock the file", path))?;
        Ok(Self { _file: file })
    }
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
}
