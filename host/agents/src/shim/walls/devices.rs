//! A `/dev` with nothing in it that reaches the machine: the user's disks,
//! terminals and memory are devices too.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, symlink};
use std::path::Path;

use super::mounts::{NO_DEVICES, NO_PROGRAMS, NO_SUID, READ_ONLY, attach, copy, mount_new, place, restrict};

/// Devices that give and take what nobody else sees.
const HARMLESS: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// Names that programs use for their own streams and terminals.
const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "fd"),
    ("/proc/self/fd/0", "stdin"),
    ("/proc/self/fd/1", "stdout"),
    ("/proc/self/fd/2", "stderr"),
    ("pts/ptmx", "ptmx"),
];

/// Copies of the real devices, taken before anything hides them or forbids their use.
pub(super) struct Devices(Vec<(&'static str, OwnedFd)>);

impl Devices {
    pub(super) fn take() -> io::Result<Self> {
        let mut taken = Vec::new();
        for name in HARMLESS {
            let path = Path::new("/dev").join(name);
            // A container need not have a terminal.
            if !path.exists() {
                continue;
            }
            let device = copy(place(&path)?.as_fd())?;
            restrict(device.as_fd(), NO_SUID | NO_PROGRAMS, false)?;
            taken.push((name, device));
        }
        Ok(Self(taken))
    }

    /// Puts up a `/dev` that has these, memory to share and terminals of its own.
    pub(super) fn put_up(&self) -> io::Result<()> {
        let dev = Path::new("/dev");
        let flags = libc::MS_NOSUID | libc::MS_NOEXEC;
        mount_new(c"tmpfs", place(dev)?.as_fd(), flags, c"mode=0755,size=64k")?;
        for (name, device) in &self.0 {
            let path = dev.join(name);
            File::create_new(&path)?;
            attach(device.as_fd(), place(&path)?.as_fd())?;
        }
        for (to, name) in LINKS {
            symlink(to, dev.join(name))?;
        }
        let [pts, shm] = ["pts", "shm"].map(|name| dev.join(name));
        fs::create_dir(&pts)?;
        mount_new(c"devpts", place(&pts)?.as_fd(), flags, c"newinstance,ptmxmode=0666,mode=0620")?;
        DirBuilder::new().mode(0o700).create(&shm)?;
        mount_new(c"tmpfs", place(&shm)?.as_fd(), flags | libc::MS_NODEV, c"mode=1777")?;
        // The devices are mounts of their own, so this forbids no use of them.
        restrict(place(dev)?.as_fd(), READ_ONLY | NO_DEVICES, false)
    }
}
