//! A disk that is full, before the start and in the middle of a run.
#![cfg(target_os = "linux")]

use std::process::Command;

use hostler_tests::scripted_agent::{Script, Step, imitations, transcript};

use crate::stage::{Stage, assert_one_sentence};

/// Whether a file system of its own can be mounted for a process here; says why not.
fn can_mount() -> bool {
    let tried =
        Command::new("unshare").args(IN_A_NAMESPACE).args(["sh", "-c", "mount -t tmpfs none /mnt"]).output();
    let can = tried.as_ref().is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("skipped: a small file system cannot be mounted here: {tried:?}");
    }
    can
}

const IN_A_NAMESPACE: [&str; 3] = ["--user", "--map-root-user", "--mount"];

/// Runs a shell script where the state lies on a file system of four megabytes, with
/// `host run --once …` as `"$@"`. Standard output and error go to `$OUT.1` and so on.
fn on_a_small_disk(stage: &Stage, script: &str) {
    let disk = stage.sandbox.folder().join("state");
    let host = stage.sandbox.command(&["run", "--once", "--plugin", "folder", "--provider", "claude-code"]);
    let mut command = Command::new("unshare");
    command
        .args(IN_A_NAMESPACE)
        .args(["sh", "-c"])
        .arg(format!("set -u; mount -t tmpfs -o size=4m none \"$STATE\" || exit 99; {script}"))
        .arg("sh")
        .arg(host.get_program())
        .args(host.get_args())
        .current_dir(host.get_current_dir().unwrap())
        .env_clear()
        .envs(host.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("STATE", disk)
        .env("OUT", stage.sandbox.folder().join("out"));
    let status = command.status().unwrap();
    assert!(status.success(), "the script itself failed: {status}");
}

/// Exit code and standard error of a host that the script ran.
fn result(stage: &Stage, number: u32) -> (i32, String) {
    let read = |end: &str| {
        let path = stage.sandbox.folder().join(format!("out.{number}.{end}"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    (read("code").trim().parse().unwrap(), read("err"))
}

const RUN: &str =
    r#"run() { n=$1; shift; "$@" > "$OUT.$n.out" 2> "$OUT.$n.err"; echo $? > "$OUT.$n.code"; };"#;
const FILL: &str = r#"dd if=/dev/zero of="$STATE/filler" bs=4k 2> /dev/null;"#;

#[test]
fn a_host_on_a_full_disk_says_so_and_the_next_one_with_room_does_the_task() {
    if !can_mount() {
        return;
    }
    let (stage, agent) = Stage::with_claude(&imitations::does_its_task());
    stage.task("hello", "Write hello.txt\n");
    on_a_small_disk(&stage, &format!("{RUN} {FILL} run 1 \"$@\"; rm \"$STATE/filler\"; run 2 \"$@\""));
    let (code, said) = result(&stage, 1);
    assert_eq!(code, 9, "{said}");
    assert_one_sentence(&said);
    assert!(said.contains("disk") || said.contains("space"), "{said}");
    let (code, said) = result(&stage, 2);
    assert_eq!(code, 0, "{said}");
    assert_eq!(agent.starts().unwrap().len(), 1);
    stage.assert_reported_once("hello", "done");
}

#[test]
fn a_disk_that_fills_up_during_a_run_ends_the_host_and_the_next_one_finishes_the_run() {
    if !can_mount() {
        return;
    }
    let stage = Stage::allowed();
    let filler = stage.sandbox.folder().join("state/filler");
    let fill = format!("dd if=/dev/zero of='{}' bs=1k 2> /dev/null; true", filler.display());
    let script = Script::new()
        .attempt([
            Step::write("first.txt", "first\n"),
            Step::Run { argv: ["/bin/sh".to_owned(), "-c".to_owned(), fill].to_vec() },
            Step::transcript(transcript("claude-success")),
        ])
        .attempt([Step::write("second.txt", "second\n"), Step::transcript(transcript("claude-success"))]);
    stage.sandbox.install_agent("claude", &script);
    stage.task("hello", "Write files\n");
    on_a_small_disk(&stage, &format!("{RUN} run 1 \"$@\"; rm \"$STATE/filler\"; run 2 \"$@\""));
    let (code, said) = result(&stage, 1);
    assert_eq!(code, 9, "{said}");
    assert!(said.contains("disk") || said.contains("space"), "{said}");
    let (code, said) = result(&stage, 2);
    assert_eq!(code, 0, "{said}");
    stage.assert_reported_once("hello", "done");
    assert!(stage.task_file("hello").text.contains("first.txt"), "{}", stage.task_file("hello").text);
}
