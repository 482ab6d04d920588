//! Control groups of version 2, in their file system.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use crate::process::ProcessId;

/// Writing `1` to this file of a group kills its members; kernels before 5.14
/// have none.
const KILL_FILE: &str = "cgroup.kill";

/// Lists the members; writing a number, or 0 for oneself, makes one.
const MEMBERS_FILE: &str = "cgroup.procs";

/// A group with its members.
#[derive(Debug)]
pub(crate) struct ControlGroup(PathBuf);

impl ControlGroup {
    /// A new group below this process's own; `None` where that is not delegated
    /// to us, or cannot kill.
    pub(crate) fn make(shim: &ProcessId) -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let path = own_folder(&mounts, &own)?.join(name(shim));
        // A group of this name is left of a shim that was killed; one that still
        // has members cannot be removed.
        let _ = fs::remove_dir(&path);
        fs::create_dir(&path).ok()?;
        let group = Self(path);
        if group.entrance().is_ok() && group.0.join(KILL_FILE).exists() && may_leave(&group.0) {
            return Some(group);
        }
        group.remove();
        None
    }

    /// The group that a record names, if it still exists and is that shim's.
    pub(crate) fn find(path: &Path, shim: &ProcessId) -> Option<Self> {
        let is_its = path.file_name().is_some_and(|found| *found == *name(shim));
        (is_its && path.join(KILL_FILE).exists()).then(|| Self(path.to_owned()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// A process that writes `0` here is a member, like all it starts.
    pub(crate) fn entrance(&self) -> io::Result<File> {
        OpenOptions::new().write(true).open(self.0.join(MEMBERS_FILE))
    }

    /// Kills every member at once.
    pub(crate) fn kill(&self) {
        // Whoever is left is found among the members.
        let _ = fs::write(self.0.join(KILL_FILE), "1");
    }

    /// The members' numbers; those that have ended are none.
    pub(crate) fn members(&self) -> Vec<i32> {
        let members = fs::read_to_string(self.0.join(MEMBERS_FILE)).unwrap_or_default();
        members.lines().filter_map(|number| number.parse().ok()).collect()
    }

    /// Removes the group, which has no member any more.
    pub(crate) fn remove(self) {
        // An empty group that stays costs the kernel a few hundred bytes.
        let _ = fs::remove_dir(self.0);
    }
}

/// The name of the group of a shim's agent: no two live shims have one number.
fn name(shim: &ProcessId) -> String {
    format!("hostler-{}", shim.pid)
}

/// The kernel lets a process into a group only if we may write to the groups
/// above both, up to the common one.
fn may_leave(group: &Path) -> bool {
    group.parent().is_some_and(|parent| {
        rustix::fs::access(parent.join(MEMBERS_FILE), rustix::fs::Access::WRITE_OK).is_ok()
    })
}

/// Where this process's own group is, from `mountinfo` and `cgroup` of `/proc/self`.
fn own_folder(mounts: &str, own: &str) -> Option<PathBuf> {
    let own = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        if kind.split(' ').next()? != "cgroup2" {
            return None;
        }
        let mut fields = mount.split(' ').skip(3);
        let (root, point) = (fields.next()?, fields.next()?);
        let below = Path::new(own).strip_prefix(root).ok()?;
        Some(Path::new(point).join(below))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const MOUNTS: &str = "24 1 0:22 / /proc rw - proc proc rw\n\
        30 24 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n";

    #[test]
    fn the_own_group_is_found_below_the_mount() {
        let own = "1:cpu:/other\n0::/user.slice/app.scope\n";
        let expected = PathBuf::from("/sys/fs/cgroup/user.slice/app.scope");
        assert_eq!(own_folder(MOUNTS, own), Some(expected));
        assert_eq!(own_folder(MOUNTS, "1:cpu:/other\n"), None);
        assert_eq!(own_folder("24 1 0:22 / /proc rw - proc proc rw\n", own), None);
    }

    #[test]
    fn a_group_outside_of_the_mounted_part_is_not_ours() {
        let mounts = "30 24 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
        assert_eq!(own_folder(mounts, "0::/elsewhere"), None);
        assert_eq!(own_folder(mounts, "0::/docker/abc/x"), Some("/sys/fs/cgroup/x".into()));
    }

    #[test]
    fn a_record_that_names_another_group_finds_none() {
        let home = tempfile::tempdir().unwrap();
        let shim = ProcessId { pid: 7, started: "boot/1".into() };
        for (folder, found) in [("hostler-7", true), ("hostler-77", false), ("system.slice", false)] {
            let path = home.path().join(folder);
            fs::create_dir(&path).unwrap();
            fs::write(path.join(KILL_FILE), "").unwrap();
            assert_eq!(ControlGroup::find(&path, &shim).is_some(), found, "{folder}");
        }
    }
}
