//! The host dies: what the next host finds when it clears away.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hostler_agents::{
    AgentRecord, Cause, ContainedBy, Containment, LimitedBy, ProcessId, RECORD_FILE, ReapError, TreeProof,
};
use hostler_engine::outcome::EndReason;
use hostler_engine::sandbox::Tier;
use rustix::process::Signal;
use support::{Bench, FIXTURE, hear, hear_line, kill, send, until};

/// A host of its own, with one agent that has said `ready`.
fn host(bench: &Bench, script: &str) -> Child {
    host_with(bench, "host", script)
}

fn host_with(bench: &Bench, verb: &str, script: &str) -> Child {
    let folder = bench.folder();
    let mut host = Command::new(FIXTURE)
        .args([verb, folder.to_str().unwrap(), &bench.run, script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(host.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    host
}

fn nasty() -> String {
    format!("trap '' TERM HUP; exec {FIXTURE} nasty")
}

#[tokio::test]
async fn reaping_ends_an_agent_that_works_on_after_its_host() {
    let bench = Bench::new();
    let mut host = host(&bench, &nasty());
    host.kill().unwrap();
    host.wait().unwrap();
    assert!(bench.record().agent.unwrap().is_alive());

    let reaped = bench.agents.reap(&bench.folder(), &bench.run, 1).await.unwrap();
    assert_eq!(bench.marked(), Vec::<i32>::new());
    assert_eq!(reaped.tree, TreeProof::Empty { killed: 0 }, "the supervisor needs no help");
    assert_eq!(reaped.exit.unwrap().cause, Cause::Host(EndReason::Stopping));
}

#[tokio::test]
async fn host_and_supervisor_killed_together_the_reaper_ends_the_tree() {
    let bench = Bench::new();
    let mut host = host_with(&bench, "host-sweep", &nasty());
    // The supervisor first, and stopped, so that it cannot help.
    let shim = bench.record().shim;
    send(shim.pid, Signal::STOP);
    host.kill().unwrap();
    host.wait().unwrap();
    kill(shim.pid);
    assert!(!bench.marked().is_empty());

    let reaped = bench.agents.reap(&bench.folder(), &bench.run, 1).await.unwrap();
    assert_eq!(bench.marked(), Vec::<i32>::new());
    assert!(matches!(reaped.tree, TreeProof::Empty { killed } if killed >= 3), "{reaped:?}");
    assert_eq!(reaped.exit, None);
}

#[tokio::test]
async fn a_process_that_took_a_number_over_is_not_touched() {
    let bench = Bench::new();
    let mut stranger = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
    let pid = i32::try_from(stranger.id()).unwrap();
    let old = ProcessId { pid, started: "another-boot/1".into() };
    let record = AgentRecord {
        run: bench.run.clone(),
        attempt: 1,
        shim: old.clone(),
        agent: Some(old),
        protocol: 1,
        containment: ContainedBy::Sweep,
        cgroup: None,
        limited_by: LimitedBy::default(),
        sandbox: Tier::None,
        listener: None,
    };
    fs::create_dir(bench.folder()).unwrap();
    fs::write(bench.folder().join(RECORD_FILE), serde_json::to_vec(&record).unwrap()).unwrap();

    let reaped = bench.agents.reap(&bench.folder(), &bench.run, 1).await.unwrap();
    assert_eq!(reaped.tree, TreeProof::Empty { killed: 0 });
    assert_eq!(stranger.try_wait().unwrap(), None);
    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn an_attempt_that_never_started_reaps_to_nothing() {
    let bench = Bench::new();
    let reaped = bench.agents.reap(&bench.folder(), &bench.run, 1).await.unwrap();
    assert_eq!((reaped.exit, reaped.tree), (None, TreeProof::Empty { killed: 0 }));
}

#[tokio::test]
async fn reaping_one_attempt_leaves_the_next_alone() {
    let bench = Bench::new();
    let mut launch = bench.launch("exec sleep 60");
    launch.attempt = 2;
    launch.folder = bench.home.path().join("second");
    let mut second = bench.agents.start(launch).await.unwrap();

    let reaped = bench.agents.reap(&bench.folder(), &bench.run, 1).await.unwrap();
    assert_eq!(reaped.tree, TreeProof::Empty { killed: 0 });
    assert!(second.record.agent.as_ref().unwrap().is_alive());

    second.handle().end(EndReason::Stopping, Duration::ZERO).await;
    hear(&mut second).await;
}

#[tokio::test]
async fn a_folder_of_another_attempt_is_refused() {
    let bench = Bench::new();
    hear(&mut bench.start("true").await).await;
    let error = bench.agents.reap(&bench.folder(), &bench.run, 2).await.unwrap_err();
    assert!(matches!(error, ReapError::AnotherAttempt { attempt: 1, .. }), "{error}");
}

#[tokio::test]
async fn half_a_record_is_told_and_not_taken_for_none() {
    let bench = Bench::new();
    fs::create_dir(bench.folder()).unwrap();
    fs::write(bench.folder().join(RECORD_FILE), "{").unwrap();
    let error = bench.agents.reap(&bench.folder(), &bench.run, 1).await.unwrap_err();
    assert!(matches!(error, ReapError::Unreadable { .. }), "{error}");
}

#[tokio::test]
async fn an_agent_that_ended_before_its_host_is_reaped_with_its_own_exit() {
    let bench = Bench::new();
    let mut host = host(&bench, "echo ready; exit 6");
    until("the exit is written", || bench.folder().join(hostler_agents::EXIT_FILE).exists()).await;
    host.wait().unwrap();
    let reaped = bench.agents.reap(&bench.folder(), &bench.run, 1).await.unwrap();
    assert_eq!(reaped.exit.unwrap().code(), Some(6));
}

#[tokio::test]
async fn a_supervisor_that_was_started_and_never_got_its_orders_is_cleared_away() {
    let bench = Bench::new();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let mut shim = Command::new(FIXTURE)
        .arg("shim")
        .env_clear()
        .envs([("HOSTLER_RUN", bench.run.as_str()), ("HOSTLER_ATTEMPT", "1")])
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .spawn()
        .unwrap();
    let reaped = bench.agents.reap(&bench.folder(), &bench.run, 1).await.unwrap();
    assert_eq!((reaped.exit, reaped.tree), (None, TreeProof::Empty { killed: 1 }));
    assert!(!shim.wait().unwrap().success());
    drop(ours);
}

#[tokio::test]
async fn an_agent_that_its_record_does_not_know_yet_is_found() {
    let bench = Bench::new();
    let mut launch = bench.launch("echo ready; exec sleep 60");
    launch.containment = Containment::Sweep;
    let mut agent = bench.agents.start(launch).await.unwrap();
    hear_line(&mut agent, "ready").await;
    let mut record = agent.record.clone();
    drop(agent);
    kill(record.shim.pid);
    record.agent = None;
    fs::write(bench.folder().join(RECORD_FILE), serde_json::to_vec(&record).unwrap()).unwrap();
    let reaped = bench.agents.reap(&bench.folder(), &bench.run, 1).await.unwrap();
    assert!(reaped.tree.is_empty());
    assert_eq!(bench.marked(), Vec::<i32>::new());
}
