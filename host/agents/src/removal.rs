//! Deleting a folder that an agent has written to, and nothing else.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

#[cfg(target_os = "linux")]
use linux::enter;
#[cfg(target_os = "macos")]
use macos::enter;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, chmodat, open, statat, unlinkat};
use rustix::io::Errno;

/// Deletes what an agent had for itself, [`crate::Walls::private`], after its end. A
/// link is deleted, not followed. Should something be mounted in it, that is an error,
/// and nothing of what is mounted is deleted. No trouble if it is not there.
pub fn remove_private(folder: &Path) -> io::Result<()> {
    let (Some(parent), Some(_)) = (folder.parent(), folder.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let name = folder.strip_prefix(parent).unwrap_or(folder);
    let name = std::ffi::CString::new(name.as_os_str().as_encoded_bytes())?;
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    match open(parent, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(parent) => remove(parent.as_fd(), &name),
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whatever has this name, with all below it.
fn remove(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let seen = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(()),
        seen => seen?,
    };
    if !FileType::from_raw_mode(seen.st_mode).is_dir() {
        return Ok(unlinkat(parent, name, AtFlags::empty())?);
    }
    let folder = opened_up(parent, name, Mode::from_raw_mode(seen.st_mode))?;
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        if ![c".", c".."].contains(&entry.file_name()) {
            remove(folder.as_fd(), entry.file_name())?;
        }
    }
    Ok(unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

/// Caches of packages are often read-only, against people who change them by hand.
fn opened_up(parent: BorrowedFd<'_>, name: &CStr, mode: Mode) -> io::Result<OwnedFd> {
    match enter(parent, name) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
        Ok(_) if !mode.contains(Mode::RWXU) => {}
        entered => return entered,
    }
    chmodat(parent, name, Mode::RWXU, AtFlags::empty())?;
    enter(parent, name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_link_is_deleted_and_what_it_leads_to_is_not() {
        let home = tempfile::tempdir().unwrap();
        let path = |below: &str| home.path().join(below);
        fs::create_dir_all(path("outside/folder")).unwrap();
        fs::write(path("outside/folder/file"), "intact").unwrap();
        fs::create_dir_all(path("private/tmp/deep")).unwrap();
        symlink(path("outside"), path("private/tmp/deep/link")).unwrap();
        symlink("../outside/folder/file", path("private/file")).unwrap();
        fs::hard_link(path("outside/folder/file"), path("private/hard")).unwrap();
        remove_private(&path("private")).unwrap();
        assert!(!path("private").exists());
        assert_eq!(fs::read_to_string(path("outside/folder/file")).unwrap(), "intact");

        symlink("outside", path("private")).unwrap();
        remove_private(&path("private")).unwrap();
        assert!(path("outside/folder/file").exists() && !path("private").is_symlink());
        remove_private(&path("private")).unwrap();
    }

    #[test]
    fn folders_that_nobody_may_change_are_deleted_too() {
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join("private/cache");
        fs::create_dir_all(&cache).unwrap();
        fs::write(cache.join("package"), "").unwrap();
        fs::set_permissions(&cache, fs::Permissions::from_mode(0o500)).unwrap();
        remove_private(&home.path().join("private")).unwrap();
        assert!(!home.path().join("private").exists());
    }

    /// Only looked into: nothing would be deleted by this if it failed.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_mounted_is_not_entered() {
        let root = open("/", OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let refused = enter(root.as_fd(), c"proc").unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EXDEV));
        assert!(enter(root.as_fd(), c"usr").is_ok());
    }
}
