//! Servers that are slow, gone, broken or not what they seem.

use std::sync::Arc;

use hostler_broker::EFFECTS_AT_ONCE;
use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::request::HttpRequest;
use hostler_engine::time::Millis;

use crate::granted::{get, http, http_gate, send};
use crate::server::{Then, nobody, raw, silent};

async fn problem_with(origin: &str, timeout: Option<Millis>) -> Problem {
    let gate = http_gate(vec![http(origin)], vec![]);
    let request = HttpRequest { timeout, ..get(format!("{origin}/api/?query-text")) };
    let problem = send(&gate, request).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Transient, "{problem}");
    assert!(!problem.message.contains("query-text"), "{problem}");
    assert_eq!(gate.denials().total(), 0);
    problem
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_in_time() {
    let origin = raw("", Then::Hold).await;
    let problem = problem_with(&origin, Some(Millis(150))).await;
    assert_eq!(problem.message, format!("{origin} did not answer within 150ms"));
}

#[tokio::test]
async fn the_time_counts_for_the_body_too() {
    let origin = raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", Then::Hold).await;
    let problem = problem_with(&origin, Some(Millis(150))).await;
    assert!(problem.message.contains("did not answer within"), "{problem}");
}

#[tokio::test]
async fn a_cut_connection_is_told_wherever_it_is_cut() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhal";
    for part in ["", "HTTP/1.1 200 O", "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", chunked] {
        let origin = raw(part, Then::Close).await;
        let problem = problem_with(&origin, None).await;
        assert!(
            problem.message.contains(&format!("the connection to {origin} broke")),
            "{part:?}: {problem}"
        );
    }
}

#[tokio::test]
async fn what_is_not_http_is_a_broken_connection() {
    let origin = raw("SSH-2.0-OpenSSH\r\n\r\n", Then::Close).await;
    assert!(problem_with(&origin, None).await.message.contains("broke"));
}

#[tokio::test]
async fn a_server_that_is_down_is_named() {
    let origin = nobody().await;
    let problem = problem_with(&origin, None).await;
    assert!(problem.message.starts_with(&format!("could not connect to {origin} (")), "{problem}");
}

#[tokio::test]
async fn a_server_without_tls_is_told_apart_from_one_that_is_down() {
    let plain = raw("HTTP/1.1 400 Bad Request\r\n\r\n", Then::Close).await;
    let origin = plain.replace("http:", "https:");
    let problem = problem_with(&origin, None).await;
    assert!(problem.message.starts_with(&format!("could not agree on TLS with {origin} (")), "{problem}");
}

#[tokio::test]
async fn only_so_many_requests_of_a_plugin_are_under_way_at_once() {
    let (origin, mut arrivals) = silent().await;
    let gate = Arc::new(http_gate(vec![http(&origin)], vec![]));
    let mut under_way = Vec::new();
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..EFFECTS_AT_ONCE {
        let (gate, request) = (Arc::clone(&gate), get(format!("{origin}/api/")));
        waiting.spawn(async move { send(&gate, request).await });
        under_way.push(arrivals.recv().await.unwrap());
    }
    let one_more = || HttpRequest { timeout: Some(Millis(100)), ..get(format!("{origin}/api/")) };
    send(&gate, one_more()).await.unwrap_err();
    assert!(arrivals.try_recv().is_err(), "one more than allowed was sent");
    waiting.shutdown().await;
    send(&gate, one_more()).await.unwrap_err();
    assert!(arrivals.try_recv().is_ok(), "the turns were not given back");
}
