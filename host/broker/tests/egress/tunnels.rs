//! Tunnels: what is allowed is carried, what is not is told why.

use hostler_broker::egress::{EgressLimits, EgressRules, Passed, Way};

use crate::names::Names;
use crate::stage::{Server, Stage, allow};

const ESTABLISHED: &str = "HTTP/1.1 200 OK\r\n";

fn connect(to: &str) -> String {
    format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n")
}

#[tokio::test]
async fn an_allowed_tunnel_carries_bytes_both_ways_until_both_sides_are_done() {
    let server = Server::start().await;
    let to = server.at("127.0.0.1");
    let stage = Stage::new(allow(std::slice::from_ref(&to), &[]));
    let mut agent = stage.connect().await;
    agent.say(&(connect(&to) + "early")).await;
    assert!(agent.until("\r\n\r\n").await.starts_with(ESTABLISHED));
    let mut far = server.accept().await;
    assert_eq!(far.hear(5).await, "early");
    far.say("answer").await;
    assert_eq!(agent.hear(6).await, "answer");
    // Half of the conversation may end before the other.
    agent.say("last words").await;
    tokio::io::AsyncWriteExt::shutdown(&mut agent.0).await.unwrap();
    assert_eq!(far.rest().await, "last words");
    far.say("and mine").await;
    drop(far);
    assert_eq!(agent.rest().await, "and mine");
    let [passage] = stage.told(1).await.try_into().unwrap();
    assert_eq!((passage.way, passage.up, passage.down), (Way::Tunnel, 15, 14));
    assert_eq!(passage.to.unwrap().to_string(), to);
    assert_eq!(passage.outcome, Passed::Allowed { by: to });
}

#[tokio::test]
async fn another_host_or_port_is_denied_with_the_setting_that_would_allow_it() {
    let server = Server::start().await;
    let to = server.at("127.0.0.1");
    for other in ["127.0.0.1:1".to_owned(), to.replace("127.0.0.1", "127.0.0.2"), server.at("a.example")] {
        let stage = Stage::new(allow(std::slice::from_ref(&to), &[]));
        let answer = stage.ask(&connect(&other)).await;
        assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
        assert!(answer.contains(&format!("add \"{other}\" to `network` below `[agents]`")), "{answer}");
        assert_eq!(stage.denied().await, "egress-unlisted", "{other}");
    }
    assert!(server.untouched().await);
}

#[tokio::test]
async fn a_denied_host_is_not_reached_though_it_is_allowed_too() {
    let server = Server::start().await;
    let to = server.at("127.0.0.1");
    let deny = vec!["127.0.0.1:*".parse().unwrap()];
    let stage = Stage::new(EgressRules { deny, ..allow(std::slice::from_ref(&to), &[]) });
    assert!(stage.ask(&connect(&to)).await.contains("`network-deny`"));
    assert_eq!(stage.denied().await, "egress-forbidden");
    assert!(server.untouched().await);
}

#[tokio::test]
async fn a_name_that_stands_for_a_private_address_is_denied_unless_that_is_allowed() {
    let server = Server::start().await;
    let to = server.at("a.example");
    let names = Names::answering(&[&["127.0.0.1"]]);
    let rules = |addresses: &[&str]| allow(std::slice::from_ref(&to), addresses);
    let stage = Stage::on(&names.network(), rules(&[]), EgressLimits::default());
    let answer = stage.ask(&connect(&to)).await;
    assert!(answer.contains("add `addresses = [\"127.0.0.1/32\"]`"), "{answer}");
    assert_eq!(stage.denied().await, "egress-address");
    assert!(server.untouched().await);
    let stage = Stage::on(&names.network(), rules(&["127.0.0.0/8"]), EgressLimits::default());
    let mut agent = stage.connect().await;
    agent.say(&connect(&to)).await;
    assert!(agent.until("\r\n\r\n").await.starts_with(ESTABLISHED));
    server.accept().await;
}

#[tokio::test]
async fn a_name_that_moves_after_the_check_is_not_followed() {
    let server = Server::start().await;
    let to = server.at("a.example");
    // Were the name looked up once more for the connection, the first would be lost.
    let names = Names::answering(&[&["127.0.0.1"], &["127.0.0.2"]]);
    let rules = allow(std::slice::from_ref(&to), &["127.0.0.1/32"]);
    let stage = Stage::on(&names.network(), rules, EgressLimits::default());
    let mut agent = stage.connect().await;
    agent.say(&connect(&to)).await;
    assert!(agent.until("\r\n\r\n").await.starts_with(ESTABLISHED));
    server.accept().await;
    assert_eq!(names.asked(), ["a.example"], "one look-up for one connection");
    assert!(stage.ask(&connect(&to)).await.starts_with("HTTP/1.1 403"));
    assert!(server.untouched().await);
}

#[tokio::test]
async fn an_address_spelt_oddly_is_the_address_it_is() {
    let server = Server::start().await;
    let to = server.at("127.0.0.1");
    for odd in ["127.1", "0x7f.0.0.1", "2130706433", "017700000001"] {
        let rules = EgressRules {
            deny: vec![to.parse().unwrap()],
            ..allow(&[server.at("127.0.0.1"), server.at("*.example")], &[])
        };
        let stage = Stage::new(rules);
        assert!(stage.ask(&connect(&server.at(odd))).await.starts_with("HTTP/1.1 403"), "{odd}");
        assert_eq!(stage.denied().await, "egress-forbidden", "{odd}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_is_no_denial() {
    let server = Server::start().await;
    let to = server.at("127.0.0.1");
    drop(server);
    let stage = Stage::new(allow(std::slice::from_ref(&to), &[]));
    let answer = stage.ask(&connect(&to)).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    let [passage] = stage.told(1).await.try_into().unwrap();
    assert!(matches!(passage.outcome, Passed::Failed { told } if answer.contains(&told)));
}

#[tokio::test]
async fn when_the_host_goes_every_connection_ends() {
    let server = Server::start().await;
    let to = server.at("127.0.0.1");
    let mut stage = Stage::new(allow(std::slice::from_ref(&to), &[]));
    let (mut tunnelled, mut idle) = (stage.connect().await, stage.connect().await);
    tunnelled.say(&connect(&to)).await;
    tunnelled.until("\r\n\r\n").await;
    let mut far = server.accept().await;
    stage.close();
    assert_eq!(far.rest().await, "");
    assert_eq!((tunnelled.rest().await, idle.rest().await), (String::new(), String::new()));
    tokio::net::TcpStream::connect(stage.address).await.unwrap_err();
    assert_eq!(stage.told(1).await.len(), 1, "also what was cut off is told");
}
