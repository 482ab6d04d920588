//! What a process takes, on Linux.

use std::fs;
use std::path::Path;

use super::Vitals;

/// From `/proc`.
pub(super) fn of(pid: i32) -> Option<Vitals> {
    let folder = Path::new("/proc").join(pid.to_string());
    let status = fs::read_to_string(folder.join("status")).ok()?;
    Some(Vitals {
        // A zombie has no memory any more.
        resident_kib: number(&status, "VmRSS:")?,
        descriptors: fs::read_dir(folder.join("fd")).ok().map(Iterator::count),
        threads: number(&status, "Threads:").and_then(|threads| usize::try_from(threads).ok()),
    })
}

/// The number behind a name, without its unit.
fn number(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_by_its_name_and_loses_its_unit() {
        let status = "Name:\thost\nVmRSS:\t   48212 kB\nThreads:\t9\n";
        assert_eq!(number(status, "VmRSS:"), Some(48_212));
        assert_eq!(number(status, "Threads:"), Some(9));
        assert_eq!(number(status, "VmSwap:"), None);
    }
}
