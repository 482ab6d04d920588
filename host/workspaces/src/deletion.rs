//! Deleting a folder that an agent has written to, whatever it made of it.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

#[cfg(target_os = "linux")]
use linux::is_mounted;
#[cfg(target_os = "macos")]
use macos::is_mounted;

/// How many folders may lie in one another when they are deleted: each takes a descriptor
/// and a frame of the stack, of which an agent could use up any number. So many of the
/// longest names still fit into a path.
const DEPTH: usize = 8;

/// The rights that the owner of a folder needs to empty it.
const EVERYTHING: u32 = 0o700;

/// Deletes a folder with all below it. Links are not followed; folders that an agent
/// closed are opened first. Should something be mounted in it, which nobody has looked
/// at, that is an error, and nothing is deleted.
pub(crate) fn delete_tree(top: &Path) -> io::Result<()> {
    flatten(top, is_mounted)?;
    fs::remove_dir_all(top)
}

/// Brings what lies deeper than [`DEPTH`] up into the top, with all below it, until
/// nothing does. What somebody else has deleted meanwhile is no trouble.
fn flatten(top: &Path, is_mounted: fn(&Path) -> io::Result<bool>) -> io::Result<()> {
    let mut names = 0_u64;
    let mut open = vec![(top.to_owned(), 1)];
    while let Some((folder, depth)) = open.pop() {
        if folder != top && unless_gone(is_mounted(&folder))? == Some(true) {
            let why = format!("something is mounted at `{}`; unmount it", folder.display());
            return Err(io::Error::new(ErrorKind::CrossesDevices, why));
        }
        let Some(entries) = unless_gone(entries(&folder))? else { continue };
        for entry in entries {
            let entry = entry?;
            match entry.file_type()?.is_dir() {
                true if depth < DEPTH => open.push((entry.path(), depth + 1)),
                true => {
                    let brought = unless_gone(bring_up(&entry.path(), top, &mut names))?;
                    open.extend(brought.map(|folder| (folder, 2)));
                }
                false => {}
            }
        }
    }
    Ok(())
}

fn entries(folder: &Path) -> io::Result<fs::ReadDir> {
    open_up(folder)?;
    fs::read_dir(folder)
}

fn unless_gone<T>(done: io::Result<T>) -> io::Result<Option<T>> {
    match done {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        done => done.map(Some),
    }
}

/// Moves a folder into the top, under the next name that is free there: that of a new,
/// empty folder, which it takes the place of.
fn bring_up(folder: &Path, top: &Path, names: &mut u64) -> io::Result<PathBuf> {
    // Who moves a folder writes to it, too.
    open_up(folder)?;
    loop {
        *names += 1;
        let free = top.join(format!("deep-{names}"));
        match fs::create_dir(&free) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            made => return made.and_then(|()| fs::rename(folder, &free)).map(|()| free),
        }
    }
}

fn open_up(folder: &Path) -> io::Result<()> {
    if fs::symlink_metadata(folder)?.permissions().mode() & EVERYTHING == EVERYTHING {
        return Ok(());
    }
    fs::set_permissions(folder, fs::Permissions::from_mode(EVERYTHING))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::fd::OwnedFd;
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat, symlinkat};

    use super::*;

    /// So many in one another. No path leads there, so they are made from within.
    fn make_deep(top: &Path, count: usize) -> OwnedFd {
        fs::create_dir_all(top).unwrap();
        let enter = |at, name: &Path| openat(at, name, OFlags::DIRECTORY, Mode::empty()).unwrap();
        let mut at = enter(CWD, top);
        for _ in 0..count {
            mkdirat(&at, "deep-1", Mode::RWXU).unwrap();
            at = openat(&at, "deep-1", OFlags::DIRECTORY, Mode::empty()).unwrap();
        }
        at
    }

    /// Enough for this, and not for a frame per folder.
    const STACK: usize = 256 * 1024;

    #[test]
    fn folders_deeper_than_the_stack_or_a_path_reaches_are_deleted_too() {
        // Some disks take milliseconds for each folder; memory does not.
        let home = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let path = |below: &str| home.path().join(below);
        fs::create_dir(path("outside")).unwrap();
        fs::write(path("outside/file"), "intact").unwrap();
        let bottom = make_deep(&path("trash/work"), 4_000);
        symlinkat(path("outside"), &bottom, "link").unwrap();
        mkdirat(&bottom, "closed", Mode::RUSR).unwrap();
        let trash = path("trash");
        let thread = std::thread::Builder::new().stack_size(STACK);
        thread.spawn(move || delete_tree(&trash)).unwrap().join().unwrap().unwrap();
        assert!(!path("trash").exists());
        assert_eq!(fs::read_to_string(path("outside/file")).unwrap(), "intact");
    }

    #[test]
    fn at_the_depth_and_one_below_it_everything_is_deleted() {
        let longest = "n".repeat(255);
        for count in [DEPTH - 1, DEPTH, DEPTH + 1] {
            let home = tempfile::tempdir().unwrap();
            let top = home.path().join("trash");
            drop(make_deep(&top, count));
            fs::write(top.join("deep-2"), "taken").unwrap();
            fs::create_dir_all((0..DEPTH).fold(top.clone(), |path, _| path.join(&longest))).unwrap();
            delete_tree(&top).unwrap();
            assert!(!top.exists(), "{count}");
        }
    }

    #[test]
    fn where_something_is_mounted_nothing_is_deleted() {
        let home = tempfile::tempdir().unwrap();
        let top = home.path().join("trash");
        fs::create_dir_all(top.join("work/data")).unwrap();
        fs::write(top.join("work/file"), "").unwrap();
        let refused = flatten(&top, |folder| Ok(folder.ends_with("work/data"))).unwrap_err().to_string();
        assert!(refused.contains("trash/work/data`; unmount it"), "{refused}");
        assert!(top.join("work/file").exists());
        flatten(&top, |folder| Ok(folder.ends_with("trash"))).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_is_mounted_is_told_from_what_is_not() {
        let home = tempfile::tempdir().unwrap();
        assert!(is_mounted(Path::new("/proc")).unwrap());
        assert!(!is_mounted(home.path()).unwrap());
        assert!(is_mounted(&home.path().join("nothing")).is_err());
    }

    #[test]
    fn closed_folders_are_deleted_and_what_links_lead_to_is_not() {
        let home = tempfile::tempdir().unwrap();
        let path = |below: &str| home.path().join(below);
        fs::create_dir_all(path("outside/folder")).unwrap();
        fs::create_dir_all(path("trash/closed/inside")).unwrap();
        fs::write(path("trash/closed/inside/file"), "").unwrap();
        symlink(path("outside"), path("trash/closed/link")).unwrap();
        for closed in ["trash/closed/inside", "trash/closed"] {
            fs::set_permissions(path(closed), fs::Permissions::from_mode(0o000)).unwrap();
        }
        delete_tree(&path("trash")).unwrap();
        assert!(!path("trash").exists() && path("outside/folder").exists());
    }
}
