//! Requests in the clear.

use hostler_broker::egress::{EgressLimits, Passed, Way};

use crate::names::Names;
use crate::stage::{Server, Stage, allow};

#[tokio::test]
async fn a_request_is_sent_on_as_one_to_its_host_and_without_what_concerns_the_proxy() {
    let server = Server::start().await;
    let to = server.at("127.0.0.1");
    let stage = Stage::new(allow(std::slice::from_ref(&to), &[]));
    let mut agent = stage.connect().await;
    agent
        .say(&format!(
            "POST http://{to}/path?query HTTP/1.1\r\nHost: {to}\r\nX-Own: 1\r\nConnection: x-hop\r\nX-Hop: 1\r\n\
             Proxy-Authorization: Basic eDp5\r\nContent-Length: 4\r\n\r\nbody"
        ))
        .await;
    let mut far = server.accept().await;
    let head = far.until("\r\n\r\n").await.to_lowercase();
    assert!(head.starts_with("post /path?query http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nhost: {to}\r\n")) && head.contains("\r\nx-own: 1\r\n"), "{head}");
    assert!(head.contains("\r\ncontent-length: 4\r\n"), "{head}");
    assert!(!head.contains("hop") && !head.contains("proxy-") && !head.contains("connection"), "{head}");
    assert_eq!(far.hear(4).await, "body");
    far.say("HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX-Theirs: 1\r\n\r\nok").await;
    let answer = agent.until("ok").await;
    assert!(answer.starts_with("HTTP/1.1 201 Created\r\n") && answer.contains("x-theirs: 1"), "{answer}");
    let [passage] = stage.told(1).await.try_into().unwrap();
    assert_eq!((passage.way, passage.up, passage.down), (Way::Plain, 4, 2));
    assert_eq!(passage.outcome, Passed::Allowed { by: to });
}

#[tokio::test]
async fn an_answer_flows_piece_by_piece() {
    let server = Server::start().await;
    let to = server.at("127.0.0.1");
    let stage = Stage::new(allow(std::slice::from_ref(&to), &[]));
    let mut agent = stage.connect().await;
    agent.say(&format!("GET http://{to}/ HTTP/1.1\r\nHost: {to}\r\n\r\n")).await;
    let (_, mut far) = server.answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n").await;
    agent.until("\r\n\r\n").await;
    for piece in ["one", "two"] {
        far.say(&format!("3\r\n{piece}\r\n")).await;
        agent.until(piece).await;
    }
    // An answer that is cut off arrives as one that is cut off.
    drop(far);
    let rest = agent.rest().await;
    assert!(!rest.contains("0\r\n\r\n"), "{rest:?}");
}

#[tokio::test]
async fn several_requests_on_one_connection_are_each_decided_on() {
    let server = Server::start().await;
    let to = server.at("127.0.0.1");
    let stage = Stage::new(allow(std::slice::from_ref(&to), &[]));
    let mut agent = stage.connect().await;
    agent.say("GET http://elsewhere.example/ HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n").await;
    assert!(agent.until("if they should\n").await.starts_with("HTTP/1.1 403"));
    agent.say(&format!("GET http://{to}/ HTTP/1.1\r\nHost: {to}\r\n\r\n")).await;
    server.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    assert!(agent.until("ok").await.starts_with("HTTP/1.1 200"));
    assert_eq!(stage.told(2).await.len(), 2);
}

#[tokio::test]
async fn a_redirect_is_the_agents_to_follow_and_a_request_like_any_other() {
    let server = Server::start().await;
    let to = server.at("127.0.0.1");
    let stage = Stage::new(allow(std::slice::from_ref(&to), &[]));
    let mut agent = stage.connect().await;
    agent.say(&format!("GET http://{to}/ HTTP/1.1\r\nHost: {to}\r\n\r\n")).await;
    server
        .answer("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n")
        .await;
    assert!(agent.until("\r\n\r\n").await.contains("location: http://169.254.169.254/"));
    let followed = stage.ask("GET http://169.254.169.254/ HTTP/1.1\r\n\r\n").await;
    assert!(followed.starts_with("HTTP/1.1 403"), "{followed}");
}

#[tokio::test]
async fn a_name_that_stands_for_a_private_address_is_denied_here_too() {
    let server = Server::start().await;
    let to = server.at("a.example");
    let rules = allow(std::slice::from_ref(&to), &[]);
    let stage = Stage::on(&Names::answering(&[&["127.0.0.1"]]).network(), rules, EgressLimits::default());
    let answer = stage.ask(&format!("GET http://{to}/ HTTP/1.1\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert_eq!(stage.denied().await, "egress-address");
    assert!(server.untouched().await);
}
