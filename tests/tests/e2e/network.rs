//! The way from the host to its tracker: through a proxy, and with an eye on what a
//! plugin needs beyond its grant.

use std::io::{Read, Write, copy};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use hostler_tests::scripted_agent::imitations;

use crate::stage::{LONG, plugin};
use crate::tale::scene::Scene;

/// Where the tracker is, for everybody but its proxy: no such name can be looked up.
const OUTSIDE: &str = "http://tale.invalid";

/// A proxy that passes everything to one server, and remembers what it was asked for.
struct Proxy {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn to(server: &str) -> Self {
        let server = server.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let record = Arc::clone(&asked);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, record) = (server.clone(), Arc::clone(&record));
                thread::spawn(move || pass_on(client, &server, &record));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Whoever goes away first ends it; a test does not mind.
fn pass_on(mut client: TcpStream, server: &str, record: &Mutex<Vec<String>>) {
    let mut beginning = [0; 4096];
    let Ok(read) = client.read(&mut beginning) else { return };
    let text = String::from_utf8_lossy(&beginning[..read]);
    record.lock().unwrap().push(text.lines().next().unwrap_or_default().to_owned());
    let mut server = TcpStream::connect(server).unwrap();
    server.write_all(&beginning[..read]).unwrap();
    let (mut from_client, mut to_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        let _ = copy(&mut from_client, &mut to_server);
        let _ = to_server.shutdown(Shutdown::Write);
    });
    let _ = copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Write);
}

/// A scene whose server is outside.
fn scene() -> (Scene, Proxy) {
    let scene = Scene::playing(&imitations::does_its_task());
    let proxy = Proxy::to(&scene.server.url());
    let settings = std::fs::read_to_string(scene.stage.sandbox.config_file()).unwrap();
    assert!(settings.contains(&scene.server.url()), "{settings}");
    scene.stage.sandbox.configure(&settings.replace(&scene.server.url(), OUTSIDE));
    (scene, proxy)
}

/// The task is done, and every word went through the proxy.
fn assert_done_through(proxy: &Proxy, scene: &Scene) {
    let host = scene.start();
    scene.wait_for(&scene.run, "completed", &host);
    scene.drain(host);
    let asked = proxy.asked();
    assert!(!asked.is_empty(), "the proxy was not asked");
    for line in asked {
        assert!(line.starts_with(&format!("POST {OUTSIDE}/api/v1/")), "{line}");
    }
}

#[test]
fn a_task_is_done_through_the_proxy_of_the_settings() {
    let (scene, proxy) = scene();
    let mut settings = std::fs::read_to_string(scene.stage.sandbox.config_file()).unwrap();
    let proxied = format!("\n[network]\nproxy = \"http://me:hunter2@{}\"\n", proxy.address);
    settings.push_str(&proxied);
    settings.push_str("no-proxy = [\"elsewhere.invalid\"]\n");
    scene.stage.sandbox.configure(&settings);
    for command in [&["doctor"][..], &["config", "show"]] {
        let told = scene.stage.sandbox.host(command).stdout;
        assert!(told.contains(&format!("http://{}", proxy.address)), "{told}");
        assert!(told.contains("config.toml line ") && !told.contains("hunter2"), "{told}");
    }
    assert_done_through(&proxy, &scene);
}

#[test]
fn a_task_is_done_through_the_proxy_of_the_environment() {
    let (scene, proxy) = scene();
    let stage = scene.stage.variable("HTTP_PROXY", &format!("http://{}", proxy.address));
    assert_done_through(&proxy, &Scene { stage, ..scene });
}

#[test]
fn a_file_of_certificates_that_cannot_be_used_is_named_before_anything_is_sent() {
    let (scene, proxy) = scene();
    let mut settings = std::fs::read_to_string(scene.stage.sandbox.config_file()).unwrap();
    let proxied = format!("\n[network]\nproxy = \"http://{}\"\nca = \"~/company.pem\"\n", proxy.address);
    settings.push_str(&proxied);
    scene.stage.sandbox.configure(&settings);
    let path = scene.stage.sandbox.folder().join("home/company.pem");
    let told = scene.stage.sandbox.host(&["doctor"]).stdout;
    assert!(told.contains(&path.display().to_string()) && told.contains("fail"), "{told}");
    let output = scene.stage.sandbox.host(&["run", "--plugin", "tale", "--once"]);
    assert_ne!(output.code, Some(0));
    assert!(output.stderr.contains("company.pem"), "{output:?}");
    assert!(proxy.asked().is_empty());
}

/// A build of the plugin that asks for paths it does not use, and is allowed them.
fn asks_for_too_little(scene: &Scene) {
    let build = std::fs::read(plugin("tale")).unwrap();
    let (real, asked) = (b"path = \"/api/v1/\"", b"path = \"/api/v9/\"");
    let mut build = build;
    while let Some(at) = build.windows(real.len()).position(|bytes| bytes == real) {
        build[at..at + real.len()].copy_from_slice(asked);
    }
    let file = scene.stage.sandbox.folder().join("data/hostler/plugins/tale.wasm");
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, build).unwrap();
    scene.stage.allow("tale");
}

#[test]
fn a_plugin_that_needs_more_than_its_grant_is_refused_and_observed_only_on_demand() {
    let scene = Scene::playing(&imitations::does_its_task());
    asks_for_too_little(&scene);
    let refused = scene.stage.sandbox.host(&["run", "--plugin", "tale", "--once"]);
    assert!(refused.stderr.contains("does not cover the path"), "{refused:?}");
    assert!(scene.server.requests().is_empty());
    let audit = scene.stage.sandbox.host(&["audit", "--kind", "denied", "--json"]).stdout;
    let entry: serde_json::Value = serde_json::from_str(audit.lines().next().unwrap()).unwrap();
    let told = ["plugin", "effect", "reason"].map(|field| entry[field].as_str().unwrap_or_default());
    assert_eq!(told, ["tale", "http", "http-path"], "{audit}");

    let mut host = scene.start_with(&["--observe"]);
    scene.wait_for(&scene.run, "completed", &host);
    let status = scene.stage.sandbox.host(&["status"]).stdout;
    assert!(status.contains("http-path") && status.contains("[[plugin.http]]"), "{status}");
    host.terminate();
    assert_eq!(host.wait(LONG).code(), Some(0), "{}", host.stderr());
    scene.assert_all_is_well();
    let told = host.stdout();
    assert!(told.contains("beyond its grant are let through"), "{told}");
    let (_, rights) = told.rsplit_once("[[plugin.http]]:\n\n").unwrap();
    assert!(rights.contains("methods = [\"POST\"]") && rights.contains("/api/v1/"), "{rights}");

    // Pasted into the entry of the plugin, they are enough.
    let grants = scene.stage.sandbox.folder().join("config/hostler/grants.toml");
    let text = std::fs::read_to_string(&grants).unwrap();
    let end = text.rfind("\n[[plugin]]").filter(|at| !text[*at..].contains("\"tale\"")).unwrap_or(text.len());
    let until = |text: &str| {
        text.lines().take_while(|line| !line.contains("succeeded")).collect::<Vec<_>>().join("\n")
    };
    std::fs::write(&grants, format!("{}\n{}\n{}", &text[..end], until(rights), &text[end..])).unwrap();
    let again = scene.another("Write it again");
    let host = scene.start();
    scene.wait_for(&again, "completed", &host);
    scene.drain(host);
}

#[test]
fn an_organisation_that_does_not_want_observing_has_the_last_word() {
    let (scene, proxy) = scene();
    let policy = scene.stage.sandbox.folder().join("policy.toml");
    std::fs::write(&policy, "observe = false\n").unwrap();
    let stage = scene.stage.variable("HOSTLER_POLICY", &policy.display().to_string());
    let output = stage.sandbox.host(&["run", "--plugin", "tale", "--once", "--observe"]);
    assert_eq!(output.code, Some(5), "{output:?}");
    assert!(output.stderr.contains("merely observed") && output.stderr.contains("policy.toml"), "{output:?}");
    assert!(proxy.asked().is_empty());
}
