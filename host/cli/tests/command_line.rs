//! The program as scripts see it: exit codes, sentences, and what needs no host.
#![allow(clippy::unwrap_used)]

mod machine;

use std::path::Path;

use machine::{Machine, assert_fails};

#[test]
fn a_wrong_command_line_ends_with_2_and_one_sentence() {
    let machine = Machine::new();
    assert_fails(&machine, &["rnus"], 2, &["rnus", "runs", "host --help"]);
    assert_fails(&machine, &["run", "--slot", "2"], 2, &["--slots", "`host run --help`"]);
    assert_fails(&machine, &["help", "nothing"], 2, &["no help on `nothing`"]);
}

#[test]
fn help_and_version_end_with_0() {
    let machine = Machine::new();
    for args in [&["--help"][..], &["run", "--help"], &["help", "plugin", "try"], &["--version"]] {
        let (exit, out, err) = machine.run(args);
        assert_eq!((exit, err.as_str()), (0, ""), "{args:?}");
        assert!(!out.is_empty() && !out.contains('\u{1b}'), "{args:?}");
    }
    assert!(machine.run(&["help", "exit-codes"]).1.contains(" 11  there is no such run"));
}

#[test]
fn a_wrong_setting_ends_with_3_and_names_its_place() {
    let machine = Machine::new();
    machine.write("config/hostler/config.toml", "\nslot = 2\n");
    let place = "~/config/hostler/config.toml line 2";
    assert_fails(&machine, &["config", "show"], 3, &[place, "did you mean `slots`?"]);
    machine.write("config/hostler/config.toml", "");
    assert_fails(&machine, &["run", "--slots", "many"], 3, &["--slots: `slots` is `many`"]);
    assert_fails(&machine, &["run"], 3, &["no tracker plugin is chosen"]);
    assert_fails(&machine, &["run", "--set", "path"], 3, &["--set path=tasks"]);
}

#[test]
fn a_plugin_that_cannot_be_used_ends_with_4() {
    let machine = Machine::new();
    assert_fails(&machine, &["run", "--plugin", "nowhere"], 4, &["nowhere", "~/data/hostler/plugins"]);
    machine.write("work/text.wasm", "not wasm");
    assert_fails(&machine, &["plugin", "inspect", "./text.wasm"], 4, &["text.wasm", "not WebAssembly"]);
    assert_fails(&machine, &["plugin", "allow", "./text.wasm", "--yes"], 4, &["not WebAssembly"]);
}

#[test]
fn what_is_not_there_ends_with_11() {
    let machine = Machine::new();
    assert_fails(&machine, &["stop", "x"], 11, &["no host runs here"]);
    assert_fails(&machine, &["show", "x"], 11, &["no run matches `x`"]);
    assert_fails(&machine, &["logs", "x"], 11, &["no run matches `x`"]);
}

#[test]
fn lists_of_nothing_are_friendly_and_valid_json() {
    let machine = Machine::new();
    assert_eq!(machine.run(&["runs", "--json"]), (0, "[]\n".to_owned(), String::new()));
    assert!(machine.run(&["runs"]).1.contains("No runs yet"));
    let (exit, out, _) = machine.run(&["plugin", "list", "--json"]);
    assert_eq!((exit, out.starts_with('[')), (0, true));
}

#[test]
fn settings_are_shown_with_where_they_came_from() {
    let machine = Machine::new();
    machine.write("config/hostler/config.toml", "slots = 3\n");
    machine.write("work/.git/HEAD", "ref: refs/heads/main\n");
    machine.write("work/.hostler/config.toml", "model = \"small\"\n");
    let (exit, out, err) = machine.run(&["config", "show", "--attempts", "5", "--json"]);
    assert_eq!((exit, err.as_str()), (0, ""));
    let shown: serde_json::Value = serde_json::from_str(&out).unwrap();
    let origin = |name: &str| {
        let settings = shown["settings"].as_array().unwrap();
        let setting = settings.iter().find(|setting| setting["name"] == name).unwrap();
        format!("{} {}", setting["value"].as_str().unwrap(), setting["origin"].as_str().unwrap())
    };
    assert_eq!(origin("slots"), "3 ~/config/hostler/config.toml line 1");
    assert_eq!(origin("attempts"), "5 --attempts");
    assert!(
        origin("model").starts_with("small ")
            && origin("model").ends_with("work/.hostler/config.toml line 1")
    );
}

#[test]
fn the_doctor_ends_with_1_if_something_fails() {
    let machine = Machine::new();
    let (exit, out, _) = machine.run(&["doctor"]);
    assert_eq!(exit, 1, "{out}");
    assert!(out.contains("fail") && out.contains("repo work"), "{out}");
}

#[test]
fn the_doctor_tries_out_how_agents_are_held_and_leaves_nothing_of_it() {
    let mut machine = Machine::new();
    std::fs::create_dir_all(machine.path("tmp")).unwrap();
    machine.set("TMPDIR", machine.path("tmp").display().to_string());
    for (containment, held) in [("auto", "each second"), ("sweep", "by their supervisors")] {
        let (_, out, err) = machine.run(&["doctor", "--containment", containment]);
        let agents = out.lines().find(|line| line.starts_with("ok") && line.contains("agents"));
        assert!(agents.is_some_and(|line| line.contains(held)), "{out}{err}");
    }
    assert_eq!(std::fs::read_dir(machine.path("tmp")).unwrap().count(), 0);
}

#[test]
fn a_reader_that_has_gone_away_is_no_error() {
    let machine = Machine::new();
    let host = machine.host(&["runs"]);
    let mut child = std::process::Command::new(host.get_program());
    child.env_clear().env("HOME", machine.path("home")).args(["runs"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = child.stdout(writer).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let output = output.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
    assert!(Path::new(host.get_program()).is_absolute());
}
