//! Every way out against every way in which it can be closed: the request is refused
//! under its reason, told once, and reaches nobody.

use std::sync::Arc;

use hostler_broker::egress::{EgressLimits, EgressRules, ModelRoute, Passed};
use hostler_broker::{Ceiling, Network, Secret};
use hostler_engine::rights::Origin;
use hostler_engine::sandbox::Endpoint;

use crate::names::Names;
use crate::stage::{Server, Stage, allow};

/// What a row is about: how the way is closed, the rules, the request, and the reason it
/// is counted under.
struct Row {
    closed: &'static str,
    rules: EgressRules,
    request: String,
    reason: &'static str,
}

/// A policy that lets agents connect to nothing.
#[derive(Debug)]
struct Line7;

impl Ceiling for Line7 {
    fn admits(&self, _: &Origin) -> Result<(), String> {
        Ok(())
    }

    fn connects(&self, _: &Endpoint) -> Result<(), String> {
        Err("line 7".to_owned())
    }
}

/// Rows of tunnels or requests in the clear to the server, under a name for it.
fn rows(server: &Server, ask: impl Fn(&str) -> String) -> Vec<Row> {
    let here = server.at("a.example");
    let row = |closed, rules, to: &str, reason| Row { closed, rules, request: ask(to), reason };
    let open = || allow(std::slice::from_ref(&here), &["127.0.0.0/8"]);
    let denied = EgressRules { deny: vec!["*.example:*".parse().unwrap()], ..open() };
    let ceiling: Arc<dyn Ceiling> = Arc::new(Line7);
    let elsewhere = allow(&["b.example:443".to_owned(), "*.a.example:*".to_owned()], &["0.0.0.0/0"]);
    let moved = allow(std::slice::from_ref(&here), &["127.0.0.2/32"]);
    let literal = server.at("127.0.0.1");
    vec![
        row("no rule", EgressRules::default(), &here, "egress-unlisted"),
        row("rules for others", elsewhere, &here, "egress-unlisted"),
        row("another host", open(), &server.at("b.example"), "egress-unlisted"),
        row("a name below", open(), &server.at("b.a.example"), "egress-unlisted"),
        row("another port", open(), "a.example:1", "egress-unlisted"),
        row("its address", open(), &literal, "egress-unlisted"),
        row("a rule against it", denied, &here, "egress-forbidden"),
        row("a ceiling", EgressRules { ceiling, ..open() }, &here, "egress-ceiling"),
        row("a name that leads inside", allow(std::slice::from_ref(&here), &[]), &here, "egress-address"),
        row("a name that moved", moved, &here, "egress-address"),
        row("a user name", open(), &format!("me@{here}"), "egress-malformed"),
        row("no port", open(), "a.example:0", "egress-malformed"),
    ]
}

fn models(server: &Server) -> Vec<Row> {
    let route = || ModelRoute {
        name: "own".to_owned(),
        upstream: Origin::of(&format!("http://{}", server.at("a.example"))).unwrap(),
        addresses: vec!["127.0.0.1/32".parse().unwrap()],
        header: "x-api-key".parse().unwrap(),
        form: "{}".to_owned(),
        sentinel: Secret::new("stand-in"),
        key: Secret::new("sk-real"),
    };
    let open = || EgressRules { models: vec![route()], ..EgressRules::default() };
    let ask = |path: &str, key: &str| format!("GET {path} HTTP/1.1\r\nX-Api-Key: {key}\r\n\r\n");
    let (own, key) = ("/hostler/model/own/v1", "stand-in");
    let row = |closed, rules, request, reason| Row { closed, rules, request, reason };
    let inside = EgressRules { models: vec![ModelRoute { addresses: Vec::new(), ..route() }], ..open() };
    let ceiling: Arc<dyn Ceiling> = Arc::new(Line7);
    let denied = EgressRules { deny: vec![server.at("a.example").parse().unwrap()], ..open() };
    vec![
        row("no model", EgressRules::default(), ask(own, key), "egress-model"),
        row("another model", open(), ask("/hostler/model/other/v1", key), "egress-model"),
        row("a path beside", open(), ask("/hostler/models/own", key), "egress-malformed"),
        row("a path that climbs", open(), ask("/hostler/model/../own", key), "egress-model"),
        row("no stand-in", open(), ask(own, ""), "egress-key"),
        row("the key itself", open(), ask(own, "sk-real"), "egress-key"),
        row("a name that leads inside", inside, ask(own, key), "egress-address"),
        row("a rule against it", denied, ask(own, key), "egress-forbidden"),
        row("a ceiling", EgressRules { ceiling, ..open() }, ask(own, key), "egress-ceiling"),
    ]
}

#[tokio::test]
async fn every_closed_way_is_refused_and_told_once_and_nothing_gets_through() {
    let server = Server::start().await;
    let tunnel = |to: &str| format!("CONNECT {to} HTTP/1.1\r\n\r\n");
    let plain = |to: &str| format!("GET http://{to}/ HTTP/1.1\r\n\r\n");
    let rows = rows(&server, tunnel).into_iter().chain(rows(&server, plain)).chain(models(&server));
    let mut tried = 0;
    for Row { closed, rules, request, reason } in rows {
        let network: Network = Names::answering(&[&["127.0.0.1"]]).network();
        let stage = Stage::on(&network, rules, EgressLimits::default());
        let answer = stage.ask(&request).await;
        let told = format!("{closed}: {request} {answer}");
        assert!(answer.starts_with("HTTP/1.1 40"), "{told}");
        let [passage] = stage.told(1).await.try_into().unwrap();
        let Passed::Denied { reason: counted, told: sentence } = passage.outcome else { panic!("{told}") };
        assert_eq!(counted, reason, "{told}");
        assert!(answer.contains(&sentence) && sentence.lines().count() == 1, "{told}");
        assert!(!answer.contains("sk-real"), "{told}");
        tried += 1;
    }
    assert_eq!(tried, 33, "a row was lost");
    assert!(server.untouched().await);
}
