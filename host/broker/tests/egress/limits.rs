//! Every limit holds at its value and one beyond.

use std::time::Duration;

use hostler_broker::Network;
use hostler_broker::egress::{AGENT_CONNECTIONS, AGENT_HEAD_BYTES, AGENT_HEADERS, EgressLimits};
use hostler_engine::time::Millis;

use crate::stage::{Server, Stage, allow};

fn within(limits: EgressLimits) -> Stage {
    Stage::on(&Network::default(), allow(&[], &[]), limits)
}

/// A request that is denied, with so many bytes and headers in its head.
fn request(bytes: usize, headers: usize) -> String {
    let others = "x-other: 1\r\n".repeat(headers - 1);
    let head = format!("CONNECT a.example:443 HTTP/1.1\r\n{others}");
    let filling = bytes.saturating_sub(head.len() + "x: \r\n\r\n".len());
    head + &format!("x: {}\r\n\r\n", "1".repeat(filling))
}

#[tokio::test]
async fn a_head_of_so_many_bytes_is_read_and_one_byte_more_is_not() {
    let stage = within(EgressLimits::default());
    assert_eq!(request(AGENT_HEAD_BYTES, 1).len(), AGENT_HEAD_BYTES);
    let mut agent = stage.connect().await;
    agent.say(&request(AGENT_HEAD_BYTES, 1)).await;
    assert!(agent.until("\r\n").await.starts_with("HTTP/1.1 403"));
    let mut agent = stage.connect().await;
    agent.say(&request(AGENT_HEAD_BYTES + 1, 1)).await;
    let answer = agent.until("\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn so_many_headers_are_read_and_one_more_is_not() {
    let stage = within(EgressLimits::default());
    let mut agent = stage.connect().await;
    agent.say(&request(0, AGENT_HEADERS)).await;
    assert!(agent.until("\r\n").await.starts_with("HTTP/1.1 403"));
    let mut agent = stage.connect().await;
    agent.say(&request(0, AGENT_HEADERS + 1)).await;
    let answer = agent.until("\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn so_many_connections_are_served_at_once_and_one_more_waits_for_its_turn() {
    let server = Server::start().await;
    let to = server.at("127.0.0.1");
    let stage = Stage::new(allow(std::slice::from_ref(&to), &[]));
    let connect = format!("CONNECT {to} HTTP/1.1\r\n\r\n");
    let mut open = Vec::new();
    for _ in 0..AGENT_CONNECTIONS {
        let mut agent = stage.connect().await;
        agent.say(&connect).await;
        assert!(agent.until("\r\n\r\n").await.starts_with("HTTP/1.1 200"));
        open.push((agent, server.accept().await));
    }
    let mut waiting = stage.connect().await;
    waiting.say(&connect).await;
    let answer = tokio::time::timeout(Duration::from_millis(200), waiting.until("\r\n\r\n")).await;
    assert!(answer.is_err(), "one more was served");
    assert!(server.untouched().await);
    open.pop();
    let mut late = server.accept().await;
    late.say("served").await;
    // The head may have been taken out of the connection while it was waited for.
    waiting.until("served").await;
}

#[tokio::test]
async fn a_client_that_does_not_finish_its_request_is_let_go() {
    let stage = within(EgressLimits { head_within: Millis(100), ..EgressLimits::default() });
    let mut agent = stage.connect().await;
    agent.say("CONNECT a.example:443 HT").await;
    assert!(!agent.rest().await.contains(" 200 "));
    let mut silent = stage.connect().await;
    assert!(!silent.rest().await.contains(" 200 "));
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_moves_ends_and_one_in_which_something_does_goes_on() {
    let server = Server::start().await;
    let to = server.at("127.0.0.1");
    let limits = EgressLimits { idle: Millis(400), ..EgressLimits::default() };
    let stage = Stage::on(&Network::default(), allow(std::slice::from_ref(&to), &[]), limits);
    let mut agent = stage.connect().await;
    agent.say(&format!("CONNECT {to} HTTP/1.1\r\n\r\n")).await;
    agent.until("\r\n\r\n").await;
    let mut far = server.accept().await;
    let began = tokio::time::Instant::now();
    let mut last = began;
    while began.elapsed() < Duration::from_millis(800) {
        last = tokio::time::Instant::now();
        far.say(".").await;
        agent.hear(1).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((agent.rest().await, far.rest().await), (String::new(), String::new()));
    assert!(last.elapsed() >= limits.idle.duration(), "the last movement counts");
}
