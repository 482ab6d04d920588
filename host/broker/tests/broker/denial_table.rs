//! Every kind of effect against every way in which a right can be missing: the effect is
//! refused under its reason, counted once, and nothing happens.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use hostler_broker::{Ceiling, Gate, Limits, Mode, Network, Secret, Secrets};
use hostler_engine::problem::ProblemKind;
use hostler_engine::request::{FilePath, FileRequest, HttpRequest, PluginEffect};
use hostler_engine::rights::{Access, FileRight, HttpRight, Origin, Rights, SecretRight};
use hostler_engine::sandbox::Endpoint;

use crate::granted::{SECRET, get, http, send, token, write};
use crate::names::Names;
use crate::server::{Server, named};

/// What a row is about: how the right is missing, the effect, the reason it is counted
/// under.
struct Row {
    missing: &'static str,
    rights: Rights,
    effect: PluginEffect,
    reason: &'static str,
}

fn granting(http: Vec<HttpRight>, secret: Vec<SecretRight>) -> Rights {
    Rights { http, secret, ..Rights::default() }
}

fn folder(access: Access) -> Rights {
    let reason = String::new();
    let right = FileRight { directory: "tasks".to_owned(), from: "folder".to_owned(), access, reason };
    Rights { files: vec![right], ..Rights::default() }
}

/// Rows of requests to `origin`, a name that stands for the loopback interface.
fn requests(server: &Server, credential: Option<&str>) -> Vec<Row> {
    let (origin, moved) = (&server.origin, named(&server.origin, "moved.example"));
    let secret = || credential.map(|_| token(origin)).into_iter().collect::<Vec<_>>();
    let ask = |url: String, method: &str| {
        let (credential, method) = (credential.map(str::to_owned), method.to_owned());
        PluginEffect::Http(HttpRequest { method, credential, ..get(url) })
    };
    let row = |missing, http: Vec<HttpRight>, url: String, method, reason| Row {
        missing,
        rights: granting(http, secret()),
        effect: ask(url, method),
        reason,
    };
    let full = || vec![http(origin)];
    let reading = || vec![HttpRight { methods: vec!["GET".to_owned()], ..http(origin) }];
    let narrow = || vec![HttpRight { path: "/api/tasks/".to_owned(), ..http(origin) }];
    let api = server.url("tasks");
    let host = api.replace("127.0.0.1", "127.0.0.2");
    let port = format!("http://127.0.0.1:1{}", "/api/");
    vec![
        row("no grant", vec![], api.clone(), "GET", "http-origin"),
        row("another scheme", full(), api.replace("http:", "https:"), "GET", "http-origin"),
        row("another host", full(), host, "GET", "http-origin"),
        row("another port", full(), port, "GET", "http-origin"),
        row("another path", full(), format!("{origin}/admin"), "GET", "http-path"),
        row("another method", full(), api.clone(), "DELETE", "http-method"),
        row("a redirect's target", full(), "http://elsewhere.example/api/".to_owned(), "GET", "http-origin"),
        row("a narrower grant: method", reading(), api.clone(), "POST", "http-method"),
        row("a narrower grant: path", narrow(), api, "GET", "http-path"),
        Row {
            missing: "a name that moved into the machine",
            rights: granting(vec![http(&moved)], credential.map(|_| token(&moved)).into_iter().collect()),
            effect: ask(format!("{moved}/api/"), "GET"),
            reason: "http-address",
        },
    ]
}

fn credentials(server: &Server, other: &Server) -> Vec<Row> {
    let with = |url: String, handle: &str| {
        PluginEffect::Http(HttpRequest { credential: Some(handle.to_owned()), ..get(url) })
    };
    let both = || vec![http(&server.origin), http(&other.origin)];
    let row =
        |missing, secret, effect, reason| Row { missing, rights: granting(both(), secret), effect, reason };
    let home = || vec![token(&server.origin)];
    vec![
        row("no secret", vec![], with(server.url(""), "token"), "credential"),
        row("another secret", home(), with(server.url(""), "password"), "credential"),
        row("another audience", home(), with(other.url(""), "token"), "credential-origin"),
    ]
}

fn files() -> Vec<Row> {
    let at =
        |directory: &str, path: &str| FilePath { directory: directory.to_owned(), path: path.to_owned() };
    let mut rows = Vec::new();
    let create = |at| FileRequest::Write { at, content: b"new".to_vec(), expect: None };
    let kinds: [fn(FilePath) -> FileRequest; 3] = [FileRequest::List, FileRequest::Read, create];
    for make in kinds {
        let mut row = |missing, rights, at, reason| {
            rows.push(Row { missing, rights, effect: PluginEffect::File(make(at)), reason });
        };
        row("no grant", Rights::default(), at("tasks", "a.md"), "folder");
        row("another folder", folder(Access::ReadWrite), at("others", "a.md"), "folder");
        row("a path that climbs", folder(Access::ReadWrite), at("tasks", "../a.md"), "file-path");
    }
    let writing = PluginEffect::File(write("a.md", "new", None));
    let (rights, reason) = (folder(Access::Read), "folder-read-only");
    rows.push(Row { missing: "a narrower grant", rights, effect: writing, reason });
    rows
}

fn sockets(server: &Server) -> Vec<Row> {
    let (socket, url) = ("s".to_owned(), server.url("").replace("http", "ws"));
    [PluginEffect::Socket { socket: socket.clone(), url }, PluginEffect::Send { socket }]
        .into_iter()
        .map(|effect| Row {
            missing: "no right covers it",
            rights: granting(vec![http(&server.origin)], vec![]),
            effect,
            reason: "socket",
        })
        .collect()
}

fn gate(rights: &Rights, network: &Network, base: &Path) -> Gate {
    let secrets = Secrets::from_iter([("token-field", Secret::new(SECRET))]);
    let config = BTreeMap::from([("folder".to_owned(), ".".to_owned())]);
    Gate::through(network, rights, &config, &secrets, base, Limits::default()).unwrap()
}

#[tokio::test]
async fn every_effect_without_its_right_is_denied_and_counted_and_nothing_happens() {
    let (server, other) = (Server::ok().await, Server::ok().await);
    let place = tempfile::tempdir().unwrap();
    let network = Names::answering(&[&["127.0.0.1"]]).network();
    let rows = requests(&server, None).into_iter().chain(requests(&server, Some("token")));
    let rows = rows.chain(credentials(&server, &other)).chain(files()).chain(sockets(&server));
    let mut tried = 0;
    for Row { missing, rights, effect, reason } in rows {
        let told = format!("{missing}: {effect:?}");
        let gate = gate(&rights, &network, place.path());
        for times in 1..=2 {
            let problem = gate.carry_out(effect.clone()).await.expect_err(&told);
            assert_eq!(problem.kind, ProblemKind::Denied, "{told}: {problem}");
            let denials = gate.denials();
            assert_eq!(denials.total(), times, "{told}: {denials:?}");
            assert_eq!(denials.by_reason[reason].times, times, "{told}");
            assert_eq!(denials.by_reason[reason].last, problem.message);
        }
        tried += 1;
    }
    assert_eq!(tried, 35, "a row was lost");
    assert!(server.seen().is_empty() && other.seen().is_empty());
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}

/// Lets nobody go anywhere.
#[derive(Debug)]
struct Closed;

impl Ceiling for Closed {
    fn admits(&self, _: &Origin) -> Result<(), String> {
        Err("line 7 of /etc/policy.toml".to_owned())
    }

    fn connects(&self, _: &Endpoint) -> Result<(), String> {
        Ok(())
    }
}

#[tokio::test]
async fn what_stands_above_the_operator_is_asked_about_every_request_whatever_is_granted() {
    let server = Server::ok().await;
    let place = tempfile::tempdir().unwrap();
    let rights = granting(vec![http(&server.origin)], vec![]);
    for mode in [Mode::Enforce, Mode::Observe] {
        let network = Network { mode, ceiling: Arc::new(Closed), ..Network::default() };
        let gate = gate(&rights, &network, place.path());
        for times in 1..=2 {
            let problem = send(&gate, get(server.url(""))).await.unwrap_err();
            assert_eq!(problem.kind, ProblemKind::Denied);
            assert!(problem.message.contains("line 7 of /etc/policy.toml"), "{problem}");
            assert_eq!(gate.denials().by_reason["http-ceiling"].times, times);
        }
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_right_taken_back_is_gone_for_every_effect() {
    let server = Server::ok().await;
    let place = tempfile::tempdir().unwrap();
    let network = Network::default();
    let rights =
        Rights { files: folder(Access::ReadWrite).files, ..granting(vec![http(&server.origin)], vec![]) };
    let before = gate(&rights, &network, place.path());
    send(&before, get(server.url(""))).await.unwrap();
    before.carry_out(PluginEffect::File(write("a.md", "old", None))).await.unwrap();
    drop(before);
    let after = gate(&Rights::default(), &network, place.path());
    for effect in [
        PluginEffect::Http(get(server.url(""))),
        PluginEffect::File(write("b.md", "new", None)),
        PluginEffect::File(FileRequest::Read(FilePath {
            directory: "tasks".to_owned(),
            path: "a.md".to_owned(),
        })),
    ] {
        assert_eq!(after.carry_out(effect).await.unwrap_err().kind, ProblemKind::Denied);
    }
    assert_eq!((server.seen().len(), after.denials().total()), (1, 3));
    assert!(!place.path().join("b.md").exists());
}

#[tokio::test]
async fn following_a_redirect_is_a_request_like_any_other() {
    let target = Server::ok().await;
    let location = target.url("elsewhere");
    let server = Server::start(move |_| {
        axum::http::Response::builder().status(307).header("location", &location).body("".into()).unwrap()
    })
    .await;
    let gate = gate(&granting(vec![http(&server.origin)], vec![]), &Network::default(), Path::new("/"));
    let answer = send(&gate, get(server.url(""))).await.unwrap();
    let (_, followed) = answer.headers.iter().find(|(name, _)| name == "location").unwrap();
    let problem = send(&gate, get(followed)).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::Denied);
    assert_eq!(gate.denials().by_reason["http-origin"].times, 1);
    assert!(target.seen().is_empty());
}
