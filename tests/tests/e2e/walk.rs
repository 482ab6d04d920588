//! One walk over every kind of effect and every way in which its right can be missing:
//! the plugin is told `denied`, it is counted, the audit log has a line, and nothing
//! happens.

mod agents;
mod machine;
mod server;

use std::fs;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::thread;

use hostler_tests::PATIENCE;
use hostler_tests::scripted_agent::imitations;
use serde_json::{Value, json};

use self::machine::{Machine, Told};
use self::server::Server;
use crate::stage::{LONG, assert_one_sentence};

/// What is missing, what is asked for, the kind of effect, and the reason it is counted
/// under.
type Row = (&'static str, Value, &'static str, &'static str);

/// Asks for every row, and finds each refused, counted and told.
fn walk(machine: &Machine, url: &str, rows: &[Row]) {
    let asks: Vec<&Value> = rows.iter().map(|row| &row.1).collect();
    machine.asks(url, &json!(asks), &Value::Null);
    let host = machine.start();
    let answers = Machine::answers(&host, rows.len());
    let counted = machine.counted();
    for ((missing, ask, _, reason), answer) in rows.iter().zip(&answers) {
        let row = format!("{missing}: {ask} was answered {answer}");
        assert!(answer.starts_with("denied: "), "{row}");
        let alike = rows.iter().filter(|(_, _, _, other)| other == reason).count();
        assert_eq!(counted[*reason], alike, "{row}");
    }
    machine.end(host);
    let told = machine.told();
    for (missing, _, effect, reason) in rows {
        assert!(told.contains(&Told::of("asker", effect, reason)), "{missing}: {told:?}");
    }
}

fn quiet(elsewhere: Option<&str>) -> Server {
    Server::start(elsewhere, Box::new(|_| {}))
}

fn http(method: &str, url: &str) -> Value {
    json!({ "http": [method, url, null] })
}

fn with(credential: &str, url: &str) -> Value {
    json!({ "http": ["GET", url, credential] })
}

/// Every kind of effect, each of which would be allowed.
fn all_kinds(url: &str) -> Vec<(Value, &'static str, &'static str)> {
    vec![
        (http("GET", &format!("{url}/api/")), "http", "http-withdrawn"),
        (with("token", &format!("{url}/api/")), "http", "http-withdrawn"),
        (json!({ "list": ["tasks", "."] }), "files", "file-withdrawn"),
        (json!({ "read": ["tasks", "a.md"] }), "files", "file-withdrawn"),
        (json!({ "write": ["tasks", "b.md"] }), "files", "file-withdrawn"),
        (json!({ "socket": format!("{url}/api/").replace("http", "ws") }), "socket", "socket-withdrawn"),
        (json!({ "send": "hello" }), "socket", "socket-withdrawn"),
        (json!({ "wake": 1 }), "wake", "wake-withdrawn"),
        (json!({ "other": "teleport" }), "other", "other-withdrawn"),
    ]
}

/// Rights that are there, for something else.
fn narrow_rights() {
    let other = quiet(None);
    let server = quiet(Some(&format!("{}/api/", other.url())));
    let (url, elsewhere) = (server.url(), other.url());
    let api = format!("{url}/api/");
    let socket = api.replace("http", "ws");
    let machine = Machine::new(&url, &[], &imitations::does_its_task());
    let rows: &[Row] = &[
        ("another host", http("GET", &api.replace("127.0.0.1", "127.0.0.2")), "http", "http-origin"),
        ("another port", http("GET", &format!("{elsewhere}/api/")), "http", "http-origin"),
        ("another scheme", http("GET", &api.replace("http", "https")), "http", "http-origin"),
        ("another path", http("GET", &format!("{url}/admin")), "http", "http-path"),
        ("a path that climbs", http("GET", &format!("{url}/api/../admin")), "http", "http-path"),
        ("another method", http("DELETE", &api), "http", "http-method"),
        ("a redirect's target", http("GET", &format!("{api}moved")), "http", "http-origin"),
        ("a redirect with the secret", with("token", &format!("{api}moved")), "http", "http-origin"),
        ("another secret", with("password", &api), "http", "credential"),
        ("another folder", json!({ "list": ["others", "."] }), "files", "folder"),
        ("another folder", json!({ "read": ["others", "a.md"] }), "files", "folder"),
        ("another folder", json!({ "write": ["others", "a.md"] }), "files", "folder"),
        ("a path that climbs", json!({ "list": ["tasks", "../others"] }), "files", "file-path"),
        ("a path that climbs", json!({ "read": ["tasks", "../others/a.md"] }), "files", "file-path"),
        ("a path that climbs", json!({ "write": ["tasks", "../others/a.md"] }), "files", "file-path"),
        ("writing", json!({ "write": ["notes", "a.md"] }), "files", "folder-read-only"),
        ("any right to a socket", json!({ "socket": socket }), "socket", "socket"),
        ("any right to a socket", json!({ "send": "hello" }), "socket", "socket"),
    ];
    walk(&machine, &url, rows);
    assert_eq!(server.asked(), ["GET /api/moved", "GET /api/moved"], "nothing but what was granted");
    assert!(other.asked().is_empty());
    assert!(!machine.stage.repository.path().join("others/a.md").exists());
    assert!(!machine.stage.repository.path().join("notes/a.md").exists());
}

/// No right of the kind at all.
fn no_rights() {
    let server = quiet(None);
    let api = format!("{}/api/", server.url());
    let machine = Machine::new(&server.url(), &["http", "secret", "files"], &imitations::does_its_task());
    let rows: &[Row] = &[
        ("no right to requests", http("GET", &api), "http", "http-origin"),
        ("no right to requests", http("POST", &api), "http", "http-origin"),
        ("no right to files", json!({ "list": ["tasks", "."] }), "files", "folder"),
        ("no right to files", json!({ "read": ["tasks", "a.md"] }), "files", "folder"),
        ("no right to files", json!({ "write": ["tasks", "a.md"] }), "files", "folder"),
    ];
    walk(&machine, &server.url(), rows);
    assert!(server.asked().is_empty());
    assert!(!machine.stage.repository.path().join("tasks/a.md").exists());

    let machine = Machine::new(&server.url(), &["secret"], &imitations::does_its_task());
    walk(&machine, &server.url(), &[("no right to a secret", with("token", &api), "http", "credential")]);
    assert!(server.asked().is_empty());
}

/// A name that stands for addresses inside: that of this machine, where it does. A name
/// that moves between two looks takes a resolver of the test's own, and so is seen to at
/// the gates themselves.
fn name_of_inside() -> Option<String> {
    let name = String::from_utf8(Command::new("uname").arg("-n").output().unwrap().stdout).unwrap();
    let name = name.trim().to_lowercase();
    let found = (name.as_str(), 80).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
    let inside = |address: &SocketAddr| match address.ip() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private(),
        IpAddr::V6(address) => address.is_loopback() || address.is_unique_local(),
    };
    if name == "localhost" || !found.as_ref().is_ok_and(|all| !all.is_empty() && all.iter().all(inside)) {
        eprintln!("skipped: this machine's name {name} stands for no address inside: {found:?}");
        return None;
    }
    Some(name)
}

/// A name that is granted, and stands for an address inside.
fn rebound_name() {
    let (server, Some(name)) = (quiet(None), name_of_inside()) else { return };
    let url = format!("http://{name}:{}", server.port);
    let machine = Machine::new(&url, &[], &imitations::does_its_task());
    let api = format!("{url}/api/");
    let rows: &[Row] = &[
        ("a name that leads inside", http("GET", &api), "http", "http-address"),
        ("the same with the secret", with("token", &api), "http", "http-address"),
    ];
    walk(&machine, &url, rows);
    assert!(server.asked().is_empty());
}

/// The organisation says no.
fn ceilings() {
    let server = quiet(None);
    let api = format!("{}/api/", server.url());
    let machine = Machine::new(&server.url(), &[], &imitations::does_its_task());
    machine.stage.write_policy("[http]\norigins = [\"https://elsewhere.example\"]\n");
    let rows: &[Row] = &[
        ("the organisation's word", http("GET", &api), "http", "http-ceiling"),
        ("the organisation's word", with("token", &api), "http", "http-ceiling"),
    ];
    walk(&machine, &server.url(), rows);
    assert!(server.asked().is_empty());
}

/// The leave to use the plugin is gone in the middle of its work: the grants cannot be
/// told any more, which allows nothing, and ends nobody's host.
fn leave_gone() {
    let grants = Arc::new(OnceLock::<PathBuf>::new());
    let file = Arc::clone(&grants);
    let server = Server::start(
        None,
        Box::new(move |asked| {
            if asked.ends_with("/last") {
                fs::write(file.get().unwrap(), "half a fi").unwrap();
            }
        }),
    );
    let url = server.url();
    let machine = Machine::new(&url, &[], &imitations::does_its_task());
    grants.set(machine.grants()).unwrap();
    fs::write(machine.stage.repository.path().join("tasks/a.md"), "a").unwrap();
    let kinds = all_kinds(&url);
    let last = http("GET", &format!("{url}/api/last"));
    let asks: Vec<&Value> = std::iter::once(&last).chain(kinds.iter().map(|kind| &kind.0)).collect();
    machine.asks(&url, &json!(asks), &Value::Null);
    let whole = fs::read_to_string(machine.grants()).unwrap();
    let host = machine.start();
    let answers = Machine::answers(&host, asks.len());
    assert_eq!(answers[0], "done");
    for ((ask, _, reason), answer) in kinds.iter().zip(&answers[1..]) {
        assert!(answer.starts_with("denied: "), "{ask} was answered {answer}");
        assert!(machine.counted()[*reason] > 0, "{ask} was not counted");
    }
    assert_eq!(server.asked(), ["GET /api/last"]);
    assert!(!machine.stage.repository.path().join("tasks/b.md").exists());
    fs::write(machine.grants(), &whole).unwrap();
    machine.end(host);
    let told = machine.told();
    for (ask, effect, reason) in kinds {
        assert!(told.contains(&Told::of("asker", effect, reason)), "{ask}: {told:?}");
    }

    // Taken back for good, it also ends the host.
    machine.asks(&url, &json!([]), &Value::Null);
    let mut host = machine.start();
    host.wait_for_stdout("asker", PATIENCE);
    let revoked = machine.stage.sandbox.host(&["plugin", "revoke", "asker"]);
    assert_eq!(revoked.code, Some(0), "{revoked:?}");
    assert_eq!(host.wait(LONG).code(), Some(5), "{}", host.stderr());
    let withdrawn = machine.stage.sandbox.host(&["audit", "--kind", "withdrawn", "--json"]).stdout;
    assert!(withdrawn.contains("\"asker\""), "{withdrawn}");
    let refused = machine.stage.sandbox.host(&["run", "--plugin", "asker", "--provider", "claude-code"]);
    assert_eq!(refused.code, Some(5), "{refused:?}");
    assert_one_sentence(&refused.stderr);
    assert!(machine.told().contains(&Told::of("asker", "start", "grant-missing")));
}

#[test]
fn every_effect_whose_right_is_missing_in_any_way_is_denied_counted_and_told_and_nothing_happens() {
    // Each on a machine of its own, and mostly waiting for it: at once they take a third
    // of the time.
    let parts: [fn(); 11] = [
        narrow_rights,
        no_rights,
        rebound_name,
        ceilings,
        leave_gone,
        agents::wishes_beyond_the_grant,
        agents::another_command_line,
        agents::ceiling_of_programs,
        agents::withdrawn_at_the_end,
        agents::agent_without_leave,
        agents::ways_out,
    ];
    thread::scope(|scope| {
        for part in parts {
            scope.spawn(part);
        }
    });
}
