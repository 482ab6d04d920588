//! A contained agent reaches nothing but its host's listener, and that whoever the
//! host is.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::time::Duration;

use hostler_agents::{Adopted, Agent, Transcript};
use hostler_engine::outcome::EndReason;
use hostler_engine::sandbox::Tier;
use support::machine::{Machine, PORT, User};
use support::{hear, hear_line};

/// Lets whoever is the host now answer one question.
async fn answer_one(agent: &Agent) -> String {
    let listener = agent.listener().await.unwrap().unwrap();
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    let (socket, _) = tokio::time::timeout(support::PATIENCE, listener.accept()).await.unwrap().unwrap();
    let mut socket = socket.into_std().unwrap();
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(support::PATIENCE)).unwrap();
    let mut question = String::new();
    socket.read_to_string(&mut question).unwrap();
    socket.write_all(format!("so you say {question}").as_bytes()).unwrap();
    question
}

/// Each is shown to be there for an agent without a sandbox first.
#[tokio::test]
async fn nothing_that_listens_on_the_machine_is_reached_from_a_network_of_its_own() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = tcp.local_addr().unwrap().port();
    for user in User::all() {
        let machine = Machine::new(*user);
        let _in_home = UnixListener::bind(machine.path("home/socket")).unwrap();
        let _hidden = UnixListener::bind(machine.path("secret/socket")).unwrap();
        machine.belongs_to_its_user();
        let name = format!("hostler-test-{}", machine.bench.run);
        let _abstract = UnixListener::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        let script = format!(
            "for to in 'tcp 127.0.0.1:{port}' 'abstract {name}' \"socket $ROOT/home/socket\" \
             \"socket $ROOT/secret/socket\"; do ./fixture attack $to; done"
        );
        let outside = machine.run(Tier::None, &script).await.unwrap();
        assert_eq!(outside.stdout, ["worked"; 4], "{user:?}: {outside:?}");
        machine.next_attempt();
        let Some(inside) = machine.run(Tier::Contained, &script).await else { continue };
        assert_eq!(inside.stdout.len(), 4, "{inside:?}");
        for line in &inside.stdout {
            assert!(line.starts_with("refused: "), "{user:?}: {inside:?}");
        }
    }
}

#[tokio::test]
async fn from_a_network_of_its_own_no_address_is_reached_directly() {
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_nonblocking(true).unwrap();
    let port = udp.local_addr().unwrap().port();
    // An address that belongs to nobody; here there is no way to it at all.
    let script = format!("./fixture attack tcp 192.0.2.1:80; ./fixture attack udp 127.0.0.1:{port}");
    for user in User::all() {
        let machine = Machine::new(*user);
        let Some(heard) = machine.run(Tier::Contained, &script).await else { continue };
        assert!(heard.stdout[0].contains("unreachable"), "{user:?}: {heard:?}");
        assert!(udp.recv(&mut [0]).is_err(), "{user:?}: {heard:?}");
    }
    let machine = Machine::new(User::Me);
    machine.run(Tier::None, &script.replace("tcp 192.0.2.1:80", "udp 127.0.0.1:1")).await.unwrap();
    assert!(udp.recv(&mut [0]).is_ok(), "without a sandbox it would have come");
}

#[tokio::test]
async fn through_the_listener_an_agent_reaches_its_host_and_the_next_one_too() {
    for user in User::all() {
        let machine = Machine::new(*user);
        machine.bring_fixture();
        let script = format!(
            "ask() {{ ./fixture ask 127.0.0.1:{PORT} $1; }}; ask one; echo between; ask two; exec sleep 60"
        );
        let launch = machine.launch(machine.sandbox(Tier::Contained), &script);
        let Some(mut agent) = machine.start(launch).await else { continue };
        assert_eq!(agent.record.listener, Some(PORT));
        assert_eq!(answer_one(&agent).await, "one");
        hear_line(&mut agent, "between").await;
        // The second question waits while there is no host.
        let transcript = Transcript::open(&machine.bench.folder());
        drop(agent);
        let agents = &machine.bench.agents;
        let adopted = agents.adopt(&machine.bench.folder(), &machine.bench.run, 1, transcript).await;
        let Adopted::Live(mut agent) = adopted.unwrap() else { panic!("it ended") };
        assert_eq!(answer_one(&agent).await, "two");
        hear_line(&mut agent, "so you say two").await;
        agent.handle().end(EndReason::Cancelled, Duration::ZERO).await;
        assert!(hear(&mut agent).await.exit().tree.is_empty());
        assert!(agent.listener().await.is_err(), "nobody is there to ask");
    }
}

#[tokio::test]
async fn an_agent_with_the_network_of_the_machine_has_no_listener() {
    let machine = Machine::new(User::Me);
    let launch = machine.launch(machine.sandbox(Tier::Basic), "exec sleep 60");
    let Some(mut agent) = machine.start(launch).await else { return };
    assert!(agent.listener().await.unwrap().is_none());
    agent.handle().end(EndReason::Cancelled, Duration::ZERO).await;
    hear(&mut agent).await;
}
