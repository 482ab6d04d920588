//! What no right covers is refused before anything is sent, and counted.

use std::time::Instant;

use hostler_engine::problem::{Problem, ProblemKind};
use hostler_engine::request::{HttpRequest, PluginEffect};
use hostler_engine::time::Millis;

use crate::granted::{SECRET, get, http, http_gate, send, token};
use crate::server::Server;

fn assert_denied(problem: &Problem, says: &str) {
    assert_eq!(problem.kind, ProblemKind::Denied, "{problem}");
    assert!(problem.message.contains(says), "`{problem}` does not say `{says}`");
}

#[tokio::test]
async fn without_a_grant_nothing_is_sent() {
    let server = Server::ok().await;
    let gate = http_gate(vec![], vec![]);
    let problem = send(&gate, get(server.url("tasks"))).await.unwrap_err();
    assert_denied(&problem, &format!("no grant covers requests to {} (granted: nothing)", server.origin));
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn another_scheme_host_or_port_is_denied() {
    let (server, other) = (Server::ok().await, Server::ok().await);
    let gate = http_gate(vec![http(&server.origin)], vec![]);
    let https = server.url("").replace("http:", "https:");
    let host = server.url("").replace("127.0.0.1", "localhost");
    for url in [https, host, other.url("")] {
        assert_denied(&send(&gate, get(url)).await.unwrap_err(), &server.origin);
    }
    assert!(server.seen().is_empty() && other.seen().is_empty());
    assert_eq!(gate.denials().by_reason["http-origin"].times, 3);
}

#[tokio::test]
async fn another_method_or_path_is_denied() {
    let server = Server::ok().await;
    let gate = http_gate(vec![http(&server.origin)], vec![]);
    let delete = HttpRequest { method: "DELETE".to_owned(), ..get(server.url("tasks/1")) };
    assert_denied(
        &send(&gate, delete).await.unwrap_err(),
        "DELETE requests to /api/tasks/1 (granted: GET, POST)",
    );
    for path in
        ["/admin", "/apiary", "/api/../admin", "/api/%2e%2E/admin", "/api/..%2Fadmin", "/api/..;/admin", "/"]
    {
        let problem = send(&gate, get(format!("{}{path}", server.origin))).await.unwrap_err();
        assert_denied(&problem, "does not cover the path");
    }
    assert!(server.seen().is_empty());
    let denials = gate.denials();
    assert_eq!((denials.by_reason["http-method"].times, denials.by_reason["http-path"].times), (1, 7));
}

#[tokio::test]
async fn one_right_must_cover_path_and_method_together() {
    let server = Server::ok().await;
    let mut reading = http(&server.origin);
    reading.methods = vec!["GET".to_owned()];
    let mut reporting = http(&server.origin);
    (reporting.methods, reporting.path) = (vec!["POST".to_owned()], "/api/reports".to_owned());
    let gate = http_gate(vec![reading, reporting], vec![]);
    let post = |rest| HttpRequest { method: "POST".to_owned(), ..get(server.url(rest)) };
    send(&gate, post("reports")).await.unwrap();
    assert_denied(&send(&gate, post("tasks")).await.unwrap_err(), "granted: GET");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn user_info_and_headers_of_the_host_are_denied() {
    let server = Server::ok().await;
    let gate = http_gate(vec![http(&server.origin)], vec![token(&server.origin)]);
    let user = server.url("").replace("http://", "http://me:hunter2@");
    let problem = send(&gate, get(user)).await.unwrap_err();
    assert_denied(&problem, "user name or password");
    assert!(!problem.message.contains("hunter2"));
    for header in ["Host", "content-length", "Authorization", "Cookie", "X-HTTP-Method-Override"] {
        let headers = vec![(header.to_owned(), "1".to_owned())];
        let problem = send(&gate, HttpRequest { headers, ..get(server.url("")) }).await.unwrap_err();
        assert_denied(&problem, &header.to_lowercase());
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_credential_goes_to_no_other_origin() {
    let (home, other) = (Server::ok().await, Server::ok().await);
    let gate = http_gate(vec![http(&home.origin), http(&other.origin)], vec![token(&home.origin)]);
    let with = |url: String, handle: &str| HttpRequest { credential: Some(handle.to_owned()), ..get(url) };
    let problem = send(&gate, with(other.url(""), "token")).await.unwrap_err();
    assert_denied(&problem, &format!("only ever sent to {}", home.origin));
    let problem = send(&gate, with(home.url(""), "password")).await.unwrap_err();
    assert_denied(&problem, "no grant covers the credential `password` (granted: token)");
    assert!(home.seen().is_empty() && other.seen().is_empty());
    let denials = gate.denials();
    assert_eq!(denials.by_reason["credential-origin"].times, 1);
    assert_eq!(denials.by_reason["credential"].times, 1);
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let target = Server::ok().await;
    let location = target.url("elsewhere");
    let server = Server::start(move |_| {
        axum::http::Response::builder().status(302).header("location", &location).body("".into()).unwrap()
    })
    .await;
    let gate = http_gate(vec![http(&server.origin), http(&target.origin)], vec![token(&server.origin)]);
    let request = HttpRequest { credential: Some("token".to_owned()), ..get(server.url("")) };
    let response = send(&gate, request).await.unwrap();
    assert_eq!(response.status, 302);
    assert!(response.headers.contains(&("location".to_owned(), target.url("elsewhere"))));
    assert!(target.seen().is_empty());
}

#[tokio::test]
async fn sockets_are_denied_and_unknown_effects_unsupported() {
    let gate = http_gate(vec![], vec![]);
    let socket = PluginEffect::Socket { socket: "s".to_owned(), url: "wss://a.example".to_owned() };
    assert_denied(&gate.carry_out(socket).await.unwrap_err(), "WebSocket");
    let frame = PluginEffect::Send { socket: "s".to_owned() };
    assert_denied(&gate.carry_out(frame).await.unwrap_err(), "WebSocket");
    let other = PluginEffect::Other { name: "teleport".to_owned(), details: SECRET.to_owned() };
    let problem = gate.carry_out(other).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Unsupported);
    assert!(problem.message.contains("`teleport`"));
    assert_eq!(gate.denials().total(), 2);
}

#[tokio::test]
async fn waking_takes_the_time_asked_for() {
    let gate = http_gate(vec![], vec![]);
    let start = Instant::now();
    gate.carry_out(PluginEffect::Wake(Millis(50))).await.unwrap();
    assert!(start.elapsed() >= Millis(50).duration());
}
