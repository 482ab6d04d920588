//! A state folder that cannot be written, from the start or from some moment on.
#![cfg(target_os = "linux")]

use std::path::PathBuf;
use std::process::{Command, Output};

use hostler_tests::scripted_agent::{Script, Step, imitations, transcript};

use crate::stage::{Stage, assert_one_sentence};

/// What every script can use: `host NAME …` runs a host as `"$@"` does and keeps what it
/// said and its exit code; `await …` waits for something.
const WORDS: &str = r#"
set -u
host() { name=$1; shift; "$@" > "$OUT.$name.out" 2> "$OUT.$name.err"; echo $? > "$OUT.$name.code"; }
await() { tries=0; while ! "$@" 2> /dev/null; do tries=$((tries + 1)); [ $tries -lt 300 ] || exit 98; sleep 0.05; done; }
"#;

/// Runs a shell script with mounts of its own, and `host run --once …` as `"$@"`.
fn play(stage: &Stage, namespace: &[&str], script: &str) -> Output {
    let host = stage.sandbox.command(&["run", "--once", "--plugin", "folder", "--provider", "claude-code"]);
    let mut command = Command::new("unshare");
    command
        .args(namespace)
        .args(["sh", "-c", &format!("{WORDS}{script}"), "sh"])
        .arg(host.get_program())
        .args(host.get_args())
        .current_dir(host.get_current_dir().unwrap())
        .env_clear()
        .envs(host.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .env("STATE", stage.sandbox.folder().join("state"))
        .env("BIN", stage.sandbox.bin_folder())
        .env("IMAGE", stage.sandbox.folder().join("image"))
        .env("OUT", stage.sandbox.folder().join("out"));
    command.output().unwrap()
}

/// Whether a script can do this here; says why not.
fn can(namespace: &[&str], script: &str) -> bool {
    let tried = Command::new("unshare").args(namespace).args(["sh", "-c", script]).output();
    let can = tried.as_ref().is_ok_and(|output| output.status.success());
    if !can {
        eprintln!("skipped: such a disk cannot be had here: {tried:?}");
    }
    can
}

/// Exit code and standard error of a host that the script ran.
fn result(stage: &Stage, name: &str) -> (i32, String) {
    let read = |end: &str| {
        let path = stage.sandbox.folder().join(format!("out.{name}.{end}"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    (read("code").trim().parse().unwrap(), read("err"))
}

const OWN_MOUNTS: [&str; 3] = ["--user", "--map-root-user", "--mount"];

#[test]
fn a_host_on_a_read_only_disk_says_so_and_once_it_can_be_written_the_task_is_done() {
    if !can(&OWN_MOUNTS, "mount -t tmpfs none /mnt && mount -o remount,ro /mnt") {
        return;
    }
    let (stage, agent) = Stage::with_claude(&imitations::does_its_task());
    stage.task("hello", "Write hello.txt\n");
    let script = r#"
        mount -t tmpfs none "$STATE" && mount -o remount,ro "$STATE" || exit 99
        host new "$@"
        mount -o remount,rw "$STATE" && mkdir -m 700 "$STATE/hostler" && mount -o remount,ro "$STATE" || exit 99
        host known "$@"
        mount -o remount,rw "$STATE" || exit 99
        host writable "$@"
        mount -o remount,ro "$STATE" || exit 99
        host again "$@"
    "#;
    let played = play(&stage, &OWN_MOUNTS, script);
    assert!(played.status.success(), "the script itself failed: {played:?}");
    for name in ["new", "known", "again"] {
        let (code, said) = result(&stage, name);
        assert_eq!(code, 9, "{name}: {said}");
        assert_one_sentence(&said);
        assert!(said.contains("Read-only file system") && said.contains("is writable"), "{name}: {said}");
    }
    let (code, said) = result(&stage, "writable");
    assert_eq!(code, 0, "{said}");
    assert_eq!(agent.starts().unwrap().len(), 1);
    stage.assert_reported_once("hello", "done");
}

/// Mounts the image where the state lies; as soon as the kernel finds an error on it,
/// nothing there can be written any more, as with a disk that fails.
const MOUNT: &str = r#"mount -o loop,errors=remount-ro "$IMAGE" "$STATE""#;

/// Tells the kernel that this very file system has an error.
const BREAK: &str = r#"
    device=$(findmnt -n -o SOURCE "$STATE")
    case $device in /dev/loop*) ;; *) exit 99 ;; esac
    echo 1 > "/sys/fs/ext4/${device#/dev/}/trigger_fs_error"
"#;

/// The host ends with the next thing that it cannot write down: here, that there is
/// another task. A disk with errors cannot be made writable again, so the next host has a
/// copy of it; what the agent did meanwhile counts, and is gone on with.
///
/// Takes about ten seconds: the supervisor of the first agent waits for its disk, and is
/// given time to end.
#[test]
fn a_disk_that_turns_read_only_ends_the_host_and_neither_the_agent_nor_its_work() {
    let disk = "truncate -s 16m /mnt/image && mkfs.ext4 -q /mnt/image && mount -o loop /mnt/image /opt \
                && device=$(findmnt -n -o SOURCE /opt) && test -w /sys/fs/ext4/${device#/dev/}/trigger_fs_error";
    if !can(&["--mount"], &format!("mount -t tmpfs none /mnt && {disk} && umount /opt")) {
        return;
    }
    let stage = Stage::allowed();
    let script = Script::new()
        .attempt([
            Step::read_stdin(),
            Step::write("first.txt", "first\n"),
            Step::mark("works"),
            Step::WaitFor { path: PathBuf::from("host-ended") },
            Step::write("later.txt", "later\n"),
            Step::mark("worked-on"),
        ])
        .attempt([Step::read_stdin(), Step::transcript(transcript("claude-success"))]);
    let agent = stage.sandbox.install_agent("claude", &script);
    stage.task("hello", "Write files\n");
    let script = format!(
        r#"
        truncate -s 16m "$IMAGE" && mkfs.ext4 -q "$IMAGE" && {MOUNT} || exit 99
        host first "$@" &
        await test -e "$BIN/works"
        {BREAK}
        echo 'Something else' > tasks/second.md
        wait
        touch "$BIN/host-ended"
        await test -e "$BIN/worked-on"
        host broken "$@"
        umount --lazy "$STATE" && cp "$IMAGE" "$IMAGE.copy" || exit 97
        e2fsck -p -f "$IMAGE.copy" > "$OUT.fsck"; [ $? -le 1 ] || exit 96
        mount -o loop "$IMAGE.copy" "$STATE" || exit 99
        host mended "$@"
        "#
    );
    let played = play(&stage, &["--mount"], &script);
    assert!(played.status.success(), "the script itself failed: {played:?}");
    let (code, said) = result(&stage, "first");
    assert_eq!(code, 9, "{said}");
    let last = said.trim_end().lines().last().unwrap();
    assert_one_sentence(last);
    assert!(last.contains("cannot be written") || last.contains("could not be read or written"), "{said}");
    let (code, said) = result(&stage, "broken");
    assert_eq!(code, 9, "{said}");
    assert_one_sentence(&said);
    let (code, said) = result(&stage, "mended");
    assert_eq!(code, 0, "{said}");
    assert_eq!(agent.starts().unwrap().len(), 3);
    stage.assert_reported_once("hello", "done");
    stage.assert_reported_once("second", "done");
    for file in ["first.txt", "later.txt"] {
        assert!(stage.task_file("hello").text.contains(file), "{}", stage.task_file("hello").text);
    }
}
