//! Requests through the proxy of the host's environment.

use std::sync::Arc;

use hostler_broker::{Network, Proxy};
use hostler_engine::problem::ProblemKind;
use hostler_engine::request::HttpRequest;

use crate::granted::{SECRET, gate_on, get, http, send, token};
use crate::names::Names;
use crate::server::{Server, named};

/// A network whose proxy is this server, under a name that the resolver gives.
fn behind(server: &Server, direct: &str) -> (Network, Names) {
    let names = Names::answering(&[&["127.0.0.1"]]);
    let address = named(&server.origin, "proxy.example").replace("http://", "http://user:pass@");
    let variable = |name: &str| match name {
        "HTTP_PROXY" | "HTTPS_PROXY" => Some(address.clone()),
        "NO_PROXY" => Some(direct.to_owned()),
        _ => None,
    };
    let proxy = Proxy::from_environment(variable).unwrap();
    (Network { proxy, resolver: Arc::new(names.clone()), ..Network::default() }, names)
}

#[tokio::test]
async fn the_proxy_gets_the_request_and_looks_the_name_up() {
    let proxy = Server::ok().await;
    let (network, names) = behind(&proxy, "");
    let origin = "http://tracker.example";
    let gate = gate_on(&network, vec![http(origin)], vec![token(origin)]);
    let request = HttpRequest { credential: Some("token".to_owned()), ..get(format!("{origin}/api/tasks")) };
    assert_eq!(send(&gate, request).await.unwrap().body, b"ok");
    let [seen] = proxy.seen().try_into().unwrap();
    assert_eq!(seen.path, "http://tracker.example/api/tasks");
    assert_eq!(seen.header("authorization"), [format!("Bearer {SECRET}")]);
    assert_eq!(seen.header("proxy-authorization"), ["Basic dXNlcjpwYXNz"]);
    assert_eq!(names.asked(), ["proxy.example"]);
}

#[tokio::test]
async fn the_grant_holds_behind_a_proxy_too() {
    let proxy = Server::ok().await;
    let (network, _) = behind(&proxy, "");
    let gate = gate_on(&network, vec![http("http://tracker.example")], vec![]);
    for url in ["http://tracker.example/admin", "http://other.example/api/", "http://169.254.169.254/api/"] {
        let problem = send(&gate, get(url)).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Denied, "{url}: {problem}");
    }
    assert!(proxy.seen().is_empty());
}

#[tokio::test]
async fn what_is_reached_directly_is_checked_as_without_a_proxy() {
    let proxy = Server::ok().await;
    let (network, _) = behind(&proxy, "inside.example");
    let origin = named(&proxy.origin, "inside.example");
    let gate = gate_on(&network, vec![http(&origin), http(&proxy.origin)], vec![]);
    let problem = send(&gate, get(format!("{origin}/api/"))).await.unwrap_err();
    assert!(problem.message.contains("loopback"), "{problem}");
    assert!(proxy.seen().is_empty());
    send(&gate, get(proxy.url(""))).await.unwrap();
    assert_eq!(proxy.seen()[0].path, "/api/", "the machine itself is never behind the proxy");
}
