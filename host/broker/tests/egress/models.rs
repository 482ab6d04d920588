//! Models: the key is put in on the way, and nowhere the agent could see it.

use hostler_broker::egress::{EgressLimits, EgressRules, ModelRoute, Passed, Way};
use hostler_broker::{Network, Secret};
use hostler_engine::rights::Origin;

use crate::names::Names;
use crate::stage::{Server, Stage, allow};
use crate::tls;

const KEY: &str = "sk-real/key+1";
const STAND_IN: &str = "sk-stand-in";

fn route(origin: &str, header: &str, form: &str) -> ModelRoute {
    ModelRoute {
        name: "anthropic".to_owned(),
        upstream: Origin::of(origin).unwrap(),
        addresses: Vec::new(),
        header: header.parse().unwrap(),
        form: form.to_owned(),
        sentinel: Secret::new(STAND_IN),
        key: Secret::new(KEY),
    }
}

fn rules(models: Vec<ModelRoute>) -> EgressRules {
    EgressRules { models, ..EgressRules::default() }
}

fn api_key(server: &Server) -> EgressRules {
    rules(vec![route(&format!("http://{}", server.at("127.0.0.1")), "x-api-key", "{}")])
}

fn request(headers: &str, body: &str) -> String {
    format!(
        "POST /hostler/model/anthropic/v1/messages?beta=true HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

#[tokio::test]
async fn the_stand_in_becomes_the_key_and_other_credentials_stay_behind() {
    let server = Server::start().await;
    let stage = Stage::new(api_key(&server));
    let mut agent = stage.connect().await;
    let headers = format!(
        "X-Api-Key: {STAND_IN}\r\nAuthorization: Bearer somebody-elses\r\nCookie: a=b\r\nAnthropic-Version: 1\r\n"
    );
    agent.say(&request(&headers, "{}")).await;
    let mut far = server.accept().await;
    let head = far.until("\r\n\r\n").await.to_lowercase();
    assert!(head.starts_with("post /v1/messages?beta=true http/1.1\r\n"), "{head}");
    assert!(head.contains(&format!("\r\nx-api-key: {KEY}\r\n")), "{head}");
    assert!(head.contains(&format!("\r\nhost: {}\r\n", server.at("127.0.0.1"))), "{head}");
    assert!(head.contains("\r\nanthropic-version: 1\r\n"), "{head}");
    assert!(!head.contains(STAND_IN) && !head.contains("somebody") && !head.contains("cookie"), "{head}");
    assert_eq!(far.hear(2).await, "{}");
    far.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    agent.until("ok").await;
    let [passage] = stage.told(1).await.try_into().unwrap();
    assert_eq!(passage.way, Way::Model("anthropic".to_owned()));
    assert_eq!((passage.up, passage.down), (2, 2));
    assert_eq!(passage.to.unwrap().port(), server.port());
    assert!(matches!(passage.outcome, Passed::Allowed { .. }));
}

#[tokio::test]
async fn a_key_has_the_form_its_route_says() {
    let server = Server::start().await;
    let origin = format!("http://{}", server.at("127.0.0.1"));
    let stage = Stage::new(rules(vec![route(&origin, "authorization", "Bearer {}")]));
    let mut agent = stage.connect().await;
    agent.say(&request(&format!("Authorization: Bearer {STAND_IN}\r\n"), "")).await;
    let (head, _far) = server.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    assert!(head.to_lowercase().contains(&format!("\r\nauthorization: bearer {KEY}\r\n")), "{head}");
    agent.until("ok").await;
}

#[tokio::test]
async fn a_request_without_the_stand_in_or_to_another_model_is_denied() {
    let server = Server::start().await;
    let stage = Stage::new(api_key(&server));
    let twice = format!("X-Api-Key: {STAND_IN}\r\nX-Api-Key: {STAND_IN}\r\n");
    for headers in ["", "X-Api-Key: wrong\r\n", &format!("Authorization: Bearer {STAND_IN}\r\n"), &twice] {
        let answer = stage.ask(&request(headers, "")).await;
        assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("does not carry the key"), "{answer}");
    }
    let other = request("", "").replace("anthropic", "openai");
    assert!(stage.ask(&other).await.contains("no route to a model called `openai`"));
    let reasons: Vec<_> = stage.told(5).await.into_iter().map(|passage| passage.outcome).collect();
    assert!(reasons[..4].iter().all(|told| matches!(told, Passed::Denied { reason: "egress-key", .. })));
    assert!(matches!(reasons[4], Passed::Denied { reason: "egress-model", .. }));
    assert!(server.untouched().await);
}

#[tokio::test]
async fn a_key_that_the_server_repeats_does_not_reach_the_agent() {
    let server = Server::start().await;
    let stage = Stage::new(api_key(&server));
    let mut agent = stage.connect().await;
    agent.say(&request(&format!("X-Api-Key: {STAND_IN}\r\n"), "")).await;
    let body = format!("wrong key: {KEY}.");
    let (head, _far) = server
        .answer(&format!(
            "HTTP/1.1 401 Unauthorized\r\nX-Echo: key {KEY}!\r\nSet-Cookie: k={KEY}\r\nX-Two: 1\r\nX-Two: 2\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await;
    assert!(head.to_lowercase().contains("\r\naccept-encoding: identity\r\n"), "{head}");
    let answer = agent.until(&format!("wrong key: {}.", "*".repeat(KEY.len()))).await;
    assert!(answer.contains("x-echo: [secret removed]\r\n"), "{answer}");
    assert!(!answer.contains(KEY) && !answer.contains("cookie"), "{answer}");
    assert!(answer.contains("x-two: 1\r\nx-two: 2\r\n"), "{answer}");
    assert!(answer.contains(&format!("content-length: {}\r\n", body.len())), "{answer}");
}

#[tokio::test]
async fn a_compressed_answer_could_hide_the_key_and_is_not_passed_on() {
    let server = Server::start().await;
    let stage = Stage::new(api_key(&server));
    let mut agent = stage.connect().await;
    agent.say(&request(&format!("X-Api-Key: {STAND_IN}\r\n"), "")).await;
    server.answer("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\nok").await;
    assert!(agent.until("passed on\n").await.starts_with("HTTP/1.1 502"));
}

#[tokio::test]
async fn events_flow_one_by_one_and_a_cut_upstream_is_a_cut_answer() {
    let server = Server::start().await;
    let stage = Stage::new(api_key(&server));
    let mut agent = stage.connect().await;
    agent.say(&request(&format!("X-Api-Key: {STAND_IN}\r\n"), "{}")).await;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    let (_, mut far) = server.answer(head).await;
    assert!(agent.until("\r\n\r\n").await.contains("text/event-stream"));
    for event in ["data: 1\n\n", "data: 2\n\n"] {
        far.say(&format!("9\r\n{event}\r\n")).await;
        agent.until(event).await;
    }
    drop(far);
    assert!(!agent.rest().await.contains("0\r\n\r\n"));
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_key() {
    let (server, target) = (Server::start().await, Server::start().await);
    let stage = Stage::new(api_key(&server));
    let mut agent = stage.connect().await;
    agent.say(&request(&format!("X-Api-Key: {STAND_IN}\r\n"), "")).await;
    let location = format!("http://{}/", target.at("127.0.0.1"));
    server.answer(&format!("HTTP/1.1 307 T\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")).await;
    let answer = agent.until("\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 307") && answer.contains(&location), "{answer}");
    assert!(target.untouched().await);
}

#[tokio::test]
async fn an_upstream_that_moved_to_a_private_address_is_denied() {
    let server = Server::start().await;
    let names = Names::answering(&[&["127.0.0.1"]]);
    let with = |addresses: &[&str]| {
        let mut route = route(&format!("http://{}", server.at("model.example")), "x-api-key", "{}");
        route.addresses = addresses.iter().map(|block| block.parse().unwrap()).collect();
        Stage::on(&names.network(), rules(vec![route]), EgressLimits::default())
    };
    let headers = format!("X-Api-Key: {STAND_IN}\r\n");
    let stage = with(&[]);
    let answer = stage.ask(&request(&headers, "")).await;
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("[\"127.0.0.1/32\"]"), "{answer}");
    assert_eq!(stage.denied().await, "egress-address");
    assert!(server.untouched().await);
    let stage = with(&["127.0.0.1/32"]);
    let asking = tokio::spawn(async move { stage.ask(&request(&headers, "")).await });
    server.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    assert!(asking.await.unwrap().starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_client_that_asks_the_proxy_for_the_proxy_finds_its_model() {
    let server = Server::start().await;
    let stage = Stage::new(api_key(&server));
    let mut agent = stage.connect().await;
    let whole = format!("http://127.0.0.1:{}/hostler", stage.address.port());
    let request = request(&format!("X-Api-Key: {STAND_IN}\r\n"), "").replace("Host: 127.0.0.1\r\n", "");
    agent.say(&request.replacen("/hostler", &whole, 1)).await;
    server.answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
    agent.until("ok").await;
}

#[tokio::test]
async fn the_address_of_a_model_is_no_way_to_its_server_without_a_rule() {
    let server = Server::start().await;
    let stage = Stage::new(api_key(&server));
    let to = server.at("127.0.0.1");
    assert!(stage.ask(&format!("CONNECT {to} HTTP/1.1\r\n\r\n")).await.starts_with("HTTP/1.1 403"));
    assert!(server.untouched().await);
    let stage =
        Stage::on(&Network::default(), allow(std::slice::from_ref(&to), &[]), EgressLimits::default());
    let mut agent = stage.connect().await;
    agent.say(&format!("CONNECT {to} HTTP/1.1\r\n\r\n")).await;
    assert!(agent.until("\r\n").await.contains("200"));
}

#[tokio::test]
async fn a_model_is_reached_over_tls_with_the_key_and_a_tunnel_carries_the_agents_own_tls() {
    let (port, mut arrived) = tls::serve().await;
    let network =
        Network { extra_ca: Some(tls::authority()), ..Names::answering(&[&["127.0.0.1"]]).network() };
    let mut route = route(&format!("https://model.example:{port}"), "x-api-key", "{}");
    route.addresses = vec!["127.0.0.1/32".parse().unwrap()];
    let rules =
        EgressRules { models: vec![route], ..allow(&[format!("model.example:{port}")], &["127.0.0.1/32"]) };
    let stage = Stage::on(&network, rules, EgressLimits::default());
    let answer = stage.ask(&request(&format!("X-Api-Key: {STAND_IN}\r\n"), "")).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ok"), "{answer}");
    let head = arrived.recv().await.unwrap();
    assert!(head.contains(&format!("x-api-key: {KEY}\r\n")), "{head}");
    assert!(head.contains(&format!("host: model.example:{port}\r\n")), "{head}");

    let proxy = reqwest::Proxy::all(format!("http://{}", stage.address)).unwrap();
    let authority = reqwest::Certificate::from_pem(&std::fs::read(tls::authority()).unwrap()).unwrap();
    let client = reqwest::Client::builder().proxy(proxy).tls_certs_merge([authority]).build().unwrap();
    let own = client.get(format!("https://model.example:{port}/own")).header("x-api-key", "own").send();
    assert_eq!(own.await.unwrap().text().await.unwrap(), "ok");
    let head = arrived.recv().await.unwrap();
    assert!(head.starts_with("GET /own ") && head.contains("x-api-key: own"), "{head}");
}
