//! One view after the other, in a mount namespace that nobody else is in yet.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use super::Breach;
use super::devices::Devices;
use super::mounts::{
    NO_DEVICES, NO_PROGRAMS, NO_SUID, READ_ONLY, attach, copy, is_folder, keep_mounts_private, mount,
    mount_new, place, restrict,
};
use crate::sandbox::{Access, Plan, Shows, View};

/// What of `/proc` changes the machine, not a process; who runs as root may write
/// there without any capability.
const OF_THE_MACHINE: [&str; 5] = ["sys", "sysrq-trigger", "irq", "bus", "fs"];

/// An agent's `/run` holds sockets and numbers of processes.
const SCRATCH: &std::ffi::CStr = c"mode=0755,size=16m";

/// Puts everything up. What is done here is done for good: the agent has no rights
/// over this namespace, and to a namespace that it makes itself the system hands
/// these mounts as one piece.
pub(in super::super) fn raise(plan: &Plan) -> Result<(), Breach> {
    let told = |doing: &'static str| move |error: io::Error| Breach::new(doing, &error);
    keep_mounts_private().map_err(told("keeping its mounts to itself"))?;
    // Everything that will be shown is taken before anything is hidden.
    let devices = Devices::take().map_err(told("taking devices"))?;
    let views = plan.views.iter().map(|view| Ready::take(view, plan)).collect::<Result<Vec<_>, _>>()?;
    close_the_rest().map_err(told("making all files read-only"))?;
    own_processes().map_err(told("mounting `/proc`"))?;
    devices.put_up().map_err(told("making `/dev`"))?;
    let mut standing = Vec::new();
    for ready in &views {
        if ready.put_up().map_err(|error| ready.breach(&error))? {
            standing.push(ready);
        }
    }
    for ready in standing {
        ready.seal().map_err(|error| ready.breach(&error))?;
    }
    close_the_machine().map_err(told("closing `/proc/sys`"))?;
    std::env::set_current_dir("/").map_err(told("leaving its folder"))
}

/// Without walls: what is mounted here is not seen outside; what is mounted outside
/// is seen here.
pub(in super::super) fn show_own_processes() -> io::Result<()> {
    mount(c"none", c"/", None, libc::MS_REC | libc::MS_SLAVE, None)?;
    own_processes()
}

/// A `/proc` of this PID namespace.
fn own_processes() -> io::Result<()> {
    let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
    mount(c"proc", c"/proc", Some(c"proc"), flags, None)
}

fn close_the_rest() -> io::Result<()> {
    restrict(place(Path::new("/"))?.as_fd(), READ_ONLY | NO_SUID | NO_DEVICES, true)
}

/// Only where it would be open: a covered `/proc` cannot be mounted anew by a
/// sandbox that the agent makes inside of this one.
fn close_the_machine() -> io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    for name in OF_THE_MACHINE {
        let path = Path::new("/proc").join(name);
        if !path.exists() {
            continue;
        }
        let at = place(&path)?;
        let closed = copy(at.as_fd())?;
        restrict(closed.as_fd(), READ_ONLY | NO_SUID | NO_DEVICES | NO_PROGRAMS, true)?;
        attach(closed.as_fd(), at.as_fd())?;
    }
    Ok(())
}

/// A view, with what it shows at hand.
struct Ready<'a> {
    view: &'a View,
    shown: Option<OwnedFd>,
    /// Whether what it shows, or hides, is a folder.
    folder: bool,
}

impl<'a> Ready<'a> {
    fn take(view: &'a View, plan: &Plan) -> Result<Self, Breach> {
        Self::try_take(view).map_err(|error| {
            let path = view.at.as_ref().display();
            Breach::new(
                format!("finding what is to stand at `{path}` in the sandbox `{}`", plan.tier),
                &error,
            )
        })
    }

    fn try_take(view: &'a View) -> io::Result<Self> {
        let (folder, shown) = match &view.shows {
            Shows::Place { source, access } => {
                let source = place(Path::new(source.as_ref()))?;
                (is_folder(&source)?, Some(shown(&source, *access)?))
            }
            Shows::Scratch => (true, None),
            // On the real disk its name may lead over a link, which is none in this view.
            Shows::Nothing if fs::metadata(view.at.as_ref())?.is_dir() => (true, None),
            // A device that may not be used as one: opening it is refused.
            Shows::Nothing => (false, Some(shown(&place(Path::new("/dev/null"))?, Access::Read)?)),
        };
        Ok(Self { view, shown, folder })
    }

    /// Whether it had to be: what something else hides already needs no more. The folder
    /// above something shown may appear in its place later.
    fn put_up(&self) -> io::Result<bool> {
        let at = Path::new(self.view.at.as_ref());
        if !at.exists() && self.view.shows == Shows::Nothing {
            return Ok(false);
        }
        self.make_room(at)?;
        let at = place(at)?;
        match &self.shown {
            Some(shown) => attach(shown.as_fd(), at.as_fd())?,
            None => mount_new(c"tmpfs", at.as_fd(), libc::MS_NOSUID | libc::MS_NODEV, self.options())?,
        }
        Ok(true)
    }

    fn options(&self) -> &'static std::ffi::CStr {
        if self.view.shows == Shows::Scratch { SCRATCH } else { c"mode=0755,size=64k" }
    }

    /// Something to mount on, inside of what was put up before.
    fn make_room(&self, at: &Path) -> io::Result<()> {
        if at.exists() {
            return Ok(());
        }
        match at.parent() {
            Some(_) if self.folder => fs::create_dir_all(at),
            Some(parent) => {
                fs::create_dir_all(parent)?;
                File::create_new(at).map(drop)
            }
            None => Ok(()),
        }
    }

    /// What is empty stays so, once everything inside of it has its place.
    fn seal(&self) -> io::Result<()> {
        if self.view.shows != Shows::Nothing || !self.folder {
            return Ok(());
        }
        restrict(place(Path::new(self.view.at.as_ref()))?.as_fd(), READ_ONLY | NO_PROGRAMS, false)
    }

    fn breach(&self, error: &io::Error) -> Breach {
        Breach::new(format!("showing what is to stand at `{}`", self.view.at.as_ref().display()), error)
    }
}

fn shown(source: &OwnedFd, access: Access) -> io::Result<OwnedFd> {
    let tree = copy(source.as_fd())?;
    let closed = if access == Access::Read { READ_ONLY } else { 0 };
    restrict(tree.as_fd(), closed | NO_SUID | NO_DEVICES, true)?;
    Ok(tree)
}
