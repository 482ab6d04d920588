//! A key that is kept in the system's keyring does its work, and stands nowhere else.
#![cfg(target_os = "linux")]

#[path = "../../../../host/cli/src/keyring/bus_address.rs"]
mod bus_address;
#[allow(dead_code, missing_docs)]
#[path = "../../../../host/cli/src/keyring/dbus.rs"]
mod dbus;
#[path = "../../../../host/cli/tests/machine/gnome_keyring.rs"]
mod gnome_keyring;
#[path = "../../../../host/cli/tests/machine/secret_service.rs"]
mod secret_service;

use std::io::Write;
use std::process::Stdio;

use gnome_keyring::GnomeKeyring;
use hostler_tests::scripted_agent::imitations;
use secret_service::{Mood, play, private_bus};

use super::canaries::Search;
use crate::stage::LONG;
use crate::tale::scene::{KEY, Scene};

#[test]
fn a_key_in_the_keyring_does_its_work_and_stands_in_no_file_message_or_request() {
    let scene = Scene::playing(&imitations::does_its_task());
    let Some(bus) = private_bus(&scene.stage.sandbox.folder().join("home")) else { return };
    let _played = play(&bus.address, Mood::Open);
    does_its_work(scene, &bus.address);
}

#[test]
fn so_does_one_in_the_real_keyring_of_gnome() {
    let scene = Scene::playing(&imitations::does_its_task());
    let Some(bus) = private_bus(&scene.stage.sandbox.folder().join("home")) else { return };
    let folder = scene.stage.sandbox.folder().join("home");
    let Some(_keyring) = GnomeKeyring::unlocked(&bus.address, &folder) else { return };
    does_its_work(scene, &bus.address);
}

/// Keeps the key, has a run done with it, and looks for it everywhere.
fn does_its_work(mut scene: Scene, bus: &str) {
    scene.stage = scene.stage.variable("DBUS_SESSION_BUS_ADDRESS", bus);
    let mut keeping = scene
        .stage
        .sandbox
        .command(&["secret", "set", "tale.api-key"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    keeping.stdin.take().unwrap().write_all(scene.server.key().as_bytes()).unwrap();
    let kept = keeping.wait_with_output().unwrap();
    assert!(kept.status.success() && String::from_utf8_lossy(&kept.stdout).contains("keyring"), "{kept:?}");

    let mut host = scene.start();
    scene.wait_for(&scene.run, "completed", &host);
    host.terminate();
    host.wait(LONG);
    let search = Search::of(&[scene.server.key()]);
    for folder in ["config", "state", "data", "home"] {
        search.assert_clean_folder(&scene.stage.sandbox.folder().join(folder));
    }
    search.assert_clean("the host's own words", format!("{}{}", host.stdout(), host.stderr()).as_bytes());
    let words: [&[&str]; 4] =
        [&["show", KEY, "--json"], &["logs", KEY, "--raw"], &["config", "show", "--json"], &["audit"]];
    for words in words {
        search.assert_clean(&format!("host {words:?}"), scene.stage.sandbox.host(words).stdout.as_bytes());
    }
    let agent = scene.agent.wait_for_start(1);
    search.assert_clean("the agent's environment", format!("{:?}", agent.env).as_bytes());
}
