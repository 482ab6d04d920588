//! However often plugins are started and fail, no memory stays behind: thousands of
//! cycles here, a hundred thousand by `cargo xtask cycles`. A program of its own: other
//! tests would be measured as well.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "plugins/guest.rs"]
mod guest;
#[path = "plugins/guests.rs"]
mod guests;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use guest::Guest;
use guests::{Host, job};
use hostler_components::{Fault, Plugin};

/// How many cycles, where somebody wants another number than [`CYCLES`].
const VARIABLE: &str = "HOSTLER_CYCLES";

/// Cycles of an ordinary run: a leak of three kilobytes in each breaks the bound.
const CYCLES: usize = 2_000;

/// How much resident memory may grow between a fifth of the cycles and all of them, in
/// bytes: what an allocator may take in stride, and 50 bytes a cycle in a long run.
const FLAT: usize = 4 << 20;

/// Measurements of resident memory, the first when pools and caches are warm.
const MEASUREMENTS: usize = 5;

/// What is resident belongs to the whole process: one measurement at a time.
static MEASURING: Mutex<()> = Mutex::new(());

/// One way to fail, and how to tell that it was this one.
struct Failure {
    name: &'static str,
    plugin: Arc<Plugin>,
    fail: fn(&Plugin) -> Fault,
    is_it: fn(&Fault) -> bool,
}

fn detect(plugin: &Plugin) -> Fault {
    plugin.detect("x").unwrap_err().fault
}

fn open(plugin: &Plugin) -> Fault {
    plugin.session(job()).err().unwrap().fault
}

/// A session that works, fails, and is poisoned.
fn converse(plugin: &Plugin) -> Fault {
    let mut session = plugin.session(job()).unwrap();
    let first = session.message("x").unwrap_err().fault;
    assert_eq!(session.message("y").unwrap_err().fault, Fault::Poisoned);
    first
}

fn trapped(fault: &Fault) -> bool {
    matches!(fault, Fault::Trapped(_))
}

/// Two megabytes of fresh memory are touched first.
const CRASH: &str = "(memory.fill (i32.const 1048576) (i32.const 1) (i32.const 2097152)) unreachable";
const GROW: &str =
    "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable";
const RECURSE: &str = "(func $again (call $again) (call $again))";
const WIDEN: &str = "(loop $again (br_if $again (i32.ne
    (table.grow $bomb (ref.null func) (i32.const 5000)) (i32.const -1)))) unreachable";
const LEAK: &str = "(loop $again (drop (call $new (i32.const 1))) (br $again)) unreachable";

fn failures(hosts: &mut Vec<Host>) -> Vec<Failure> {
    let provider = Guest::provider;
    let mut failure = |name, guest: Guest, fail, is_it| {
        let host = Host::new();
        let plugin = host.load(&guest);
        hosts.push(host);
        Failure { name, plugin, fail, is_it }
    };
    vec![
        failure("crash", provider().body("detect", CRASH), detect, trapped),
        failure("constructor", provider().body("[constructor]session", "unreachable"), open, trapped),
        failure("session", provider().body("[method]session.message", CRASH), converse, trapped),
        failure("garbage", provider().body("detect", "(i32.const -4)"), detect, |fault| {
            matches!(fault, Fault::Garbage(_))
        }),
        failure("memory", provider().body("detect", GROW), detect, |fault| {
            matches!(fault, Fault::OutOfMemory { .. })
        }),
        failure(
            "table",
            provider().body("detect", WIDEN).extra("(table $bomb 0 funcref)"),
            detect,
            |fault| matches!(fault, Fault::TableTooLarge { .. }),
        ),
        failure(
            "recursion",
            provider().body("detect", "(call $again) (i32.const 1024)").extra(RECURSE),
            detect,
            |fault| matches!(fault, Fault::StackOverflow),
        ),
        failure("handles", provider().body("[constructor]session", LEAK), open, |fault| {
            matches!(fault, Fault::TooManyHandles)
        }),
    ]
}

/// Resident memory of this process in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<usize>().unwrap() * 1024
}

/// Resident memory after each part of the cycles.
fn measured(cycles: usize, mut cycle: impl FnMut(usize)) -> Vec<usize> {
    let part = cycles / MEASUREMENTS;
    let mut number = 0;
    let measure = |_| {
        (0..part).for_each(|_| {
            cycle(number);
            number += 1;
        });
        resident()
    };
    (0..MEASUREMENTS).map(measure).collect()
}

/// How far memory rose above what it was when everything was warm.
fn growth(measured: &[usize]) -> usize {
    let highest = measured.iter().max().unwrap();
    highest - measured[0]
}

#[test]
fn plugins_that_fail_again_and_again_leave_no_memory_behind() {
    let _measuring = MEASURING.lock();
    let cycles = std::env::var(VARIABLE).map_or(CYCLES, |count| count.parse().unwrap());
    let mut hosts = Vec::new();
    let failures = failures(&mut hosts);
    let since = Instant::now();
    let measured = measured(cycles, |number| {
        let failure = &failures[number % failures.len()];
        let fault = (failure.fail)(&failure.plugin);
        assert!((failure.is_it)(&fault), "{}: {fault:?}", failure.name);
    });
    let took = since.elapsed();
    let kib: Vec<usize> = measured.iter().map(|bytes| bytes / 1024).collect();
    println!(
        "{cycles} cycles in {took:.1?}, {:.1?} each; resident KiB {kib:?}",
        took / u32::try_from(cycles).unwrap()
    );
    assert!(growth(&measured) < FLAT, "resident memory in KiB: {kib:?}");
}

/// The bound means something: instances that stay are far beyond it.
#[test]
fn instances_that_are_kept_are_seen() {
    let _measuring = MEASURING.lock();
    let host = Host::new();
    let touching = CRASH.replace("unreachable", "(call $new (i32.const 1))");
    let plugin = host.load(&Guest::provider().body("[constructor]session", touching));
    let mut kept = Vec::new();
    let measured = measured(MEASUREMENTS, |_| kept.push(plugin.session(job()).unwrap()));
    assert!(growth(&measured) >= FLAT, "{measured:?}");
}
