//! A gate that observes sends what no right covers, and says which rights would.

use hostler_broker::{Mode, Network, OBSERVED_PATHS};
use hostler_engine::problem::ProblemKind;
use hostler_engine::request::HttpRequest;
use hostler_engine::rights::HttpRight;

use crate::granted::{gate_on, get, http, http_gate, send, token};
use crate::names::Names;
use crate::server::{Server, named, nobody};

fn observing(network: Network) -> Network {
    Network { mode: Mode::Observe, ..network }
}

#[tokio::test]
async fn what_would_be_denied_is_sent_counted_and_put_into_the_smallest_grant() {
    let server = Server::ok().await;
    let named = named(&server.origin, "tracker.example");
    let network = observing(Names::answering(&[&["127.0.0.1"]]).network());
    let gate = gate_on(&network, vec![http(&named)], vec![]);
    let delete = HttpRequest { method: "DELETE".to_owned(), ..get(format!("{named}/api/tasks/1")) };
    for request in [get(format!("{named}/api/tasks")), delete, get(format!("{}/other", server.origin))] {
        send(&gate, request).await.unwrap();
    }
    assert_eq!(server.seen().len(), 3);
    let denials = gate.denials();
    let counted: Vec<(&str, u64)> =
        denials.by_reason.iter().map(|(reason, refused)| (*reason, refused.times)).collect();
    assert_eq!(counted, [("http-address", 1), ("http-method", 1), ("http-origin", 1)]);
    let expected = format!(
        "[[http]]\norigin = \"{}\"\nmethods = [\"GET\"]\npath = \"/other\"\n\n\
         [[http]]\norigin = \"{named}\"\nmethods = [\"GET\"]\npath = \"/api/tasks\"\naddresses = [\"127.0.0.1/32\"]\n\n\
         [[http]]\norigin = \"{named}\"\nmethods = [\"DELETE\"]\npath = \"/api/tasks/\"\naddresses = [\"127.0.0.1/32\"]",
        server.origin
    );
    assert_eq!(gate.smallest_grant().unwrap(), expected);
}

#[tokio::test]
async fn the_smallest_grant_is_enough_and_no_more() {
    let server = Server::ok().await;
    let origin = named(&server.origin, "tracker.example");
    let names = Names::answering(&[&["127.0.0.1"]]);
    let observed = gate_on(&observing(names.network()), vec![], vec![]);
    let post = HttpRequest { method: "POST".to_owned(), ..get(format!("{origin}/api/tasks")) };
    send(&observed, post.clone()).await.unwrap();
    // The rights that the text says.
    let right = HttpRight {
        methods: vec!["POST".to_owned()],
        path: "/api/tasks".to_owned(),
        addresses: vec!["127.0.0.1/32".parse().unwrap()],
        ..http(&origin)
    };
    let text = observed.smallest_grant().unwrap();
    for line in ["methods = [\"POST\"]", "path = \"/api/tasks\"", "addresses = [\"127.0.0.1/32\"]"] {
        assert!(text.contains(line), "{text}");
    }
    let enforced = gate_on(&names.network(), vec![right], vec![]);
    send(&enforced, post.clone()).await.unwrap();
    for beyond in [get(format!("{origin}/api/tasks")), HttpRequest { url: format!("{origin}/api"), ..post }] {
        assert_eq!(send(&enforced, beyond).await.unwrap_err().kind, ProblemKind::Denied);
    }
}

#[tokio::test]
async fn observing_sends_no_credential_elsewhere_and_forgives_no_forged_header() {
    let (home, other) = (Server::ok().await, Server::ok().await);
    let gate = gate_on(&observing(Network::default()), vec![http(&home.origin)], vec![token(&home.origin)]);
    let stolen = HttpRequest { credential: Some("token".to_owned()), ..get(other.url("")) };
    let forged = HttpRequest { headers: vec![("Host".to_owned(), "x".to_owned())], ..get(other.url("")) };
    for request in [stolen, forged] {
        assert_eq!(send(&gate, request).await.unwrap_err().kind, ProblemKind::Denied);
    }
    assert!(home.seen().is_empty() && other.seen().is_empty());
    assert_eq!(gate.smallest_grant().unwrap(), "");
}

#[tokio::test]
async fn what_no_longer_fits_into_the_smallest_grant_is_refused() {
    // Nobody is there: what is let pass fails in another way.
    let origin = nobody().await;
    let gate = gate_on(&observing(Network::default()), vec![], vec![]);
    for number in 0..OBSERVED_PATHS {
        let problem = send(&gate, get(format!("{origin}/{number}"))).await.unwrap_err();
        assert_eq!(problem.kind, ProblemKind::Transient, "{problem}");
    }
    let problem = send(&gate, get(format!("{origin}/one-more"))).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Denied, "{problem}");
}

#[test]
fn a_gate_that_enforces_suggests_nothing() {
    assert_eq!(http_gate(vec![], vec![]).smallest_grant(), None);
}
