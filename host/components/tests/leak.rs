//! Thousands of crashes leave no memory behind. A program of its own: other tests
//! would be measured as well.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "plugins/guest.rs"]
mod guest;
#[path = "plugins/guests.rs"]
mod guests;

use guest::Guest;
use guests::Host;

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn two_thousand_crashes_leave_no_memory_behind() {
    let host = Host::new();
    let plugin = host.load(&Guest::provider().body(
        "detect",
        // Touches two megabytes of fresh memory first.
        "(memory.fill (i32.const 1048576) (i32.const 1) (i32.const 2097152)) unreachable",
    ));
    let crash = |count: usize| (0..count).for_each(|_| assert!(plugin.detect("x").is_err()));
    crash(200);
    let before = resident();
    crash(2_000);
    let grown = resident().saturating_sub(before);
    assert!(grown < 4 << 20, "resident memory grew by {grown} bytes");
}
