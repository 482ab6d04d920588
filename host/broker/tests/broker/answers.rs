//! What of an answer reaches the plugin, and how much of it.

use axum::body::Body;
use axum::http::Response;
use hostler_broker::{HEADER_BYTES, HEADERS, REQUEST_BODY_BYTES, RESPONSE_BODY_BYTES};
use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::request::{HttpRequest, HttpResponse};

use crate::granted::{get, http, http_gate, send};
use crate::server::{Server, Then, raw};

async fn fetch(origin: &str) -> Result<HttpResponse, Problem> {
    let gate = http_gate(vec![http(origin)], vec![]);
    send(&gate, get(format!("{origin}/api/"))).await
}

fn assert_too_much(answer: Result<HttpResponse, Problem>, says: &str) {
    let problem = answer.map(|answer| (answer.status, answer.body.len())).unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Permanent, "{problem}");
    assert!(problem.message.contains(says), "{problem}");
}

#[tokio::test]
async fn every_status_is_an_answer_and_retry_after_arrives() {
    for status in [204, 304, 401, 404, 429, 500, 503] {
        let server = Server::start(move |_| {
            let answer = Response::builder().status(status).header("Retry-After", "7");
            answer.body("".into()).unwrap()
        })
        .await;
        let answer = fetch(&server.origin).await.unwrap();
        assert_eq!(answer.status, status);
        assert!(answer.headers.contains(&("retry-after".to_owned(), "7".to_owned())));
        assert_eq!(server.seen().len(), 1, "the gate does not try again by itself");
    }
}

#[tokio::test]
async fn a_body_is_taken_up_to_the_limit() {
    let answer_of = |length: usize| Server::start(move |_| Response::new(Body::from(vec![b'x'; length])));
    let server = answer_of(RESPONSE_BODY_BYTES).await;
    assert_eq!(fetch(&server.origin).await.unwrap().body.len(), RESPONSE_BODY_BYTES);
    let server = answer_of(RESPONSE_BODY_BYTES + 1).await;
    assert_too_much(fetch(&server.origin).await, "larger than");
}

#[tokio::test]
async fn a_body_of_unannounced_length_is_cut_off_at_the_limit() {
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
    let endless = format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{}", chunk.repeat(6));
    let origin = raw(endless, Then::Hold).await;
    assert_too_much(fetch(&origin).await, "larger than");
}

#[tokio::test]
async fn a_huge_announcement_is_refused_before_the_body() {
    let origin = raw("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n", Then::Hold).await;
    assert_too_much(fetch(&origin).await, "larger than");
}

#[tokio::test]
async fn a_request_body_is_sent_up_to_the_limit() {
    let server = Server::ok().await;
    let gate = http_gate(vec![http(&server.origin)], vec![]);
    let post = |length: usize| HttpRequest {
        method: "POST".to_owned(),
        body: vec![b'x'; length],
        ..get(server.url(""))
    };
    send(&gate, post(REQUEST_BODY_BYTES)).await.unwrap();
    assert_too_much(send(&gate, post(REQUEST_BODY_BYTES + 1)).await, "send less");
    assert_eq!(server.seen().iter().map(|seen| seen.body.len()).collect::<Vec<_>>(), [REQUEST_BODY_BYTES]);
}

#[tokio::test]
async fn answer_headers_are_capped_in_number() {
    let with = |count: usize| format!("HTTP/1.1 204 OK\r\n{}\r\n", "a: b\r\n".repeat(count));
    let answer = fetch(&raw(with(HEADERS), Then::Hold).await).await.unwrap();
    assert_eq!(answer.headers.len(), HEADERS);
    assert_too_much(fetch(&raw(with(HEADERS + 1), Then::Hold).await).await, "65 headers");
    let flood = fetch(&raw(with(100 * HEADERS), Then::Hold).await).await.unwrap_err();
    assert!(flood.message.contains("broke"), "{flood}");
}

#[tokio::test]
async fn answer_headers_are_capped_in_bytes() {
    let with = |bytes: usize| format!("HTTP/1.1 204 OK\r\na: {}\r\n\r\n", "b".repeat(bytes - 1));
    assert_eq!(fetch(&raw(with(HEADER_BYTES), Then::Hold).await).await.unwrap().headers.len(), 1);
    assert_too_much(fetch(&raw(with(HEADER_BYTES + 1), Then::Hold).await).await, "more than");
}

#[tokio::test]
async fn an_answer_that_cannot_be_searched_for_secrets_is_refused() {
    let server = Server::start(|_| {
        Response::builder().header("content-encoding", "gzip").body("opaque".into()).unwrap()
    })
    .await;
    assert_too_much(fetch(&server.origin).await, "compressed");
}
