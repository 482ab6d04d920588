//! A disk that is full while the agent talks.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use std::process::Command;

use support::{Bench, FIXTURE};

const IN_A_NAMESPACE: [&str; 3] = ["--user", "--map-root-user", "--mount"];

/// A host, one agent and a disk of one megabyte that is nearly full; the host
/// makes room as soon as it is warned, or does something else. What the host said, or `None`, said aloud,
/// where no disk can be mounted.
fn on_a_small_disk(bench: &Bench, script: &str, when_warned: &str) -> Option<String> {
    let disk = bench.home.path();
    let made = "mount -t tmpfs -o size=1m none \"$0\" || exit 99; head -c 800000 /dev/zero > \"$0/filler\"";
    let output = Command::new("unshare")
        .args(IN_A_NAMESPACE)
        .args([
            "sh",
            "-c",
            &format!("{made}; exec \"$1\" host-with-filler \"$0/attempt\" \"$2\" \"$3\" \"$4\""),
        ])
        .arg(disk)
        .args([FIXTURE, &bench.run, script, when_warned])
        .output();
    let output = output.ok().filter(|output| !matches!(output.status.code(), Some(1 | 99) | None));
    if output.is_none() {
        eprintln!("skipped: a small file system cannot be mounted here");
    }
    output.map(|output| String::from_utf8(output.stdout).unwrap())
}

#[test]
fn an_agent_waits_for_room_and_not_a_byte_of_it_is_lost() {
    let bench = Bench::new();
    let filler = bench.home.path().join("filler").display().to_string();
    let Some(said) = on_a_small_disk(&bench, "seq 1 100000; exit 0", &filler) else { return };
    let (warnings, rest): (Vec<&str>, Vec<&str>) =
        said.lines().partition(|line| line.starts_with("warning: "));
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("until then the agent waits"), "{warnings:?}");
    let (exit, lines) = rest.split_last().unwrap();
    assert!(
        exit.starts_with("exit: ") && exit.contains("Code(0)") && exit.contains("truncated: false"),
        "{exit}"
    );
    assert_eq!(lines.len(), 100_000);
    assert!(lines.iter().zip(1..).all(|(line, number)| *line == number.to_string()));
}

#[test]
fn an_agent_that_waits_for_room_can_be_ended_and_what_is_missing_is_told() {
    let bench = Bench::new();
    let Some(said) = on_a_small_disk(&bench, "seq 1 1000000; sleep 60", "end") else { return };
    let exit = said.lines().last().unwrap();
    assert!(exit.starts_with("exit: ") && exit.contains("Cancelled"), "{exit}");
    assert!(exit.contains("truncated: true") && exit.contains("Empty"), "{exit}");
}
