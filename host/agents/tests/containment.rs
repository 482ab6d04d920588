//! What keeps an agent's processes together, and what they may use.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use std::time::Duration;

use hostler_agents::{
    Agent, Agents, Cause, ContainedBy, Containment, CpuLimiter, Ending, LimitedBy, Limits, MemoryLimiter,
    Stdin, TreeProof,
};
use hostler_engine::outcome::EndReason;
use rustix::process::Signal;
use support::{Bench, FIXTURE, hear, hear_line, kill, send, until};

const NOBODY: u32 = 65534;

/// Starts a script; `None`, said aloud, where the system does not allow the
/// containment.
async fn start(bench: &Bench, containment: Containment, wanted: ContainedBy, script: &str) -> Option<Agent> {
    let mut launch = bench.launch(script);
    launch.containment = containment;
    let mut agent = bench.agents.start(launch).await.unwrap();
    if agent.record.containment == wanted {
        return Some(agent);
    }
    eprintln!("skipped: {wanted:?} is not to be had here, it was {:?}", agent.record.containment);
    agent.handle().end(EndReason::Cancelled, Duration::ZERO).await;
    hear(&mut agent).await;
    None
}

const ALL: [(Containment, ContainedBy); 3] = [
    (Containment::Auto, ContainedBy::PidNamespace),
    (Containment::Namespace, ContainedBy::PidNamespace),
    (Containment::Sweep, ContainedBy::Sweep),
];

#[tokio::test]
async fn a_tree_that_does_not_want_to_end_is_gone_in_every_containment() {
    for (containment, wanted) in ALL {
        let bench = Bench::new();
        let script = format!("trap '' TERM HUP; exec {FIXTURE} nasty");
        let Some(mut agent) = start(&bench, containment, wanted, &script).await else { continue };
        hear_line(&mut agent, "ready").await;
        agent.handle().end(EndReason::Cancelled, Duration::from_millis(100)).await;
        let heard = hear(&mut agent).await;
        assert_eq!(bench.marked(), Vec::<i32>::new());
        assert_eq!(heard.exit().ending, Ending::Signal(Signal::KILL.as_raw()));
        // A namespace is ended by one blow after one look, which may miss the two that hop.
        let seen = if wanted == ContainedBy::PidNamespace { 3 } else { 5 };
        assert!(
            matches!(heard.exit().tree, TreeProof::Empty { killed } if killed >= seen),
            "{:?}",
            heard.exit()
        );
    }
}

#[tokio::test]
async fn exit_code_signal_and_stragglers_are_the_same_in_every_containment() {
    for (containment, wanted) in ALL {
        for (script, ending) in [
            ("exit 7", Ending::Code(7)),
            ("kill -KILL $$", Ending::Signal(9)),
            ("sleep 60 & exit 8", Ending::Code(8)),
        ] {
            let bench = Bench::new();
            let Some(mut agent) = start(&bench, containment, wanted, script).await else { continue };
            let heard = hear(&mut agent).await;
            assert_eq!((heard.exit().ending, heard.exit().cause), (ending, Cause::Itself), "{script}");
            assert!(heard.exit().tree.is_empty());
        }
    }
}

#[tokio::test]
async fn in_a_namespace_nothing_outlives_the_supervisor_however_it_dies() {
    for stopped_first in [false, true] {
        let bench = Bench::new();
        let script = format!("trap '' TERM HUP; exec {FIXTURE} nasty");
        let wanted = ContainedBy::PidNamespace;
        let Some(mut agent) = start(&bench, Containment::Namespace, wanted, &script).await else { return };
        hear_line(&mut agent, "ready").await;
        let shim = agent.record.shim.pid;
        // Nobody is there who could sweep up.
        drop(agent);
        if stopped_first {
            send(shim, Signal::STOP);
        }
        kill(shim);
        until("the kernel has ended everything", || bench.marked().is_empty()).await;
    }
}

#[tokio::test]
async fn in_a_namespace_an_agent_sees_its_own_processes_only() {
    let bench = Bench::new();
    let script = "echo $$; ls /proc | grep -c '^[0-9]'";
    let wanted = ContainedBy::PidNamespace;
    let Some(mut agent) = start(&bench, Containment::Namespace, wanted, script).await else { return };
    let heard = hear(&mut agent).await;
    assert_eq!(heard.stdout[0], "2");
    assert!(heard.stdout[1].parse::<u32>().unwrap() <= 5, "{heard:?}");
}

/// A bench whose agents have no rights: `nobody`'s, if the test runs as root.
fn without_rights() -> Bench {
    let mut bench = Bench::new();
    if rustix::process::getuid().is_root() {
        let folder = bench.folder();
        std::fs::create_dir(&folder).unwrap();
        for path in [bench.home.path(), &folder] {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let [user, group] = ["--reuid", "--regid"].map(|option| format!("{option}={NOBODY}"));
        let args = [&user, &group, "--clear-groups", FIXTURE, "shim"].map(Into::into);
        bench.agents = Agents::new("/usr/bin/setpriv".into(), args.into());
    }
    bench
}

#[tokio::test]
async fn without_rights_a_namespace_is_made_only_if_it_is_asked_for() {
    let bench = without_rights();
    let mut agent = bench.agents.start(bench.launch("exec sleep 60")).await.unwrap();
    assert_eq!(agent.record.containment, ContainedBy::Sweep);
    agent.handle().end(EndReason::Cancelled, Duration::ZERO).await;
    assert!(hear(&mut agent).await.exit().tree.is_empty());
}

#[tokio::test]
async fn in_a_user_namespace_a_tree_is_gone_with_its_supervisor() {
    let bench = without_rights();
    let script = format!("trap '' TERM HUP; exec {FIXTURE} nasty");
    let wanted = ContainedBy::PidNamespace;
    let Some(mut agent) = start(&bench, Containment::Namespace, wanted, &script).await else { return };
    hear_line(&mut agent, "ready").await;
    let shim = agent.record.shim.pid;
    drop(agent);
    kill(shim);
    until("the kernel has ended everything", || bench.marked().is_empty()).await;
}

#[tokio::test]
async fn in_a_user_namespace_an_agent_is_who_it_was() {
    let bench = without_rights();
    let wanted = ContainedBy::PidNamespace;
    let script = "id -u; id -g";
    let Some(mut agent) = start(&bench, Containment::Namespace, wanted, script).await else { return };
    let (user, group) = match rustix::process::getuid() {
        root if root.is_root() => (NOBODY, NOBODY),
        user => (user.as_raw(), rustix::process::getgid().as_raw()),
    };
    assert_eq!(hear(&mut agent).await.stdout, [user.to_string(), group.to_string()]);
}

#[tokio::test]
async fn an_agent_gives_way_to_the_host() {
    for (containment, wanted) in ALL {
        let bench = Bench::new();
        let Some(mut agent) = start(&bench, containment, wanted, "nice").await else { continue };
        let ours = rustix::process::getpriority_process(None).unwrap();
        assert_eq!(hear(&mut agent).await.stdout, [(ours + 5).min(19).to_string()]);
    }
}

#[tokio::test]
async fn an_agent_sees_the_processors_it_may_use() {
    for containment in [Containment::Auto, Containment::Sweep] {
        let bench = Bench::new();
        let mut launch = bench.launch("nproc; sh -c nproc");
        launch.containment = containment;
        launch.limits = Limits { memory: None, cpus: Some(1) };
        let mut agent = bench.agents.start(launch).await.unwrap();
        let cpus = Some(CpuLimiter::Affinity);
        assert_eq!(agent.record.limited_by, LimitedBy { memory: None, cpus });
        assert_eq!(hear(&mut agent).await.stdout, ["1", "1"]);
    }
}

#[tokio::test]
async fn a_tree_that_takes_too_much_memory_is_ended_and_told_how_much() {
    const LIMIT: u64 = 64 * 1024 * 1024;
    let bench = Bench::new();
    // What `tail` keeps until its input ends, which it does not by itself.
    let mut launch = bench.launch("(head -c 200000000 /dev/zero; sleep 60) | tail -n 1");
    launch.limits = Limits { memory: Some(LIMIT), cpus: None };
    let mut agent = bench.agents.start(launch).await.unwrap();
    assert_eq!(agent.record.limited_by.memory, Some(MemoryLimiter::Watch));
    let heard = hear(&mut agent).await;
    assert!(matches!(heard.exit().cause, Cause::OverMemory { bytes } if bytes > LIMIT), "{:?}", heard.exit());
    assert!(heard.exit().tree.is_empty());
}

#[tokio::test]
async fn a_tree_within_its_memory_is_left_alone() {
    let bench = Bench::new();
    let mut launch = bench.launch("sleep 2.2; echo done");
    launch.limits = Limits { memory: Some(512 * 1024 * 1024), cpus: None };
    let heard = hear(&mut bench.agents.start(launch).await.unwrap()).await;
    assert_eq!((heard.stdout, heard.exits[0].cause), (vec!["done".to_owned()], Cause::Itself));
}

/// A control group that belongs to `nobody`, removed at the end of a test.
struct Delegated(std::path::PathBuf);

impl Drop for Delegated {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.0);
    }
}

/// A bench whose agents have no rights, but a control group delegated to them;
/// `None`, said aloud, where this test cannot make one.
fn with_a_control_group() -> Option<(Delegated, Bench)> {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let mount = mounts.lines().find(|line| line.contains(" cgroup2 "))?.split(' ').nth(1)?;
    let mut bench = without_rights();
    let group = std::path::Path::new(mount).join(format!("hostler-test-{}", bench.run));
    if !rustix::process::getuid().is_root() || std::fs::create_dir(&group).is_err() {
        eprintln!("skipped: no control group can be delegated here");
        return None;
    }
    for path in [group.clone(), group.join("cgroup.procs")] {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    let script = format!(
        "echo $$ > {}/cgroup.procs && exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups {FIXTURE} shim",
        group.display()
    );
    bench.agents = Agents::new("/bin/sh".into(), vec!["-c".into(), script.into()]);
    Some((Delegated(group), bench))
}

/// Leaves its parents, takes its marker off, and stays.
const ESCAPE: &str = "setsid env -i sleep 60 & echo ready; exec sleep 60";

#[tokio::test]
async fn a_control_group_is_used_where_there_is_no_namespace_and_is_gone_with_its_tree() {
    let Some((_delegated, bench)) = with_a_control_group() else { return };
    let script = format!("trap '' TERM HUP; exec {FIXTURE} nasty");
    let mut agent = bench.agents.start(bench.launch(&script)).await.unwrap();
    assert_eq!(agent.record.containment, ContainedBy::Cgroup);
    let group = agent.record.cgroup.clone().unwrap();
    hear_line(&mut agent, "ready").await;
    assert!(std::fs::read_to_string(group.join("cgroup.procs")).unwrap().lines().count() >= 5);
    agent.handle().end(EndReason::Cancelled, Duration::ZERO).await;
    let heard = hear(&mut agent).await;
    assert_eq!(bench.marked(), Vec::<i32>::new());
    assert!(heard.exit().tree.is_empty(), "{:?}", heard.exit());
    assert!(!group.exists());
}

#[tokio::test]
async fn who_took_its_marker_off_and_left_its_parents_is_found_in_the_control_group() {
    let Some((_delegated, bench)) = with_a_control_group() else { return };
    let mut agent = bench.agents.start(bench.launch(ESCAPE)).await.unwrap();
    hear_line(&mut agent, "ready").await;
    let (shim, group) = (agent.record.shim.pid, agent.record.cgroup.clone().unwrap());
    let members = || std::fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
    until("both are asleep", || members().lines().count() == 2).await;
    drop(agent);
    kill(shim);
    let reaped = bench.agents.reap(&bench.folder(), &bench.run, 1).await.unwrap();
    assert!(reaped.tree.is_empty(), "{reaped:?}");
    assert_eq!(members(), "");
    assert!(!group.exists());
}

/// Bytes of memory that no file is behind; what several have in common is divided among them.
fn memory(pid: i32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
    let line = rollup.lines().find(|line| line.starts_with("Pss_Anon:")).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn a_supervisor_stays_small_after_long_orders_and_much_output() {
    for (containment, wanted) in [ALL[0], ALL[2]] {
        let bench = Bench::new();
        let mut launch = bench.launch("wc -c; seq 1 200000; echo ready; exec sleep 60");
        launch.stdin = Stdin::Bytes(vec![b'p'; 512 * 1024]);
        launch.containment = containment;
        let mut agent = bench.agents.start(launch).await.unwrap();
        hear_line(&mut agent, "ready").await;
        let shim = agent.record.shim.pid;
        let init = std::fs::read_to_string(format!("/proc/{shim}/task/{shim}/children")).unwrap();
        let init = init.split_ascii_whitespace().next().unwrap().parse().unwrap();
        // Without a namespace that is the agent, which does not count.
        let init = if wanted == ContainedBy::Sweep { 0 } else { memory(init) };
        let bytes = memory(shim) + init;
        eprintln!("{wanted:?}: {} KiB, of which the init has {}", bytes / 1024, init / 1024);
        assert!(bytes < 3 * 1024 * 1024, "{bytes} bytes");
        agent.handle().end(EndReason::Cancelled, Duration::ZERO).await;
        hear(&mut agent).await;
    }
}
