//! Reading a folder in which an agent could have put anything.
//!
//! Every name is opened from the folder that is held open and never through a
//! link; what turns out to be something else than expected is an error that
//! says so. A FIFO or device is not waited for.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Dir, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;

/// Why something of an agent's is not read.
#[derive(Debug, thiserror::Error)]
pub enum UntrustedError {
    /// Something else is there.
    #[error("{path} is not {wanted}")]
    Other {
        /// What was looked at.
        path: PathBuf,
        /// What it would have to be.
        wanted: &'static str,
    },
    /// A file is longer than such a file can be.
    #[error("{path} is larger than {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit: u64,
    },
    /// A folder holds more than is looked at.
    #[error("{path} holds more than {limit} entries")]
    TooMany {
        /// The folder.
        path: PathBuf,
        /// The most that is looked at.
        limit: usize,
    },
    /// The file system refused.
    #[error("{path} cannot be read ({source})")]
    Unreadable {
        /// What was looked at.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// A folder that is held open: whatever happens to its path, it stays the same.
#[derive(Debug)]
pub(crate) struct UntrustedFolder {
    handle: OwnedFd,
    path: PathBuf,
}

impl UntrustedFolder {
    /// Opens a folder of the host's own naming, which is no link itself.
    pub(crate) fn open(path: &Path) -> Result<Self, UntrustedError> {
        open_folder(CWD, path.as_os_str(), path)?.ok_or_else(|| other(path, "a folder"))
    }

    /// Where it was when it was opened; for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in it; `None` if there is nothing of that name.
    pub(crate) fn folder(&self, name: &OsStr) -> Result<Option<Self>, UntrustedError> {
        open_folder(&self.handle, name, &self.path.join(name))
    }

    /// A regular file in it; `None` if there is nothing of that name.
    pub(crate) fn file(&self, name: &OsStr) -> Result<Option<File>, UntrustedError> {
        let path = self.path.join(name);
        // Without NONBLOCK opening a FIFO would wait for somebody to write to it.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let handle = match openat(&self.handle, name, flags, Mode::empty()) {
            Ok(handle) => handle,
            Err(Errno::NOENT) => return Ok(None),
            // What NOFOLLOW says of a link, and opening of a socket.
            Err(Errno::LOOP | Errno::NXIO) => return Err(other(&path, "a regular file")),
            Err(error) => return Err(unreadable(&path, error)),
        };
        let found = fstat(&handle).map_err(|error| unreadable(&path, error))?;
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            return Err(other(&path, "a regular file"));
        }
        Ok(Some(File::from(handle)))
    }

    /// The content of a regular file of at most `limit` bytes; `None` if there is none.
    pub(crate) fn content(&self, name: &OsStr, limit: u64) -> Result<Option<Vec<u8>>, UntrustedError> {
        let Some(file) = self.file(name)? else { return Ok(None) };
        let path = self.path.join(name);
        let mut content = Vec::new();
        file.take(limit.saturating_add(1))
            .read_to_end(&mut content)
            .map_err(|source| UntrustedError::Unreadable { path: path.clone(), source })?;
        if u64::try_from(content.len()).is_ok_and(|length| length <= limit) {
            return Ok(Some(content));
        }
        Err(UntrustedError::TooLarge { path, limit })
    }

    /// The names of what is in it, sorted; at most `limit`.
    pub(crate) fn names(&self, limit: usize) -> Result<Vec<OsString>, UntrustedError> {
        let failed = |error| unreadable(&self.path, error);
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.handle).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if names.len() == limit {
                return Err(UntrustedError::TooMany { path: self.path.clone(), limit });
            }
            names.push(OsStr::from_bytes(name).to_owned());
        }
        names.sort();
        Ok(names)
    }

    /// Whether a name in it is a folder and no link to one.
    pub(crate) fn is_folder(&self, name: &OsStr) -> bool {
        matches!(self.folder(name), Ok(Some(_)))
    }
}

fn open_folder(
    from: impl std::os::fd::AsFd,
    name: &OsStr,
    path: &Path,
) -> Result<Option<UntrustedFolder>, UntrustedError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match openat(from, name, flags, Mode::empty()) {
        Ok(handle) => Ok(Some(UntrustedFolder { handle, path: path.to_owned() })),
        Err(Errno::NOENT) => Ok(None),
        Err(Errno::NOTDIR | Errno::LOOP) => Err(other(path, "a folder")),
        Err(error) => Err(unreadable(path, error)),
    }
}

fn other(path: &Path, wanted: &'static str) -> UntrustedError {
    UntrustedError::Other { path: path.to_owned(), wanted }
}

fn unreadable(path: &Path, error: Errno) -> UntrustedError {
    UntrustedError::Unreadable { path: path.to_owned(), source: error.into() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    fn name(text: &str) -> &OsStr {
        OsStr::new(text)
    }

    #[test]
    fn links_fifos_and_folders_are_no_files_and_links_are_no_folders() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("file"), "x").unwrap();
        fs::create_dir(place.path().join("folder")).unwrap();
        symlink("file", place.path().join("to-file")).unwrap();
        symlink("folder", place.path().join("to-folder")).unwrap();
        assert!(Command::new("mkfifo").arg(place.path().join("fifo")).status().unwrap().success());
        let folder = UntrustedFolder::open(place.path()).unwrap();
        assert_eq!(folder.content(name("file"), 9).unwrap().unwrap(), b"x");
        assert!(folder.file(name("none")).unwrap().is_none());
        assert!(folder.folder(name("none")).unwrap().is_none());
        for odd in ["folder", "to-file", "to-folder", "fifo"] {
            assert!(matches!(folder.file(name(odd)), Err(UntrustedError::Other { .. })), "{odd}");
        }
        for odd in ["file", "to-file", "to-folder", "fifo"] {
            assert!(matches!(folder.folder(name(odd)), Err(UntrustedError::Other { .. })), "{odd}");
        }
        assert!(folder.is_folder(name("folder")) && !folder.is_folder(name("to-folder")));
        let through = UntrustedFolder::open(&place.path().join("to-folder"));
        assert!(matches!(through, Err(UntrustedError::Other { .. })));
    }

    #[test]
    fn a_file_at_the_limit_is_read_and_one_byte_more_is_not() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("file"), "12345678").unwrap();
        let folder = UntrustedFolder::open(place.path()).unwrap();
        assert_eq!(folder.content(name("file"), 8).unwrap().unwrap(), b"12345678");
        assert!(matches!(folder.content(name("file"), 7), Err(UntrustedError::TooLarge { limit: 7, .. })));
    }

    #[test]
    fn a_folder_at_the_limit_is_listed_and_one_entry_more_is_not() {
        let place = tempfile::tempdir().unwrap();
        for file in ["b", "a"] {
            fs::write(place.path().join(file), "").unwrap();
        }
        let folder = UntrustedFolder::open(place.path()).unwrap();
        assert_eq!(folder.names(2).unwrap(), ["a", "b"]);
        assert!(matches!(folder.names(1), Err(UntrustedError::TooMany { limit: 1, .. })));
    }

    #[test]
    fn a_folder_stays_the_same_when_its_path_is_given_to_another() {
        let place = tempfile::tempdir().unwrap();
        let (own, moved) = (place.path().join("own"), place.path().join("moved"));
        fs::create_dir(&own).unwrap();
        fs::write(own.join("file"), "mine").unwrap();
        let folder = UntrustedFolder::open(&own).unwrap();
        fs::rename(&own, moved).unwrap();
        fs::create_dir(&own).unwrap();
        fs::write(own.join("file"), "theirs").unwrap();
        assert_eq!(folder.content(name("file"), 9).unwrap().unwrap(), b"mine");
    }
}
