#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use super::super::Bounded;
use super::super::gnome::GnomeKeyring;
use super::super::played::{Mood, play, play_the_end, private_bus};
use super::super::tests::name;
use super::*;

fn keyring(address: &str) -> Bounded {
    Bounded::new(Arc::new(System { address: address.to_owned() }))
}

#[test]
fn secrets_are_kept_by_a_secret_service_on_a_real_bus() {
    let folder = tempfile::tempdir().unwrap();
    let Some(bus) = private_bus(folder.path()) else { return };
    let played = play(&bus.address, Mood::Open);
    let keyring = keyring(&bus.address);
    let (one, other) = (name("tale", "api-key"), name("trakkar", "token"));
    assert_eq!(keyring.read(&one), Ok(None));
    keyring.write(&one, "first").unwrap();
    keyring.write(&other, "gr\u{fc}n, and a \"quote\"").unwrap();
    keyring.write(&one, "second").unwrap();
    assert_eq!(keyring.read(&one), Ok(Some("second".to_owned())));
    assert_eq!(keyring.read(&other), Ok(Some("gr\u{fc}n, and a \"quote\"".to_owned())));
    keyring.remove(&one).unwrap();
    keyring.remove(&one).unwrap();
    assert_eq!(keyring.read(&one), Ok(None));
    assert!(keyring.read(&other).unwrap().is_some());
    drop(bus);
    played.join().unwrap();
}

#[test]
fn a_service_that_wants_a_person_first_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let Some(bus) = private_bus(folder.path()) else { return };
    let _played = play(&bus.address, Mood::Locked);
    assert_eq!(keyring(&bus.address).write(&name("tale", "api-key"), "x"), Err(KeyringError::Locked));
}

#[test]
fn a_wallet_of_kde_is_asked_where_nobody_has_to_answer() {
    let folder = tempfile::tempdir().unwrap();
    let Some(bus) = private_bus(folder.path()) else { return };
    let _played = play(&bus.address, Mood::KWallet);
    let keyring = keyring(&bus.address);
    let name = name("tale", "api-key");
    keyring.write(&name, "value").unwrap();
    assert_eq!(keyring.read(&name), Ok(Some("value".to_owned())));
    keyring.remove(&name).unwrap();
    assert_eq!(keyring.read(&name), Ok(None));
}

#[test]
fn a_wallet_of_kde_that_waits_for_a_person_is_locked() {
    let folder = tempfile::tempdir().unwrap();
    let Some(bus) = private_bus(folder.path()) else { return };
    let _played = play(&bus.address, Mood::LockedKWallet);
    assert_eq!(keyring(&bus.address).write(&name("tale", "api-key"), "x"), Err(KeyringError::Locked));
}

#[test]
fn a_service_or_a_bus_that_ends_in_the_middle_is_told_as_ended() {
    let folder = tempfile::tempdir().unwrap();
    let Some(bus) = private_bus(folder.path()) else { return };
    let ended = play_the_end(&bus.address);
    assert_eq!(keyring(&bus.address).read(&name("tale", "api-key")), Err(KeyringError::Gone));
    ended.join().unwrap();
    assert_eq!(failed(BusError::Io(ErrorKind::UnexpectedEof.into())), KeyringError::Gone);
}

/// Needs a keyring that is installed on few machines without a desktop.
#[test]
fn the_real_keyring_of_gnome_keeps_secrets_and_one_that_is_locked_or_hangs_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let Some(bus) = private_bus(folder.path()) else { return };
    let Some(unlocked) = GnomeKeyring::unlocked(&bus.address, folder.path()) else { return };
    let keyring = keyring(&bus.address);
    let (one, other) = (name("tale", "api-key"), name("trakkar", "token"));
    assert_eq!(keyring.read(&one), Ok(None));
    keyring.write(&one, "first").unwrap();
    keyring.write(&one, "gr\u{fc}n, and a \"quote\"").unwrap();
    keyring.write(&other, "x").unwrap();
    keyring.remove(&other).unwrap();
    assert_eq!(keyring.read(&other), Ok(None));
    drop(unlocked);
    // Whether the bus has heard of its end by now.
    assert!(matches!(keyring.read(&one), Err(KeyringError::Absent | KeyringError::Gone)));

    let locked = GnomeKeyring::locked(&bus.address, folder.path()).unwrap();
    assert_eq!(keyring.read(&one), Err(KeyringError::Locked));
    assert_eq!(keyring.write(&other, "y"), Err(KeyringError::Locked));
    assert_eq!(keyring.remove(&one), Err(KeyringError::Locked));
    locked.hang();
    let hurried = Bounded { patience: Duration::from_millis(50), ..keyring.clone() };
    assert_eq!(hurried.read(&one), Err(KeyringError::Silent));
    drop(locked);

    let _again = GnomeKeyring::unlocked(&bus.address, folder.path()).unwrap();
    assert_eq!(keyring.read(&one), Ok(Some("gr\u{fc}n, and a \"quote\"".to_owned())));
}

#[test]
fn a_bus_without_a_secret_service_and_no_bus_are_told_alike() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = format!("unix:path={}", folder.path().join("nowhere").display());
    assert_eq!(keyring(&nowhere).read(&name("a", "b")), Err(KeyringError::Absent));
    let Some(bus) = private_bus(folder.path()) else { return };
    assert_eq!(keyring(&bus.address).read(&name("a", "b")), Err(KeyringError::Absent));
}

#[test]
fn the_sessions_bus_is_the_one_that_is_named_or_the_usual_one() {
    let folder = tempfile::tempdir().unwrap();
    let environment = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let runtime = folder.path().display().to_string();
    let address =
        |pairs: &[(&str, &str)]| System::in_environment(&environment(pairs)).map(|found| found.address);
    assert_eq!(address(&[("XDG_RUNTIME_DIR", &runtime)]), None);
    std::fs::write(folder.path().join("bus"), "").unwrap();
    assert_eq!(address(&[("XDG_RUNTIME_DIR", &runtime)]), Some(format!("unix:path={runtime}/bus")));
    let named = [("XDG_RUNTIME_DIR", runtime.as_str()), ("DBUS_SESSION_BUS_ADDRESS", "unix:path=/b")];
    assert_eq!(address(&named), Some("unix:path=/b".to_owned()));
}
