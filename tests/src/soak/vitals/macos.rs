//! What a process takes, on macOS.

use std::process::Command;

use super::Vitals;

/// From `ps`, which tells the memory only.
pub(super) fn of(pid: i32) -> Option<Vitals> {
    let output = Command::new("ps").args(["-o", "rss=", "-p", &pid.to_string()]).output().ok()?;
    let resident_kib = String::from_utf8_lossy(&output.stdout).trim().parse().ok()?;
    Some(Vitals { resident_kib, descriptors: None, threads: None })
}
