//! A place beside the repository's objects for those that are still arriving.
//!
//! A fetch that is ended leaves half a pack where it wrote; only what arrived
//! whole and was checked moves into the repository's own store.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::WorkspaceError;
use crate::files::{self, ensure_real_dir, occupied};

/// `git prune` knows the beginning of the name and removes what a crash left.
const PREFIX: &str = "tmp_objdir-hostler-";

/// An object store of short life; gone when dropped. One of a name at a time per
/// repository: the caller holds the lock for it.
#[derive(Debug)]
pub(crate) struct Incoming {
    path: PathBuf,
    store: PathBuf,
}

impl Incoming {
    /// Makes an empty one that sees the objects of `store`.
    pub(crate) fn begin(store: &Path, name: &str) -> Result<Self, WorkspaceError> {
        let path = store.join(format!("{PREFIX}{name}"));
        if files::is_real_dir(&path) {
            fs::remove_dir_all(&path).map_err(WorkspaceError::io("delete", &path))?;
        }
        ensure_real_dir(&path)?;
        let incoming = Self { path, store: store.to_owned() };
        for folder in ["info", "pack"] {
            ensure_real_dir(&incoming.path.join(folder))?;
        }
        let mut alternates = store.as_os_str().as_encoded_bytes().to_vec();
        alternates.push(b'\n');
        files::replace(&incoming.path.join("info/alternates"), &alternates)?;
        Ok(incoming)
    }

    /// Where git is told to store objects.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Moves what arrived into the store.
    pub(crate) fn accept(self) -> Result<(), WorkspaceError> {
        for folder in entries(&self.path)? {
            let is_loose = folder.file_name().is_some_and(|name| name.len() == 2);
            if !is_loose && !folder.ends_with("pack") {
                continue;
            }
            let target = self.store.join(folder.file_name().unwrap_or_default());
            ensure_real_dir(&target)?;
            let mut arrived = entries(&folder)?;
            // With its index a pack becomes visible, so the index comes last.
            arrived.sort_by_key(|file| file.extension().is_some_and(|kind| kind == "idx"));
            for file in arrived {
                let target = target.join(file.file_name().unwrap_or_default());
                if !occupied(&target) {
                    fs::rename(&file, &target).map_err(WorkspaceError::io("move to", target))?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.path) {
            tracing::warn!(path = %self.path.display(), %error, "not deleted; the next one of its name tries again");
        }
    }
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, WorkspaceError> {
    let list = || -> std::io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect()
    };
    list().map_err(WorkspaceError::io("list", folder))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_accepted_moves_and_what_is_not_goes() {
        let store = tempfile::tempdir().unwrap();
        for accepted in [false, true] {
            let incoming = Incoming::begin(store.path(), "x").unwrap();
            fs::create_dir(incoming.path().join("ab")).unwrap();
            for name in ["ab/cdef", "pack/pack-1.idx", "pack/pack-1.pack"] {
                fs::write(incoming.path().join(name), "x").unwrap();
            }
            if accepted {
                incoming.accept().unwrap();
            } else {
                drop(incoming);
            }
            for name in ["ab/cdef", "pack/pack-1.idx", "pack/pack-1.pack"] {
                assert_eq!(store.path().join(name).exists(), accepted, "{name}");
            }
            assert!(!store.path().join("tmp_objdir-hostler-x").exists());
        }
    }

    #[test]
    fn a_link_in_its_place_is_refused_and_not_followed() {
        let (store, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let link = store.path().join("tmp_objdir-hostler-x");
        std::os::unix::fs::symlink(other.path(), &link).unwrap();
        assert!(matches!(Incoming::begin(store.path(), "x"), Err(WorkspaceError::UnsafePath { .. })));
        assert!(link.is_symlink());
        assert_eq!(fs::read_dir(other.path()).unwrap().count(), 0);
    }
}
