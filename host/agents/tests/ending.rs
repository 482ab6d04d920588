//! Ending a tree: all of it, and nothing else.
#![allow(clippy::unwrap_used)]

mod support;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use hostler_agents::{Cause, Ending, TreeProof};
use hostler_engine::outcome::EndReason;
use rustix::process::Signal;
use support::{Bench, FIXTURE, hear, hear_line, is_alive, read_exit, send};

/// A tree that ignores SIGTERM, with daemons and hoppers.
fn nasty() -> String {
    format!("trap '' TERM HUP; exec {FIXTURE} nasty")
}

const SOON: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_tree_that_does_not_want_to_end_is_gone_after_the_grace() {
    let bench = Bench::new();
    let mut agent = bench.start(&nasty()).await;
    hear_line(&mut agent, "ready").await;
    agent.handle().end(EndReason::Cancelled, SOON).await;
    let heard = hear(&mut agent).await;

    assert_eq!(bench.marked(), Vec::<i32>::new());
    let exit = heard.exit();
    assert_eq!(exit.ending, Ending::Signal(Signal::KILL.as_raw()));
    assert_eq!(exit.cause, Cause::Host(EndReason::Cancelled));
    assert!(matches!(exit.tree, TreeProof::Empty { killed } if killed >= 5), "{exit:?}");
    assert_eq!(*exit, read_exit(&bench.folder()));
}

#[tokio::test]
async fn a_sibling_and_a_stranger_survive_the_end_of_a_tree() {
    let (bench, other) = (Bench::new(), Bench::new());
    let mut stranger = Command::new("sleep").arg("60").stdin(Stdio::null()).spawn().unwrap();
    let mut sibling = other.start("echo ready; exec sleep 60").await;
    hear_line(&mut sibling, "ready").await;
    let mut agent = bench.start(&nasty()).await;
    hear_line(&mut agent, "ready").await;

    agent.handle().end(EndReason::TimedOut, Duration::ZERO).await;
    hear(&mut agent).await;
    assert_eq!(bench.marked(), Vec::<i32>::new());
    assert!(sibling.record.agent.as_ref().unwrap().is_alive());
    assert!(sibling.record.shim.is_alive());
    assert_eq!(stranger.try_wait().unwrap(), None);

    stranger.kill().unwrap();
    stranger.wait().unwrap();
}

#[tokio::test]
async fn an_agent_may_end_well_within_its_grace() {
    let bench = Bench::new();
    let script = "trap 'echo saved; exit 3' TERM; echo ready; while :; do sleep 60 & wait $!; done";
    let mut agent = bench.start(script).await;
    hear_line(&mut agent, "ready").await;
    let asked = Instant::now();
    agent.handle().end(EndReason::Stopping, Duration::from_secs(30)).await;
    let heard = hear(&mut agent).await;
    assert_eq!(heard.stdout, ["saved"]);
    assert_eq!(heard.exit().ending, Ending::Code(3));
    assert_eq!(heard.exit().ended_by_host(), Some(EndReason::Stopping));
    assert!(asked.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_daemon_left_behind_holding_the_pipe_neither_stays_nor_delays_the_exit() {
    let bench = Bench::new();
    let started = Instant::now();
    let mut agent = bench.start(&format!("trap '' TERM HUP; {FIXTURE} daemon; echo done; exit 4")).await;
    let heard = hear(&mut agent).await;
    assert_eq!(heard.stdout, ["done"]);
    assert_eq!(heard.exit().ending, Ending::Code(4));
    assert_eq!(heard.exit().cause, Cause::Itself);
    assert_eq!(heard.exit().tree, TreeProof::Empty { killed: 1 });
    assert_eq!(bench.marked(), Vec::<i32>::new());
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
}

#[tokio::test]
async fn what_a_straggler_says_in_its_last_moment_is_not_lost() {
    let bench = Bench::new();
    let script =
        "(trap 'echo last words; exit' TERM; echo up; while :; do sleep 60 & wait $!; done) & sleep 60";
    let mut agent = bench.start(script).await;
    hear_line(&mut agent, "up").await;
    send(agent.record.agent.as_ref().unwrap().pid, Signal::KILL);
    let heard = hear(&mut agent).await;
    assert_eq!(heard.stdout, ["last words"]);
    assert_eq!(heard.exit().ending, Ending::Signal(9));
    assert_eq!(heard.exit().cause, Cause::Itself);
}

#[tokio::test]
async fn a_killed_supervisor_does_not_free_its_agent() {
    let bench = Bench::new();
    let mut agent = bench.start(&nasty()).await;
    hear_line(&mut agent, "ready").await;
    send(agent.record.shim.pid, Signal::KILL);
    let heard = hear(&mut agent).await;
    assert_eq!(bench.marked(), Vec::<i32>::new());
    assert_eq!(heard.exit().cause, Cause::ShimLost);
    assert_eq!(heard.exit().ending, Ending::Unknown);
    assert!(heard.exit().tree.is_empty(), "{:?}", heard.exit());
    assert_eq!(*heard.exit(), read_exit(&bench.folder()));
}

#[tokio::test]
async fn every_child_is_reaped() {
    let bench = Bench::new();
    let mut agent = bench.start("true & true & sleep 0; exit 0").await;
    let shim = agent.record.shim.pid;
    hear(&mut agent).await;
    assert!(!std::path::Path::new(&format!("/proc/{shim}")).exists());
    assert!(!is_alive(shim));
}
