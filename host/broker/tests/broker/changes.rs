//! An answer that did not change is not sent again.

use axum::http::Response;
use hostler_engine::request::HttpRequest;

use crate::granted::{SECRET, get, http, http_gate, send, token};
use crate::server::{Seen, Server};

/// Answers with a tag, and with 304 to whoever has that answer.
fn tagged(seen: &Seen) -> axum::response::Response {
    let answer = Response::builder().header("etag", "\"v1\"").header("x-left", "7");
    if seen.header("if-none-match") == ["\"v1\""] {
        return answer.status(304).body("".into()).unwrap();
    }
    let body = format!("for {}", seen.header("authorization").join(","));
    answer.header("content-type", "text/plain").body(body.into()).unwrap()
}

#[tokio::test]
async fn an_unchanged_answer_is_given_again_as_it_was() {
    let server = Server::start(tagged).await;
    let gate = http_gate(vec![http(&server.origin)], vec![token(&server.origin)]);
    let request = HttpRequest { credential: Some("token".to_owned()), ..get(server.url("tasks")) };
    let first = send(&gate, request.clone()).await.unwrap();
    let again = send(&gate, request).await.unwrap();
    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!(first.body, b"for Bearer [secret removed]");
    assert_eq!(again.body, first.body);
    let has = |name: &str, value: &str| again.headers.contains(&(name.to_owned(), value.to_owned()));
    assert!(has("content-type", "text/plain") && has("x-left", "7"), "{:?}", again.headers);
    let asked: Vec<usize> = server.seen().iter().map(|seen| seen.header("if-none-match").len()).collect();
    assert_eq!(asked, [0, 1]);
    assert!(server.seen()[1].header("authorization")[0].contains(SECRET), "the server still decides");
}

#[tokio::test]
async fn what_was_got_with_a_credential_is_asked_about_with_the_same_only() {
    let server = Server::start(tagged).await;
    let gate = http_gate(vec![http(&server.origin)], vec![token(&server.origin)]);
    let with = |credential: Option<&str>| {
        let credential = credential.map(str::to_owned);
        HttpRequest { credential, ..get(server.url("tasks")) }
    };
    send(&gate, with(Some("token"))).await.unwrap();
    let without = send(&gate, with(None)).await.unwrap();
    assert_eq!(without.body, b"for ");
    let another = http_gate(vec![http(&server.origin)], vec![token(&server.origin)]);
    send(&another, with(Some("token"))).await.unwrap();
    assert!(server.seen().iter().all(|seen| seen.header("if-none-match").is_empty()));
}

#[tokio::test]
async fn a_plugin_that_asks_about_changes_itself_gets_what_the_server_sends() {
    let server = Server::start(tagged).await;
    let gate = http_gate(vec![http(&server.origin)], vec![]);
    send(&gate, get(server.url("tasks"))).await.unwrap();
    let headers = vec![("If-None-Match".to_owned(), "\"v1\"".to_owned())];
    let own = send(&gate, HttpRequest { headers, ..get(server.url("tasks")) }).await.unwrap();
    assert_eq!((own.status, own.body.len()), (304, 0));
}
