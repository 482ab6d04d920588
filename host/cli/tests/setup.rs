//! `host setup` and what follows from it, with a made-up Tale plugin, a made-up coding
//! CLI and a fake home folder.
#![allow(clippy::unwrap_used)]

#[path = "../../components/tests/plugins/guest.rs"]
mod guest;
mod machine;

use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use guest::Guest;
use machine::{CODER, Machine, assert_fails};

const TALE: &str = r#"
[plugin]
id = "tale"
name = "Tale"
version = "0.1.0"
contract = "hostler:plugin@0.1.0"
description = "Takes tasks from Tale."
[config.url]
type = "string"
required = true
help = "Address of the Tale server."
[config.api-key]
type = "string"
required = true
secret = true
env = "TALE_DAEMON_API_KEY"
help = "API key."
[config.daemon-id]
type = "string"
[[http]]
origin-from = "url"
methods = ["POST"]
path = "/api/v1/"
[[secret]]
handle = "api-key"
from = "api-key"
header = "Authorization"
form = "Bearer {}"
origin-from = "url"
"#;

const EARLIER: &str = r#"{"baseUrl": "http://127.0.0.1:9", "apiKey": "hunter2", "daemonId": "daemon_1",
    "name": "desk", "workspaces": {"api": "API"}, "permissionCeiling": "auto_edits"}"#;

/// A machine with the plugins and the CLI installed.
fn machine() -> Machine {
    let mut machine = Machine::new();
    let plugins = machine.path("data/hostler/plugins");
    std::fs::create_dir_all(&plugins).unwrap();
    let (tale, coder) = (Guest::tracker().manifest(Some(TALE)), Guest::provider().manifest(Some(CODER)));
    std::fs::write(plugins.join("tale.wasm"), tale.build()).unwrap();
    std::fs::write(plugins.join("coder.wasm"), coder.build()).unwrap();
    machine.write("bin/coder-for-tests", "#!/bin/sh\necho 4.5.6\n");
    let program = machine.path("bin/coder-for-tests");
    std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
    machine.set("PATH", format!("{}:/usr/bin:/bin", machine.path("bin").display()));
    machine.write("work/.git/HEAD", "ref: refs/heads/main\n");
    machine
}

fn earlier(machine: &Machine, below: &str) {
    machine.write("api/.git/HEAD", "ref: refs/heads/main\n");
    let text = EARLIER.replace("API", &machine.path("api").display().to_string());
    machine.write(&format!("{below}/config.json"), &text);
}

fn read(machine: &Machine, below: &str) -> String {
    let text = std::fs::read_to_string(machine.path(below)).unwrap();
    text.replace(&machine.path("").display().to_string(), "~/")
}

fn mode(machine: &Machine, below: &str) -> u32 {
    std::fs::metadata(machine.path(below)).unwrap().permissions().mode() & 0o777
}

#[test]
fn an_unattended_set_up_saves_everything_and_the_key_only_for_its_owner() {
    let machine = machine();
    machine.write("config/hostler/config.toml", "# mine\nslots = 3 # enough\n");
    let words =
        ["setup", "tale", "--yes", "--url", "http://127.0.0.1:9/", "--key", "hunter2", "--name", "desk"];
    let more = ["--workspace", ".", "--workspace-key", "app", "--ceiling", "full_auto"];
    let (exit, out, err) = machine.run(&[&words[..], &more].concat());
    assert_eq!(exit, 0, "{err}");
    assert!(out.starts_with("Tale is set up.") && out.contains("coder 4.5.6"), "{out}");
    assert!(out.contains("full-auto at most") && out.contains("host run"), "{out}");
    assert!(err.contains("have `api-key` sent as header"), "what is granted is shown: {err}");
    let config = read(&machine, "config/hostler/config.toml");
    insta::assert_snapshot!(config);
    let secrets = read(&machine, "config/hostler/secrets.toml");
    let saved = "\n[tracker.tale]\napi-key = \"hunter2\"\n";
    assert!(secrets.starts_with('#') && secrets.ends_with(saved), "{}", secrets.replace("hunter2", "KEY"));
    for shown in [&out, &err, &config] {
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    assert_eq!(
        (mode(&machine, "config/hostler/secrets.toml"), mode(&machine, "config/hostler")),
        (0o600, 0o700)
    );
    let shown = machine.run(&["config", "show"]).1;
    assert!(shown.contains("••••••") && shown.contains("secrets.toml line") && !shown.contains("hunter2"));
    assert!(shown.contains("found on this machine"), "{shown}");
    assert!(machine.run(&["plugin", "list"]).1.matches("allowed").count() >= 2);
}

#[test]
fn what_tale_daemon_knew_is_taken_over_and_setting_up_again_changes_nothing() {
    let machine = machine();
    earlier(&machine, ".tale-daemon");
    let (exit, out, err) = machine.run(&["setup", "tale", "--yes"]);
    assert_eq!(exit, 0, "{err}");
    assert!(out.contains("api-key") && out.contains("repository api"), "{out}");
    assert!(out.contains("from ~/.tale-daemon/config.json"), "{out}");
    let files =
        || ["config.toml", "secrets.toml"].map(|name| read(&machine, &format!("config/hostler/{name}")));
    let [config, secrets] = files();
    insta::assert_snapshot!(config);
    assert!(secrets.contains("hunter2"));
    let (exit, again, _) = machine.run(&["setup", "tale", "--yes"]);
    assert_eq!((exit, files()), (0, [config, secrets]));
    assert!(!again.contains("taken over"), "{again}");
}

#[test]
fn without_a_set_up_the_file_of_tale_daemon_is_the_weakest_layer() {
    let mut machine = machine();
    earlier(&machine, "elsewhere");
    machine.set("TALE_DAEMON_HOME", machine.path("elsewhere").display().to_string());
    let (exit, shown, err) = machine.run(&["config", "show", "--plugin", "tale"]);
    assert_eq!(exit, 0, "{err}");
    let file = "~/elsewhere/config.json";
    for (setting, value) in
        [("permission-ceiling", "auto-edits"), ("tracker.tale.daemon-id", "daemon_1"), ("name", "desk")]
    {
        let line = shown.lines().find(|line| line.split_whitespace().next() == Some(setting)).unwrap();
        assert!(line.contains(value) && line.contains(file), "{line}");
    }
    assert!(!shown.contains("hunter2"), "{shown}");
    let listed = machine.run(&["secret", "list"]).1;
    let line = listed.lines().find(|line| line.starts_with("tale.api-key ")).unwrap();
    assert!(line.ends_with(file) && !listed.contains("hunter2"), "{listed}");
    let removed = machine.run(&["secret", "remove", "tale.api-key"]).1;
    assert!(removed.contains(&format!("From now on it comes from {file}.")), "{removed}");
    machine.set("TALE_DAEMON_API_KEY", "");
    let run = ["run", "--plugin", "tale", "--provider", "coder"];
    assert_fails(&machine, &run, 3, &["TALE_DAEMON_API_KEY is set but empty"]);
    machine.set("TALE_DAEMON_API_KEY", "other");
    assert_fails(&machine, &run, 5, &["no grant", "host plugin allow"]);
}

#[test]
fn a_stopped_host_tells_what_it_would_work_with_and_sends_nothing() {
    let machine = machine();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let mut heard = Vec::new();
        server.accept().unwrap().0.read_to_end(&mut heard).unwrap();
        heard
    });
    assert_eq!(machine.run(&["setup", "tale", "--yes", "--url", &url]).0, 0);
    machine.write("state/hostler/host-id", "host_42\n");
    let (exit, out, err) = machine.run(&["status"]);
    assert_eq!(exit, 11, "{err}");
    assert!(err.contains("no host runs here") && err.contains("host run"), "{err}");
    for part in ["can be reached", "coder 4.5.6", "host_42", "safe at most", "TALE_DAEMON_API_KEY", "work ("]
    {
        assert!(out.contains(part), "no `{part}` in {out}");
    }
    assert_eq!(heard.join().unwrap(), b"");
    let (exit, out, _) = machine.run(&["status", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((exit, &told["running"], &told["host_id"]), (11, &false.into(), &"host_42".into()));
    assert_eq!(told["tracker"]["server"]["reachable"], false);
    assert_eq!(told["providers"][0]["version"], "4.5.6");
}

#[test]
fn what_is_wrong_ends_with_its_exit_code_and_writes_nothing() {
    let machine = machine();
    let fails = |words: &[&str], code, parts: &[&str]| {
        assert_fails(&machine, &[&["setup", "tale"], words].concat(), code, parts);
        assert!(!machine.path("config/hostler/secrets.toml").exists());
        assert!(!machine.path("config/hostler/grants.toml").exists());
    };
    fails(&["--yes", "--ceiling", "root"], 2, &["root", "full-auto", "host setup --help"]);
    fails(&["--yes", "--url", "tale", "--key", "hunter2"], 2, &["--url", "`tale`"]);
    fails(&["--key", "hunter2"], 2, &["nobody is there", "--yes"]);
    machine.write("config/hostler/config.toml", "permission = \"full-auto\"\n");
    fails(&["--yes", "--key", "hunter2"], 3, &["above permission-ceiling `safe`"]);
    machine.write("config/hostler/config.toml", "repos = 3\n");
    fails(&["--yes", "--key", "hunter2"], 3, &["config.toml line 1", "repos"]);
    assert_fails(&machine, &["setup", "coder", "--yes"], 4, &["no tracker", "host plugin allow coder"]);
}

#[test]
fn secrets_that_others_can_read_are_not_used() {
    let machine = machine();
    machine.write("config/hostler/secrets.toml", "[tracker.tale]\napi-key = \"hunter2\"\n");
    let path = machine.path("config/hostler/secrets.toml");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    for words in [&["config", "show"][..], &["setup", "tale", "--yes"]] {
        assert_fails(&machine, words, 3, &["secrets.toml", "mode 0644", "chmod 600"]);
    }
}
