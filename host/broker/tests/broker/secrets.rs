//! A secret leaves in one header and is found nowhere else.

use std::collections::BTreeMap;
use std::path::Path;

use axum::http::Response;
use hostler_broker::{Gate, Limits, RESPONSE_BODY_BYTES, Secret, Secrets};
use hostler_engine::problem::ProblemKind;
use hostler_engine::request::HttpRequest;
use hostler_engine::rights::Rights;

use crate::granted::{SECRET, get, http, http_gate, send, token};
use crate::server::Server;

fn with_token(url: String) -> HttpRequest {
    HttpRequest { credential: Some("token".to_owned()), ..get(url) }
}

/// Repeats the credential in every way an honest server might.
async fn echo() -> Server {
    Server::start(|seen| {
        let value = seen.header("authorization").join(", ");
        Response::builder()
            .header("x-echo", &value)
            .body(format!("you sent {value}, that is %{SECRET}% or s3cret%2Fvalue%2B1").into())
            .unwrap()
    })
    .await
}

#[tokio::test]
async fn the_credential_is_injected_and_the_rest_of_the_request_kept() {
    let server = Server::ok().await;
    let gate = http_gate(vec![http(&server.origin)], vec![token(&server.origin)]);
    let request = HttpRequest {
        method: "POST".to_owned(),
        headers: vec![("X-One".to_owned(), "1".to_owned()), ("x-one".to_owned(), "2".to_owned())],
        body: b"{}".to_vec(),
        ..with_token(server.url("tasks?state=open"))
    };
    let response = send(&gate, request).await.unwrap();
    assert_eq!((response.status, response.body.as_slice()), (200, &b"ok"[..]));
    let [seen] = server.seen().try_into().unwrap();
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/api/tasks?state=open"));
    assert_eq!(seen.header("authorization"), [format!("Bearer {SECRET}")]);
    assert_eq!(seen.header("x-one"), ["1", "2"]);
    assert_eq!(seen.header("accept-encoding"), ["identity"]);
    assert!(seen.header("referer").is_empty() && seen.header("cookie").is_empty());
    assert_eq!(seen.body, b"{}");
}

#[tokio::test]
async fn without_being_asked_no_credential_is_sent() {
    let server = Server::ok().await;
    let gate = http_gate(vec![http(&server.origin)], vec![token(&server.origin)]);
    send(&gate, get(server.url(""))).await.unwrap();
    assert!(server.seen()[0].header("authorization").is_empty());
}

#[tokio::test]
async fn an_echo_of_the_secret_never_reaches_the_plugin() {
    let server = echo().await;
    let gate = http_gate(vec![http(&server.origin)], vec![token(&server.origin)]);
    let response = send(&gate, with_token(server.url(""))).await.unwrap();
    assert!(response.headers.contains(&("x-echo".to_owned(), "Bearer [secret removed]".to_owned())));
    assert_eq!(
        String::from_utf8(response.body).unwrap(),
        "you sent Bearer [secret removed], that is %[secret removed]% or [secret removed]"
    );
    // Also where this request carried none: the server may have kept it.
    let later = send(&gate, get(server.url(""))).await.unwrap();
    assert!(!String::from_utf8(later.body).unwrap().contains(SECRET));
}

#[tokio::test]
async fn an_answer_that_grows_by_removal_is_held_to_the_limit() {
    let server = Server::start(|_| Response::new("a".repeat(RESPONSE_BODY_BYTES / 4).into())).await;
    let rights =
        Rights { http: vec![http(&server.origin)], secret: vec![token(&server.origin)], ..Rights::default() };
    let secrets = Secrets::from_iter([("token-field", Secret::new("a"))]);
    let gate = Gate::new(&rights, &BTreeMap::new(), &secrets, Path::new("/"), Limits::default()).unwrap();
    let problem = send(&gate, get(server.url(""))).await.unwrap_err();
    assert!(problem.message.contains("larger than"), "{problem}");
}

#[tokio::test]
async fn cookies_are_neither_handed_over_nor_kept() {
    let server = Server::start(|_| {
        Response::builder().header("Set-Cookie", "session=1").header("X-Kept", "1").body("".into()).unwrap()
    })
    .await;
    let gate = http_gate(vec![http(&server.origin)], vec![]);
    for _ in 0..2 {
        let response = send(&gate, get(server.url(""))).await.unwrap();
        assert!(response.headers.contains(&("x-kept".to_owned(), "1".to_owned())));
        assert!(!response.headers.iter().any(|(name, _)| name == "set-cookie"));
    }
    assert!(server.seen().iter().all(|seen| seen.header("cookie").is_empty()));
}

#[tokio::test]
async fn a_missing_or_unusable_secret_is_a_problem_of_kind_auth() {
    let server = Server::ok().await;
    let rights =
        Rights { http: vec![http(&server.origin)], secret: vec![token(&server.origin)], ..Rights::default() };
    for secrets in [Secrets::default(), Secrets::from_iter([("token-field", Secret::new("two\nlines"))])] {
        let gate = Gate::new(&rights, &BTreeMap::new(), &secrets, Path::new("/"), Limits::default()).unwrap();
        let problem = send(&gate, with_token(server.url(""))).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Auth);
        assert!(problem.message.contains("`token-field`") && !problem.message.contains("lines"), "{problem}");
        send(&gate, get(server.url(""))).await.unwrap();
    }
    assert_eq!(server.seen().len(), 2);
}
