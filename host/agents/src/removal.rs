//! Deleting a folder that an agent has written to, and nothing else.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

#[cfg(target_os = "linux")]
use linux::enter;
#[cfg(target_os = "macos")]
use macos::enter;
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, chmodat, mkdirat, open, renameat, statat, unlinkat};
use rustix::io::Errno;

/// How deep folders are entered. Each level costs a descriptor and a frame of the stack,
/// of which an agent could use up any number.
const DEPTH: u32 = 32;

/// Deletes what an agent has written, a folder with all below it, after its end: such as
/// what it had for itself, [`crate::Walls::private`]. A link is deleted, not followed.
/// Should something be mounted in it, that is an error, and nothing of what is mounted is
/// deleted. No trouble if it is not there.
pub fn remove_tree(folder: &Path) -> io::Result<()> {
    let (Some(parent), Some(_)) = (folder.parent(), folder.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let name = folder.strip_prefix(parent).unwrap_or(folder);
    let name = CString::new(name.as_os_str().as_encoded_bytes())?;
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    match open(parent, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()) {
        Ok(parent) => remove(parent.as_fd(), &name),
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whatever has this name, with all below it.
fn remove(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let Some(top) = unlinked_or_opened(parent, name)? else { return Ok(()) };
    let mut clearing = Clearing { top: top.as_fd(), moved: 0 };
    loop {
        let before = clearing.moved;
        clearing.clear(enter(parent, name)?, 1)?;
        if clearing.moved == before {
            return Ok(unlinkat(parent, name, AtFlags::REMOVEDIR)?);
        }
    }
}

/// Empties a folder.
struct Clearing<'a> {
    top: BorrowedFd<'a>,
    /// How many names were tried for folders that were moved to the top.
    moved: u64,
}

impl Clearing<'_> {
    /// Deletes all that is in a folder at this depth; what is too deep is at the top
    /// afterwards, with all below it.
    fn clear(&mut self, folder: OwnedFd, depth: u32) -> io::Result<()> {
        let mut entries = Dir::new(folder)?;
        while let Some(entry) = entries.read() {
            let entry = entry?;
            let name = entry.file_name();
            if [c".", c".."].contains(&name) {
                continue;
            }
            let folder = entries.fd()?;
            match unlinked_or_opened(folder, name)? {
                Some(inside) if depth < DEPTH => {
                    self.clear(inside, depth + 1)?;
                    unlinkat(folder, name, AtFlags::REMOVEDIR)?;
                }
                Some(_) => self.move_to_the_top(folder, name)?,
                None => {}
            }
        }
        Ok(())
    }

    /// Under a name that is free there: a new, empty folder, which it takes the place of.
    fn move_to_the_top(&mut self, parent: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
        loop {
            self.moved += 1;
            let free = CString::new(format!("deep-{}", self.moved))?;
            match mkdirat(self.top, &free, Mode::RWXU) {
                Err(Errno::EXIST) => {}
                made => return Ok(made.and_then(|()| renameat(parent, name, self.top, &free))?),
            }
        }
    }
}

/// Deletes what has this name, or opens it if it is a folder. `None` once it is gone.
fn unlinked_or_opened(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<Option<OwnedFd>> {
    let seen = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(None),
        seen => seen?,
    };
    if FileType::from_raw_mode(seen.st_mode).is_dir() {
        return opened_up(parent, name, Mode::from_raw_mode(seen.st_mode)).map(Some);
    }
    unlinkat(parent, name, AtFlags::empty())?;
    Ok(None)
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

    use rustix::fs::symlinkat;

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
        remove_tree(&path("private")).unwrap();
        assert!(!path("private").exists());
        assert_eq!(fs::read_to_string(path("outside/folder/file")).unwrap(), "intact");

        symlink("outside", path("private")).unwrap();
        remove_tree(&path("private")).unwrap();
        assert!(path("outside/folder/file").exists() && !path("private").is_symlink());
        remove_tree(&path("private")).unwrap();
    }

    #[test]
    fn folders_that_nobody_may_change_are_deleted_too() {
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join("private/cache");
        fs::create_dir_all(&cache).unwrap();
        fs::write(cache.join("package"), "").unwrap();
        fs::set_permissions(&cache, fs::Permissions::from_mode(0o500)).unwrap();
        remove_tree(&home.path().join("private")).unwrap();
        assert!(!home.path().join("private").exists());
    }

    /// So many in one another. No path leads there, so they are made from within.
    fn make_deep(top: &Path, count: u32) -> OwnedFd {
        fs::create_dir_all(top).unwrap();
        let mut at = open(top, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        for _ in 0..count {
            mkdirat(&at, c"deep-1", Mode::RWXU).unwrap();
            at = enter(at.as_fd(), c"deep-1").unwrap();
        }
        at
    }

    /// Enough for this, and not for a frame per folder.
    const STACK: usize = 256 * 1024;

    #[test]
    fn folders_deeper_than_the_stack_or_descriptors_reach_are_deleted_too() {
        // Some disks take milliseconds for each folder; memory does not.
        let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let path = |below: &str| home.path().join(below);
        fs::create_dir(path("outside")).unwrap();
        fs::write(path("outside/file"), "intact").unwrap();
        let bottom = make_deep(&path("private/tmp"), 4_000);
        symlinkat(path("outside"), &bottom, c"link").unwrap();
        mkdirat(&bottom, c"closed", Mode::RUSR).unwrap();
        let private = path("private");
        let thread = std::thread::Builder::new().stack_size(STACK);
        thread.spawn(move || remove_tree(&private)).unwrap().join().unwrap().unwrap();
        assert!(!path("private").exists());
        assert_eq!(fs::read_to_string(path("outside/file")).unwrap(), "intact");
    }

    #[test]
    fn at_the_depth_and_one_below_it_everything_is_deleted() {
        for count in [DEPTH - 1, DEPTH, DEPTH + 1] {
            let home = tempfile::tempdir().unwrap();
            let private = home.path().join("private");
            drop(make_deep(&private, count));
            fs::write(private.join("deep-2"), "taken").unwrap();
            remove_tree(&private).unwrap();
            assert!(!private.exists(), "{count}");
        }
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
