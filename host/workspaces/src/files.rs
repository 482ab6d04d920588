//! File operations that keep two promises: no link is followed where a
//! directory of the host's should be, and a file is either old or new.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::error::WorkspaceError;

/// True if something is at `path`, even a dangling link.
pub(crate) fn occupied(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

/// True if `path` itself is a directory, not a link to one.
pub(crate) fn is_real_dir(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|data| data.is_dir())
}

/// Whether every folder between `top` and the file is a folder and not a link: an
/// agent can write there, and a link would lead to the files of somebody else.
pub(crate) fn reached_without_links(file: &Path, top: &Path) -> bool {
    let folders = file.ancestors().skip(1).take_while(|folder| *folder != top);
    file.starts_with(top) && folders.into_iter().all(is_real_dir)
}

/// Makes the directory if it is missing; refuses a link or a file there.
/// The parent must exist.
pub(crate) fn ensure_real_dir(path: &Path) -> Result<(), WorkspaceError> {
    match fs::create_dir(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            if is_real_dir(path) {
                Ok(())
            } else {
                Err(WorkspaceError::UnsafePath { path: path.to_owned() })
            }
        }
        Err(error) => Err(WorkspaceError::io("create the directory", path)(error)),
    }
}

/// Replaces the file with `content` so that readers and crashes see the old
/// file or the new one, never a part; a link at `path` is replaced, not followed.
pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), WorkspaceError> {
    replace_with(path, content, 0o666)
}

/// Like [`replace`], for what only the operator may read.
pub(crate) fn replace_private(path: &Path, content: &[u8]) -> Result<(), WorkspaceError> {
    replace_with(path, content, 0o600)
}

fn replace_with(path: &Path, content: &[u8], mode: u32) -> Result<(), WorkspaceError> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".hostler-new");
    let fresh = path.with_file_name(name);
    let write = || -> std::io::Result<()> {
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::options().write(true).create_new(true).mode(mode).open(&fresh)?;
        file.write_all(content)?;
        move_durably(&fresh, path)
    };
    write().map_err(WorkspaceError::io("write", path))
}

/// Moves a file to its place, where it stands whole or not at all, also after a power
/// cut: what git writes may still be on its way to the disk.
pub(crate) fn move_durably(from: &Path, to: &Path) -> std::io::Result<()> {
    File::open(from)?.sync_all()?;
    fs::rename(from, to)?;
    match to.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Copies an index file together with its modification time.
///
/// Git compares that time with those of the files to know which of them may have
/// changed unnoticed: most builds of git look at whole seconds only, so an edit of
/// the same length within the second of the checkout is told by nothing else. A
/// later time would hide it.
pub(crate) fn copy_index(from: &Path, to: &Path) -> Result<(), WorkspaceError> {
    let copy = || -> std::io::Result<()> {
        let content = fs::read(from)?;
        let modified = fs::metadata(from)?.modified()?;
        match fs::remove_file(to) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::create_new(to)?;
        file.write_all(&content)?;
        file.set_modified(modified)
    };
    copy().map_err(WorkspaceError::io("copy the index to", to))
}

/// Gives an index that a git command has rewritten the time of the one it came from,
/// for the same reason as [`copy_index`]: git itself looks for files that may have
/// changed unnoticed only where it runs inside the worktree.
pub(crate) fn keep_index_time(from: &Path, rewritten: &Path) -> Result<(), WorkspaceError> {
    let keep = || {
        let modified = fs::metadata(from)?.modified()?;
        File::options().write(true).open(rewritten)?.set_modified(modified)
    };
    keep().map_err(WorkspaceError::io("keep the time of the index", rewritten))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_link_to_a_directory_is_not_a_real_directory() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        symlink(folder.path(), &link).unwrap();
        assert!(!is_real_dir(&link));
        assert!(occupied(&link));
        assert!(matches!(ensure_real_dir(&link), Err(WorkspaceError::UnsafePath { .. })));
    }

    #[test]
    fn replacing_a_link_leaves_what_it_points_at_alone() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("target");
        let link = folder.path().join("link");
        fs::write(&target, "mine").unwrap();
        symlink(&target, &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"mine");
        assert_eq!(fs::read(&link).unwrap(), b"new");
    }

    #[test]
    fn a_copied_index_keeps_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("a"), folder.path().join("b"));
        fs::write(&from, "index").unwrap();
        let past = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000);
        File::options().write(true).open(&from).unwrap().set_modified(past).unwrap();
        copy_index(&from, &to).unwrap();
        assert_eq!(fs::metadata(&to).unwrap().modified().unwrap(), past);
    }
}
