//! Ways out through the proxy that the operator has.

use hostler_broker::egress::{EgressLimits, Passed};
use hostler_broker::{Network, Proxy};

use crate::names::Names;
use crate::stage::{Server, Stage, allow};

fn behind(address: &str) -> Network {
    let variable = |name: &str| (name == "ALL_PROXY").then(|| address.to_owned());
    Network {
        proxy: Proxy::from_environment(variable).unwrap(),
        ..Names::answering(&[&["127.0.0.1"]]).network()
    }
}

fn stage(address: &str, to: &str) -> Stage {
    Stage::on(&behind(address), allow(&[to.to_owned()], &[]), EgressLimits::default())
}

#[tokio::test]
async fn a_tunnel_goes_through_the_proxy_with_its_user_name() {
    let proxy = Server::start().await;
    let stage = stage(&format!("http://us%40er:pass@{}", proxy.at("proxy.example")), "far.example:443");
    let mut agent = stage.connect().await;
    agent.say("CONNECT far.example:443 HTTP/1.1\r\n\r\n").await;
    let (head, mut far) = proxy.answer("HTTP/1.1 200 Connection established\r\n\r\nhello").await;
    assert!(head.starts_with("CONNECT far.example:443 HTTP/1.1\r\n"), "{head}");
    assert!(head.contains("proxy-authorization: Basic dXNAZXI6cGFzcw==\r\n"), "{head}");
    assert!(agent.until("\r\n\r\n").await.starts_with("HTTP/1.1 200"));
    assert_eq!(agent.hear(5).await, "hello");
    agent.say("bytes").await;
    assert_eq!(far.hear(5).await, "bytes");
}

#[tokio::test]
async fn a_request_in_the_clear_goes_to_the_proxy_whole() {
    let proxy = Server::start().await;
    let stage = stage(&format!("http://{}", proxy.at("127.0.0.1")), "far.example:80");
    let mut agent = stage.connect().await;
    agent.say("GET http://far.example/x HTTP/1.1\r\n\r\n").await;
    let (head, _far) = proxy.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    assert!(head.starts_with("GET http://far.example/x HTTP/1.1\r\n"), "{head}");
    agent.until("ok").await;
}

#[tokio::test]
async fn behind_a_proxy_the_rules_hold_and_its_refusal_is_told() {
    let proxy = Server::start().await;
    let stage = stage(&format!("http://{}", proxy.at("127.0.0.1")), "far.example:443");
    for denied in ["other.example:443", "169.254.169.254:443"] {
        let answer = stage.ask(&format!("CONNECT {denied} HTTP/1.1\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    assert!(proxy.untouched().await);
    let mut agent = stage.connect().await;
    agent.say("CONNECT far.example:443 HTTP/1.1\r\n\r\n").await;
    proxy.answer("HTTP/1.1 407 Authentication required\r\nContent-Length: 0\r\n\r\n").await;
    assert!(agent.until("\n").await.starts_with("HTTP/1.1 502"));
    let told = stage.told(3).await;
    assert!(matches!(&told[2].outcome, Passed::Failed { told } if told.contains("answered 407")));
}

#[tokio::test]
async fn a_proxy_that_is_reached_over_https_is_refused_in_words() {
    let stage = stage("https://127.0.0.1:9", "far.example:443");
    let answer = stage.ask("CONNECT far.example:443 HTTP/1.1\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 502") && answer.contains("reached over http"), "{answer}");
}
