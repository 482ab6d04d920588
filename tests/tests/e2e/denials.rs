//! Every kind of right, missing in every way it can be missing: the host does nothing of
//! what the plugin is for, and says so.

use hostler_tests::scripted_agent::imitations;
use toml::{Table, Value};

use crate::stage::{Stage, assert_one_sentence};
use crate::tale::scene::Scene;

/// What a row is about: the plugin, and what happens to its grant.
struct Row {
    plugin: &'static str,
    missing: &'static str,
    change: fn(&mut Table),
}

/// What a grant for another build lacks.
const THIS_BUILD: &str = "this build";

/// The first right of a kind that a plugin may have several of.
fn first<'g>(grant: &'g mut Table, kind: &str) -> &'g mut Table {
    grant[kind].as_array_mut().unwrap()[0].as_table_mut().unwrap()
}

fn part<'g>(grant: &'g mut Table, name: &str) -> &'g mut Table {
    grant[name].as_table_mut().unwrap()
}

fn remove(grant: &mut Table, name: &str) {
    grant.remove(name).unwrap();
}

fn set(table: &mut Table, name: &str, value: impl Into<Value>) {
    table.insert(name.to_owned(), value.into()).unwrap();
}

/// A right that depends on the settings becomes one to a fixed place.
fn elsewhere(right: &mut Table, origin: &str) {
    right.remove("origin-from").unwrap();
    right.insert("origin".to_owned(), origin.into());
}

const TRACKER: &[Row] = &[
    Row { plugin: "tale", missing: "requests", change: |grant| remove(grant, "http") },
    Row {
        plugin: "tale",
        missing: "requests to this host",
        change: |grant| elsewhere(first(grant, "http"), "https://elsewhere.example"),
    },
    Row {
        plugin: "tale",
        missing: "requests at this port",
        change: |grant| elsewhere(first(grant, "http"), "http://127.0.0.1:1"),
    },
    Row {
        plugin: "tale",
        missing: "requests to this path",
        change: |grant| set(first(grant, "http"), "path", "/api/v1/runs/"),
    },
    Row {
        plugin: "tale",
        missing: "requests of this method",
        change: |grant| set(first(grant, "http"), "methods", vec!["GET"]),
    },
    Row { plugin: "tale", missing: "the secret", change: |grant| remove(grant, "secret") },
    Row {
        plugin: "tale",
        missing: "the secret in this header",
        change: |grant| set(first(grant, "secret"), "header", "x-other"),
    },
    Row {
        plugin: "tale",
        missing: "the secret for this host",
        change: |grant| elsewhere(first(grant, "secret"), "https://elsewhere.example"),
    },
    Row { plugin: "tale", missing: "variables for agents", change: |grant| remove(grant, "agent") },
];

const FOLDER: &[Row] = &[
    Row { plugin: "folder", missing: "files", change: |grant| remove(grant, "files") },
    Row {
        plugin: "folder",
        missing: "writing files",
        change: |grant| set(first(grant, "files"), "access", "read"),
    },
    Row {
        plugin: "folder",
        missing: "another folder's files",
        change: |grant| set(first(grant, "files"), "directory", "others"),
    },
    Row {
        plugin: "folder",
        missing: "landing",
        change: |grant| set(part(grant, "repository"), "landings", vec!["push"]),
    },
    Row {
        plugin: "folder",
        missing: "verify commands",
        change: |grant| set(part(grant, "repository"), "verify", false),
    },
    Row { plugin: "folder", missing: "the repository", change: |grant| remove(grant, "repository") },
    Row { plugin: "claude-code", missing: "the program", change: |grant| remove(grant, "program") },
    Row {
        plugin: "claude-code",
        missing: "this program",
        change: |grant| set(part(grant, "program"), "name", "other"),
    },
    Row {
        plugin: "claude-code",
        missing: "a variable of the environment",
        change: |grant| set(part(grant, "program"), "env", vec!["ANTHROPIC_API_KEY"]),
    },
    Row {
        plugin: "claude-code",
        missing: "an argument",
        change: |grant| {
            let start = part(part(part(grant, "program"), "commands"), "start");
            set(start, "args", vec!["-p"]);
        },
    },
    Row { plugin: "claude-code", missing: THIS_BUILD, change: |grant| set(grant, "digest", "0".repeat(64)) },
];

/// Takes every row's right away in turn, and gives it back.
fn walk(stage: &Stage, rows: &[Row], words: &[&str]) {
    let path = stage.sandbox.folder().join("config/hostler/grants.toml");
    let whole = std::fs::read_to_string(&path).unwrap();
    for Row { plugin, missing, change } in rows {
        let mut grants: Table = whole.parse().unwrap();
        let entries = grants["plugin"].as_array_mut().unwrap().iter_mut();
        let mut entries = entries.filter_map(Value::as_table_mut);
        change(entries.find(|grant| grant["id"].as_str() == Some(plugin)).unwrap());
        std::fs::write(&path, grants.to_string()).unwrap();
        let output = stage.sandbox.host(words);
        assert_eq!(output.code, Some(5), "{plugin} without {missing}: {output:?}");
        assert_one_sentence(&output.stderr);
        assert!(output.stderr.contains("host plugin allow"), "{plugin} without {missing}: {output:?}");
        assert!(output.stderr.contains(&format!("{plugin}.wasm")), "{plugin} without {missing}: {output:?}");
        let told = stage.sandbox.host(&["audit", "--kind", "denied", "--json"]).stdout;
        let told: serde_json::Value = serde_json::from_str(told.lines().last().unwrap()).unwrap();
        let reason = if *missing == THIS_BUILD { "grant-missing" } else { "grant-too-little" };
        assert_eq!([&told["plugin"], &told["effect"], &told["reason"]], [*plugin, "start", reason]);
        let inspected = stage.sandbox.host(&["plugin", "inspect", plugin, "--json"]).stdout;
        let inspected: serde_json::Value = serde_json::from_str(&inspected).unwrap();
        let standing = if *missing == THIS_BUILD { "no" } else { "too-little" };
        assert_eq!(inspected["allowed"], standing, "{plugin} without {missing}");
    }
    std::fs::write(&path, whole).unwrap();
}

#[test]
fn a_tracker_over_http_that_lacks_any_of_its_rights_sends_nothing() {
    let scene = Scene::playing(&imitations::does_its_task());
    walk(&scene.stage, TRACKER, &["run", "--plugin", "tale", "--once"]);
    assert!(scene.server.requests().is_empty());
    let host = scene.start();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
}

#[test]
fn a_tracker_or_provider_that_lacks_any_of_its_rights_touches_no_file_and_starts_no_agent() {
    let (stage, agent) = Stage::with_claude(&imitations::does_its_task());
    stage.task("hello", "---\ntitle: Hello\n---\nSay hello.\n");
    let before = stage.task_file("hello").text;
    walk(&stage, FOLDER, &["run", "--plugin", "folder", "--provider", "claude-code", "--once"]);
    assert_eq!(stage.task_file("hello").text, before);
    assert_eq!(agent.starts().unwrap().len(), 0);
    assert_eq!(stage.run_once(&[]).code, Some(0), "with all of them it works");
}
