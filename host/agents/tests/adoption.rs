//! The host dies: the agent works on, and the next host takes it up again.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hostler_agents::{Adopted, Agent, Cause, EXIT_FILE, Ending, Stdin, StdinClosed, Stream, Transcript};
use hostler_engine::outcome::EndReason;
use rustix::process::{Pid, Signal, WaitOptions, waitpid};
use support::{Bench, FIXTURE, hear, hear_line, is_alive, kill, read_exit, send, until};

/// A host of its own, with one agent, killed after its agent has said `ready`.
fn killed_host(bench: &Bench, script: &str) {
    let mut host = started_host(bench, script);
    host.kill().unwrap();
    host.wait().unwrap();
}

fn started_host(bench: &Bench, script: &str) -> Child {
    let folder = bench.folder();
    let mut host = Command::new(FIXTURE)
        .args(["host", folder.to_str().unwrap(), &bench.run, script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(host.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    host
}

async fn adopt(bench: &Bench) -> Adopted {
    let transcript = Transcript::open(&bench.folder());
    bench.agents.adopt(&bench.folder(), &bench.run, 1, transcript).await.unwrap()
}

async fn adopt_live(bench: &Bench) -> Agent {
    match adopt(bench).await {
        Adopted::Live(agent) => agent,
        Adopted::Over { reaped, .. } => panic!("it should live: {reaped:?}"),
    }
}

fn counting(to: u32) -> String {
    format!("echo ready; i=1; while [ $i -le {to} ]; do echo $i; i=$((i+1)); done; exit 9")
}

#[tokio::test]
async fn a_killed_host_costs_the_next_no_line_and_no_exit() {
    let bench = Bench::new();
    // Endless until told, so that it surely talks across the host's death.
    let go = bench.home.path().join("go");
    let script = format!(
        "echo ready; i=1; until [ -e {} ]; do echo $i; i=$((i+1)); done; echo last $i; exit 9",
        go.display()
    );
    killed_host(&bench, &script);
    let mut agent = adopt_live(&bench).await;
    fs::write(go, "").unwrap();
    let heard = hear(&mut agent).await;

    let count = heard.stdout.len() - 2;
    assert_eq!(heard.stdout[0], "ready");
    assert!(heard.stdout[1..=count].iter().zip(1..).all(|(line, number)| *line == number.to_string()));
    assert_eq!(heard.stdout[count + 1], format!("last {}", count + 1));
    assert_eq!(heard.exit().ending, Ending::Code(9));
    assert_eq!(heard.exit().cause, Cause::Itself);
    assert_eq!(*heard.exit(), read_exit(&bench.folder()));
}

#[tokio::test]
async fn reading_goes_on_where_the_last_host_stopped() {
    let bench = Bench::new();
    let mut launch = bench.launch("printf 'one\\ntwo\\nthr'; read -r _; echo ee; echo four");
    launch.stdin = Stdin::Open(Vec::new());
    let agent = bench.agents.start(launch).await.unwrap();
    until("the agent has spoken", || {
        fs::read(bench.folder().join("stdout.log")).unwrap() == b"one\ntwo\nthr"
    })
    .await;
    drop(agent);

    let mut transcript = Transcript::open(&bench.folder());
    assert_eq!(transcript.read_to(Stream::Stdout, 6).unwrap().len(), 1);
    let adopted = bench.agents.adopt(&bench.folder(), &bench.run, 1, transcript).await.unwrap();
    let Adopted::Live(mut agent) = adopted else { panic!("it waits for its input") };
    agent.handle().write_stdin(1, b"\n".to_vec()).await.unwrap();
    assert_eq!(hear(&mut agent).await.stdout, ["two", "three", "four"]);
}

#[tokio::test]
async fn an_agent_that_ends_while_nobody_is_there_tells_its_true_exit_and_all_it_said() {
    let bench = Bench::new();
    killed_host(&bench, &counting(20_000));
    until("the exit is written", || bench.folder().join(EXIT_FILE).exists()).await;
    let Adopted::Over { reaped, mut transcript } = adopt(&bench).await else { panic!("it should be over") };
    let exit = reaped.exit.unwrap();
    assert_eq!((exit.code(), exit.cause, exit.truncated), (Some(9), Cause::Itself, false));
    assert!(reaped.tree.is_empty());
    let lines = transcript.read_to(Stream::Stdout, u64::MAX).unwrap();
    assert_eq!(lines.len(), 20_001);
    assert_eq!(lines[20_000].text, "20000");
    assert!(!bench.folder().join("shim.sock").exists());
}

#[tokio::test]
async fn dropping_an_agent_leaves_it_at_work() {
    let bench = Bench::new();
    let mut agent = bench.start("echo ready; exec sleep 60").await;
    hear_line(&mut agent, "ready").await;
    let handle = agent.handle();
    drop(agent);
    // It has nobody to say it to any more.
    handle.end(EndReason::Cancelled, Duration::ZERO).await;
    assert_eq!(handle.write_stdin(1, Vec::new()).await, Err(StdinClosed));

    let mut agent = adopt_live(&bench).await;
    agent.handle().end(EndReason::Finished, Duration::ZERO).await;
    assert_eq!(hear(&mut agent).await.exit().cause, Cause::Host(EndReason::Finished));
}

#[tokio::test]
async fn a_message_said_again_after_adoption_is_heard_once() {
    let bench = Bench::new();
    let mut launch = bench.launch("while read -r line; do echo \"heard $line\"; done; echo bye");
    launch.stdin = Stdin::Open(Vec::new());
    let mut agent = bench.agents.start(launch).await.unwrap();
    agent.handle().write_stdin(1, b"one\n".to_vec()).await.unwrap();
    hear_line(&mut agent, "heard one").await;
    drop(agent);

    let mut agent = adopt_live(&bench).await;
    let handle = agent.handle();
    handle.write_stdin(1, b"one\n".to_vec()).await.unwrap();
    handle.write_stdin(2, b"two\n".to_vec()).await.unwrap();
    handle.close_stdin(3).await;
    assert_eq!(hear(&mut agent).await.stdout, ["heard one", "heard two", "bye"]);
}

#[tokio::test]
async fn the_newest_host_has_the_agent_and_the_older_hears_no_more() {
    let bench = Bench::new();
    let mut launch = bench.launch("echo ready; read -r line; echo $line");
    launch.stdin = Stdin::Open(Vec::new());
    let mut first = bench.agents.start(launch).await.unwrap();
    hear_line(&mut first, "ready").await;
    let mut second = adopt_live(&bench).await;
    let mut third = adopt_live(&bench).await;
    for older in [&mut first, &mut second] {
        assert!(hear(older).await.exits.is_empty());
        assert!(older.next().await.is_none());
        let refused = older.handle().write_stdin(1, b"no\n".to_vec()).await;
        assert_eq!(refused, Err(StdinClosed));
    }
    third.handle().write_stdin(1, b"yes\n".to_vec()).await.unwrap();
    assert_eq!(hear(&mut third).await.stdout, ["ready", "yes"]);
}

#[tokio::test]
async fn a_stopped_supervisor_is_woken_and_adopted() {
    let bench = Bench::new();
    killed_host(&bench, "echo ready; read -r _");
    let record = bench.record();
    send(record.shim.pid, Signal::STOP);
    let mut agent = adopt_live(&bench).await;
    agent.handle().end(EndReason::Cancelled, Duration::ZERO).await;
    assert_eq!(hear(&mut agent).await.exit().cause, Cause::Host(EndReason::Cancelled));
}

#[tokio::test]
async fn a_supervisor_whose_socket_is_gone_is_told_to_end_by_a_signal() {
    let bench = Bench::new();
    killed_host(&bench, "echo ready; exec sleep 60");
    fs::remove_file(bench.folder().join("shim.sock")).unwrap();
    let reaped = bench.agents.reap(&bench.folder(), &bench.run, 1).await.unwrap();
    assert_eq!(reaped.exit.unwrap().cause, Cause::Host(EndReason::Stopping));
    assert_eq!(bench.marked(), Vec::<i32>::new());
}

#[tokio::test]
async fn a_supervisor_that_died_alone_is_swept_up_after() {
    let bench = Bench::new();
    killed_host(&bench, "echo ready; exec sleep 60");
    kill(bench.record().shim.pid);
    let Adopted::Over { reaped, .. } = adopt(&bench).await else { panic!("nobody is there to adopt from") };
    assert_eq!(reaped.exit, None);
    assert!(reaped.tree.is_empty());
    assert_eq!(bench.marked(), Vec::<i32>::new());
}

#[tokio::test]
async fn an_attempt_that_never_started_is_over_without_an_exit() {
    let bench = Bench::new();
    let Adopted::Over { reaped, .. } = adopt(&bench).await else { panic!("there is nothing") };
    assert_eq!(reaped.exit, None);
}

#[tokio::test]
async fn an_agent_cannot_command_its_own_supervisor() {
    let bench = Bench::new();
    let folder = bench.folder();
    let script = format!("{FIXTURE} command-shim {} {}; exit 3", folder.display(), bench.run);
    let heard = hear(&mut bench.start(&script).await).await;
    assert_eq!(heard.stdout, ["refused"]);
    assert_eq!((heard.exit().code(), heard.exit().cause), (Some(3), Cause::Itself));
}

#[tokio::test]
async fn a_folder_deeper_than_the_name_of_a_socket_is_no_matter() {
    let mut bench = Bench::new();
    let deep = bench.home.path().join("deep".repeat(40)).join("deeper".repeat(20));
    let mut launch = bench.launch("echo ready; exec sleep 60");
    launch.folder.clone_from(&deep);
    let mut agent = bench.agents.start(launch).await.unwrap();
    hear_line(&mut agent, "ready").await;
    drop(agent);
    bench.folder_name = deep;
    let mut agent = adopt_live(&bench).await;
    agent.handle().end(EndReason::Cancelled, Duration::ZERO).await;
    assert!(hear(&mut agent).await.exit().tree.is_empty());
}

#[tokio::test]
async fn the_batches_of_a_host_are_read_again_by_their_ends() {
    let bench = Bench::new();
    let heard = hear(&mut bench.start("seq 1 30000; printf tail").await).await;
    let mut transcript = Transcript::open(&bench.folder());
    for (source, end, count) in heard.ends {
        let again = transcript.read_to(source, end).unwrap();
        let tail = usize::from(again.len() < count);
        assert_eq!(again.len() + tail, count);
    }
    assert_eq!(transcript.finish(Stream::Stdout).unwrap().text, "tail");
}

#[tokio::test]
async fn a_lease_that_nobody_renews_ends_the_agent_without_a_host() {
    let bench = Bench::new();
    let agent = bench.start("trap '' TERM; echo ready; exec sleep 60").await;
    agent.handle().keep(Some(Duration::from_millis(300)), None).await;
    let shim = agent.record.shim.pid;
    drop(agent);
    until("the shim is gone", || !is_alive(shim)).await;
    assert_eq!(read_exit(&bench.folder()).cause, Cause::LeaseOver);
    assert_eq!(bench.marked(), Vec::<i32>::new());
}

#[tokio::test]
async fn a_lease_that_is_renewed_does_not_end_the_agent() {
    let bench = Bench::new();
    let mut agent = bench.start("echo ready; sleep 3; echo done").await;
    let handle = agent.handle();
    let renewing = tokio::spawn(async move {
        loop {
            handle.keep(Some(Duration::from_millis(1500)), None).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let heard = hear(&mut agent).await;
    renewing.abort();
    assert_eq!(heard.stdout, ["ready", "done"]);
    assert_eq!(heard.exit().cause, Cause::Itself);
}

#[tokio::test]
async fn the_time_limit_holds_without_a_host() {
    let bench = Bench::new();
    let agent = bench.start("echo ready; exec sleep 60").await;
    agent.handle().keep(None, Some(Duration::from_millis(300))).await;
    let shim = agent.record.shim.pid;
    drop(agent);
    until("the shim is gone", || !is_alive(shim)).await;
    let exit = read_exit(&bench.folder());
    assert_eq!(exit.ended_by_host(), Some(EndReason::TimedOut));
    assert_eq!(exit.signal(), Some(Signal::TERM.as_raw()));
}

#[tokio::test]
async fn the_next_host_hears_no_secret_though_it_knows_none() {
    let bench = Bench::new();
    let mut launch = bench.launch("read -r _; echo the s3cr3t");
    launch.stdin = Stdin::Open(Vec::new());
    launch.secrets = vec!["s3cr3t".into()];
    drop(bench.agents.start(launch).await.unwrap());
    let mut agent = adopt_live(&bench).await;
    agent.handle().write_stdin(1, b"\n".to_vec()).await.unwrap();
    assert_eq!(hear(&mut agent).await.stdout, ["the ******"]);
}

/// A host's end of a conversation, led by hand: it has started an agent with this
/// script, and has said nothing since.
fn host_by_hand(bench: &Bench, script: &str) -> (Child, UnixStream) {
    fs::create_dir(bench.folder()).unwrap();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    let shim = Command::new(FIXTURE)
        .arg("shim")
        .stdin(Stdio::from(std::os::fd::OwnedFd::from(theirs)))
        .spawn()
        .unwrap();
    let orders = serde_json::json!({
        "run": bench.run, "attempt": 1, "folder": bench.folder(), "cwd": "/", "program": "/bin/sh",
        "args": ["-c", script], "stdin": {"open": ""}, "limits": {}, "containment": "auto",
        "env": [["PATH", std::env::var("PATH").unwrap()], ["HOSTLER_RUN", bench.run]],
    });
    writeln!(ours, "{orders}").unwrap();
    let mut answer = String::new();
    BufReader::new(&ours).read_line(&mut answer).unwrap();
    assert!(answer.contains("\"here\""), "{answer}");
    (shim, ours)
}

#[tokio::test]
async fn a_host_that_is_gone_before_it_said_what_to_hide_leaves_no_agent_and_no_word() {
    let bench = Bench::new();
    let (mut shim, host) = host_by_hand(&bench, "echo s3cr3t; sleep 60");
    drop(host);
    until("the supervisor has ended", || shim.try_wait().unwrap().is_some()).await;
    let exit = read_exit(&bench.folder());
    assert_eq!(exit.cause, Cause::Host(EndReason::Stopping));
    assert!(exit.tree.is_empty() && exit.truncated);
    assert_eq!(fs::read(bench.folder().join("stdout.log")).unwrap(), b"");
    assert_eq!(bench.marked(), [0; 0]);
}

#[tokio::test]
async fn what_a_host_said_last_counts_though_the_next_is_at_the_door_already() {
    let bench = Bench::new();
    let (mut shim, mut first) = host_by_hand(&bench, "read -r _; echo the s3cr3t");
    let pid = i32::try_from(shim.id()).unwrap();
    // It finds the last words of the one and the hello of the other at once.
    send(pid, Signal::STOP);
    waitpid(Pid::from_raw(pid), WaitOptions::UNTRACED).unwrap();
    writeln!(first, "{}", serde_json::json!({"hide": {"secrets": ["s3cr3t"]}})).unwrap();
    drop(first);
    let mut second = UnixStream::connect(bench.folder().join("shim.sock")).unwrap();
    let hello = serde_json::json!({"hello": {"protocol": 1, "run": bench.run, "attempt": 1}});
    writeln!(second, "{hello}").unwrap();
    send(pid, Signal::CONT);
    BufReader::new(&second).read_line(&mut String::new()).unwrap();

    let mut agent = adopt_live(&bench).await;
    agent.handle().write_stdin(1, b"\n".to_vec()).await.unwrap();
    assert_eq!(hear(&mut agent).await.stdout, ["the ******"]);
    assert!(shim.wait().unwrap().success());
}
