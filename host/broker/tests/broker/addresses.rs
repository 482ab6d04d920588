//! Where a name leads is checked, and what was checked is what is dialled.

use hostler_engine::problem::ProblemKind;
use hostler_engine::rights::{HttpRight, Origin};

use crate::granted::{gate_on, get, http, send, token};
use crate::names::Names;
use crate::server::{Server, named};

fn with_addresses(origin: &str, addresses: &[&str]) -> HttpRight {
    let addresses = addresses.iter().map(|block| block.parse().unwrap()).collect();
    HttpRight { addresses, ..http(origin) }
}

#[tokio::test]
async fn a_name_that_leads_into_the_machine_or_its_network_is_denied() {
    let server = Server::ok().await;
    let origin = named(&server.origin, "tracker.example");
    for address in
        ["127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "10.1.2.3", "169.254.169.254", "::1", "fd00::1"]
    {
        let names = Names::answering(&[&[address]]);
        let gate = gate_on(&names.network(), vec![http(&origin)], vec![]);
        let problem = send(&gate, get(format!("{origin}/api/"))).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Denied, "{address}: {problem}");
        let line =
            format!("add `addresses = [\"{address}/{}\"]`", if address.contains(':') { 128 } else { 32 });
        assert!(problem.message.contains(&line), "{problem}");
        assert_eq!(gate.denials().by_reason["http-address"].times, 1);
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_granted_address_is_dialled_for_its_origin_only() {
    let server = Server::ok().await;
    let (origin, other) = (named(&server.origin, "tracker.example"), named(&server.origin, "other.example"));
    let names = Names::answering(&[&["127.0.0.1"]]);
    let rights = vec![with_addresses(&origin, &["127.0.0.0/8"]), http(&other)];
    let gate = gate_on(&names.network(), rights, vec![]);
    send(&gate, get(format!("{origin}/api/"))).await.unwrap();
    send(&gate, get(format!("{other}/api/"))).await.unwrap_err();
    assert_eq!(server.seen().len(), 1);
    assert_eq!(server.seen()[0].header("host"), [origin.trim_start_matches("http://")]);
}

#[tokio::test]
async fn an_origin_granted_as_address_or_localhost_needs_no_more() {
    let server = Server::ok().await;
    let localhost = named(&server.origin, "localhost");
    let names = Names::answering(&[&["127.0.0.1"]]);
    let gate = gate_on(&names.network(), vec![http(&server.origin), http(&localhost)], vec![]);
    send(&gate, get(server.url(""))).await.unwrap();
    assert!(names.asked().is_empty(), "an address is no name");
    send(&gate, get(format!("{localhost}/api/"))).await.unwrap();
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_name_that_moves_after_the_check_is_never_followed() {
    let server = Server::start(|_| {
        axum::http::Response::builder().header("connection", "close").body("ok".into()).unwrap()
    })
    .await;
    let origin = named(&server.origin, "tracker.example");
    // The granted address first, then others: were the name looked up once more between
    // the check and the connection, the first request would already be lost.
    let names = Names::answering(&[&["127.0.0.1"], &["127.0.0.2"], &["169.254.169.254"]]);
    let right = with_addresses(&origin, &["127.0.0.1/32"]);
    let gate = gate_on(&names.network(), vec![right], vec![token(&origin)]);
    send(&gate, get(format!("{origin}/api/"))).await.unwrap();
    assert_eq!(names.asked(), ["tracker.example"], "one look-up for one connection");
    for _ in 0..2 {
        let problem = send(&gate, get(format!("{origin}/api/"))).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Denied, "{problem}");
    }
    assert_eq!((server.seen().len(), names.asked().len()), (1, 3));
    assert_eq!(gate.denials().by_reason["http-address"].times, 2);
}

#[tokio::test]
async fn of_several_addresses_the_forbidden_ones_are_left_out() {
    let server = Server::ok().await;
    let origin = named(&server.origin, "tracker.example");
    let names = Names::answering(&[&["10.255.255.1", "127.0.0.1"]]);
    let right = with_addresses(&origin, &["127.0.0.1/32"]);
    let gate = gate_on(&names.network(), vec![right], vec![]);
    send(&gate, get(format!("{origin}/api/"))).await.unwrap();
    assert_eq!((server.seen().len(), gate.denials().total()), (1, 0));
}

#[tokio::test]
async fn a_name_nobody_knows_is_a_problem_that_may_pass() {
    let names = Names::answering(&[]);
    let gate = gate_on(&names.network(), vec![http("http://tracker.example")], vec![]);
    let problem = send(&gate, get("http://tracker.example/api/")).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Transient);
    assert!(problem.message.contains("no such name"), "{problem}");
    assert_eq!(gate.denials().total(), 0);
}

#[tokio::test]
async fn what_a_name_stands_for_inside_ones_own_network_is_told_before_it_is_granted() {
    let inside = async |answer: &[&str], origin: &str| {
        let found = Names::answering(&[answer]).network().inside(&Origin::of(origin).unwrap()).await;
        found.map(|inside| (inside.addresses.len(), inside.kind))
    };
    let origin = "https://tracker.example";
    assert_eq!(inside(&["10.0.0.5"], origin).await, Some((1, "a private address")));
    assert_eq!(inside(&["fd00::5", "192.168.0.5"], origin).await, Some((2, "a private address")));
    assert_eq!(inside(&["127.0.0.1"], origin).await, Some((1, "a loopback address")));
    // Reached anyway, or nothing that anybody should be led to grant.
    assert_eq!(inside(&["10.0.0.5", "8.8.8.8"], origin).await, None);
    assert_eq!(inside(&["127.0.0.1"], "http://localhost:3000").await, None);
    for address in ["169.254.169.254", "100.64.0.1", "0.0.0.0", "::ffff:10.0.0.5", "224.0.0.1"] {
        assert_eq!(inside(&[address], origin).await, None, "{address}");
        assert_eq!(inside(&["10.0.0.5", address], origin).await, None, "{address}");
    }
    let unknown = Names::answering(&[]).network();
    assert_eq!(unknown.inside(&Origin::of(origin).unwrap()).await, None);
    let named = Names::answering(&[]);
    assert_eq!(named.network().inside(&Origin::of("https://10.0.0.5").unwrap()).await, None);
    assert!(named.asked().is_empty(), "an address is no name");
}
