//! `host secret`: where keys are kept, and that nothing shows them.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

#[path = "../src/keyring/bus_address.rs"]
mod bus_address;
#[allow(dead_code)]
#[path = "../src/keyring/dbus.rs"]
mod dbus;
#[path = "../../components/tests/plugins/guest.rs"]
mod guest;
mod machine;
#[path = "machine/secret_service.rs"]
mod secret_service;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use guest::Guest;
use machine::{CODER, Machine, assert_fails};
use secret_service::{Mood, play, private_bus};

const BOARD: &str = r#"
[plugin]
id = "board"
name = "Board"
version = "0.1.0"
contract = "hostler:plugin@0.1.0"
description = "Takes tasks from a board."
[config.token]
type = "string"
required = true
secret = true
env = "BOARD_TOKEN"
[[http]]
origin = "https://board.example.com"
methods = ["GET"]
[[secret]]
handle = "token"
from = "token"
header = "Authorization"
form = "Bearer {}"
origin = "https://board.example.com"
"#;

/// What must be seen nowhere but where it is kept.
const CANARY: &str = "canary-of-the-board-4711";

fn machine() -> Machine {
    let machine = Machine::new();
    let plugins = machine.path("data/hostler/plugins");
    std::fs::create_dir_all(&plugins).unwrap();
    std::fs::write(plugins.join("board.wasm"), Guest::tracker().manifest(Some(BOARD)).build()).unwrap();
    machine
}

/// Gives the secret on standard input; what is said about it.
fn set(machine: &Machine, args: &[&str], value: &str) -> (i32, String) {
    let output = machine.host(args).write_stdin(value).output().unwrap();
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    assert!(!said.contains(CANARY), "{said}");
    (output.status.code().unwrap(), said)
}

/// Where `host config show` says that the token comes from.
fn origin(machine: &Machine) -> String {
    let (exit, out, err) = machine.run(&["config", "show", "--plugin", "board", "--json"]);
    assert_eq!(exit, 0, "{err}");
    assert!(!out.contains(CANARY), "{out}");
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    let settings = shown["settings"].as_array().unwrap();
    let token = settings.iter().find(|one| one["name"] == "tracker.board.token").unwrap();
    token["origin"].as_str().unwrap().to_owned()
}

/// Every file of the machine in which the secret stands.
fn files_with_canary(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let (path, kind) = (entry.path(), entry.file_type().unwrap());
        if kind.is_dir() {
            found.extend(files_with_canary(&path));
        } else if kind.is_file() {
            let bytes = std::fs::read(&path).unwrap();
            found.extend(bytes.windows(CANARY.len()).any(|here| here == CANARY.as_bytes()).then_some(path));
        }
    }
    found
}

fn secrets_file(machine: &Machine) -> String {
    let path = machine.path("config/hostler/secrets.toml");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn without_a_keyring_a_secret_goes_into_a_file_that_only_its_owner_reads() {
    let mut machine = machine();
    let (exit, said) = set(&machine, &["secret", "set", "board.token"], &format!("{CANARY}\n"));
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("secrets.toml, which only you can read"), "{said}");
    assert!(secrets_file(&machine).contains(&format!("token = \"{CANARY}\"")));
    assert_eq!(files_with_canary(&machine.path("")), [machine.path("config/hostler/secrets.toml")]);
    assert!(origin(&machine).contains("secrets.toml line"));
    machine.set("BOARD_TOKEN", "another");
    assert_eq!(origin(&machine), "BOARD_TOKEN");
    let (_, said) = set(&machine, &["secret", "set", "board.token"], CANARY);
    assert!(said.contains("While BOARD_TOKEN is set, that is used instead."), "{said}");
    machine.set("BOARD_TOKEN", CANARY);
    let listed = machine.run(&["secret", "list"]).1;
    let line = listed.lines().find(|line| line.starts_with("board.token ")).unwrap();
    assert!(line.contains(" BOARD_TOKEN, instead of ~/config/hostler/secrets.toml line "), "{listed}");
    assert!(!listed.contains(CANARY), "{listed}");
    let listed = machine.run(&["secret", "list", "--json"]).1;
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    let token = listed.as_array().unwrap().iter().find(|one| one["name"] == "board.token").unwrap();
    assert_eq!(token["from"], "BOARD_TOKEN");
    assert!(token["overridden"][0].as_str().unwrap().contains("secrets.toml line "), "{token}");
    let doctor = machine.run(&["doctor", "--plugin", "board"]).1;
    assert!(doctor.contains("board.token from BOARD_TOKEN, instead of ~/config"), "{doctor}");
    assert_eq!(machine.run(&["secret", "remove", "board.token"]).0, 0);
    assert!(!secrets_file(&machine).contains(CANARY));
}

#[test]
fn a_secret_in_the_keyring_stands_in_no_file_and_comes_from_there() {
    let mut machine = machine();
    let Some(bus) = private_bus(&machine.path("work")) else { return };
    let _played = play(&bus.address, Mood::Open);
    set(&machine, &["secret", "set", "board.token"], "an old one");
    machine.set("DBUS_SESSION_BUS_ADDRESS", bus.address.as_str());
    let (exit, said) = set(&machine, &["secret", "set", "board.token"], CANARY);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("kept in the keyring (Secret Service)"), "{said}");
    let file = secrets_file(&machine);
    assert!(file.contains("[keyring]\nboard = [\"token\"]"), "{file}");
    assert!(!file.contains(CANARY) && !file.contains("an old one"), "{file}");
    assert_eq!(origin(&machine), "the keyring (Secret Service)");
    assert!(machine.run(&["secret", "list"]).1.contains("the keyring (Secret Service)"));
    let doctor = machine.run(&["doctor", "--plugin", "board"]).1;
    assert!(doctor.contains("board.token from the keyring (Secret Service)"), "{doctor}");
    assert!(!doctor.contains(CANARY), "{doctor}");
    assert!(files_with_canary(&machine.path("")).is_empty(), "{:?}", files_with_canary(&machine.path("")));
    let (exit, out, err) = machine.run(&["secret", "remove", "board.token"]);
    assert_eq!(exit, 0, "{out}{err}");
    assert_fails(&machine, &["config", "show", "--plugin", "board"], 3, &["needs `token`"]);
    assert!(!secrets_file(&machine).contains("token"));
}

#[test]
fn a_host_that_logs_more_says_which_key_it_uses_and_which_it_passes_over() {
    let mut machine = machine();
    machine.write("work/.git/HEAD", "ref: refs/heads/main\n");
    let coder = Guest::provider().manifest(Some(CODER)).build();
    std::fs::write(machine.path("data/hostler/plugins/coder.wasm"), coder).unwrap();
    set(&machine, &["secret", "set", "board.token"], CANARY);
    machine.set("BOARD_TOKEN", "another");
    let args = ["run", "--plugin", "board", "--provider", "coder"];
    let said = "board.token comes from BOARD_TOKEN, instead of ~/config/hostler/secrets.toml line ";
    let (exit, _, quiet) = machine.run(&args);
    assert!(exit == 5 && !quiet.contains("comes from"), "{exit}: {quiet}");
    let (_, _, log) = machine.run(&[&args[..], &["-v"]].concat());
    assert!(log.contains(said) && !log.contains(CANARY) && !log.contains("another"), "{log}");
}

#[test]
fn what_somebody_wrote_into_the_settings_by_hand_is_not_said_to_be_gone() {
    let machine = machine();
    let config = machine.path("config/hostler/config.toml");
    set(&machine, &["secret", "set", "board.token"], CANARY);
    let by_hand = "[tracker.board]\ntoken = \"by hand\"\n";
    machine.write("config/hostler/config.toml", by_hand);
    let remove = ["secret", "remove", "board.token"];
    let value =
        ["stands in ~/config/hostler/config.toml line 2", "delete it there, then run `host secret remove"];
    assert_fails(&machine, &remove, 3, &value);
    assert!(secrets_file(&machine).contains(CANARY) && std::fs::read_to_string(&config).unwrap() == by_hand);
    machine.write("config/hostler/config.toml", "[keyring]\nboard = [\"token\"]\n");
    let mark = [
        "~/config/hostler/config.toml line 2 says that the keyring has it",
        "move that line to `[keyring]` in",
    ];
    assert_fails(&machine, &remove, 3, &mark);
    let (exit, said) = set(&machine, &["secret", "set", "board.token", "--file"], "a new one");
    assert!(exit == 3 && said.contains("says that the keyring has it"), "{said}");
    assert!(secrets_file(&machine).contains(CANARY), "nothing has changed");
    std::fs::remove_file(config).unwrap();
    assert_eq!(machine.run(&remove).0, 0);
    assert!(!secrets_file(&machine).contains(CANARY));
}

#[test]
fn a_keyring_that_is_gone_is_told_and_no_other_secret_is_taken() {
    let machine = machine();
    machine.write(
        "config/hostler/secrets.toml",
        &format!("[tracker.board]\ntoken = \"{CANARY}\"\n[keyring]\nboard = [\"token\"]\n"),
    );
    let path = machine.path("config/hostler/secrets.toml");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let sentence = ["board.token cannot be read: no keyring runs here"];
    assert_fails(&machine, &["config", "show", "--plugin", "board"], 3, &sentence);
}

#[test]
fn a_locked_keyring_is_told_with_the_way_around_it() {
    let mut machine = machine();
    let Some(bus) = private_bus(&machine.path("work")) else { return };
    let _played = play(&bus.address, Mood::Locked);
    machine.set("DBUS_SESSION_BUS_ADDRESS", bus.address.as_str());
    let (exit, said) = set(&machine, &["secret", "set", "board.token"], CANARY);
    assert_eq!(exit, 3, "{said}");
    assert!(said.contains("the keyring is locked") && said.contains("--file"), "{said}");
    assert!(!machine.path("config/hostler/secrets.toml").exists());
    let (exit, said) = set(&machine, &["secret", "set", "board.token", "--file"], CANARY);
    assert_eq!(exit, 0, "{said}");
}

#[test]
fn what_is_no_secret_is_refused_with_those_there_are() {
    let machine = machine();
    assert_fails(&machine, &["secret", "set", "board"], 2, &["`tale.api-key`"]);
    assert_fails(&machine, &["secret", "set", "board.url"], 2, &["no secret `url`; it has `token`"]);
    let (exit, said) = set(&machine, &["secret", "set", "board.token"], "\n");
    assert_eq!(exit, 2);
    assert!(said.contains("the secret is empty"), "{said}");
}
