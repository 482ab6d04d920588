//! Policies as they lie on the disk: whose they must be, and what happens to one that
//! cannot be used.

#![allow(clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use hostler_engine::plan::Permission;
use hostler_policy::{POLICY_BYTES, Places, Policies, PolicyError};

struct Desk {
    place: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { place: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// A policy of the user's own, and none of the machine.
    fn places(&self) -> Places {
        Places { system: self.path("none.toml"), further: Some(self.path("policy.toml")) }
    }

    fn write(&self, text: &str) {
        fs::write(self.path("policy.toml"), text).unwrap();
        mode(&self.path("policy.toml"), 0o644);
    }

    fn read(&self) -> Policies {
        self.places().read()
    }

    fn problem(&self) -> PolicyError {
        self.read().soundness().unwrap_err().clone()
    }
}

fn mode(path: &Path, bits: u32) {
    fs::set_permissions(path, Permissions::from_mode(bits)).unwrap();
}

const SAFE: &str = "[agents]\npermission-ceiling = \"safe\"\n";

#[test]
fn a_sound_policy_is_read_with_the_digest_of_its_text() {
    let desk = Desk::new();
    desk.write(SAFE);
    let read = desk.read();
    assert_eq!(read.soundness(), Ok(()));
    assert_eq!(read.permission().value, Permission::Safe);
    assert_eq!(read.members().len(), 1);
    let digest = read.members()[0].digest.clone().unwrap();
    assert_eq!(digest, "a88c8a0c005683a7db3dc2f874121ba0e3e3842e7759184a352029159bec0ccf");
}

#[test]
fn a_machine_without_a_policy_has_none_but_a_named_one_must_be_there() {
    let desk = Desk::new();
    let machine = Places { system: desk.path("no/such/folder.toml"), further: None };
    assert_eq!(machine.read(), Policies::default());
    assert_eq!(desk.problem(), PolicyError::Missing { path: desk.path("policy.toml") });
    assert_eq!(desk.read().permission().value, Permission::Safe);
}

#[test]
fn a_policy_of_the_machine_that_is_not_roots_allows_nothing() {
    let desk = Desk::new();
    desk.write("");
    let path = desk.path("policy.toml");
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&path, Some(65534), None).unwrap();
    }
    let machine = Places { system: path, further: None };
    let read = machine.read();
    assert!(matches!(read.soundness(), Err(PolicyError::Owner { .. })), "{read:?}");
    assert_eq!(read.permission().value, Permission::Safe);
}

#[test]
fn a_policy_that_others_could_change_is_not_believed() {
    let desk = Desk::new();
    desk.write("");
    mode(&desk.path("policy.toml"), 0o666);
    assert_eq!(desk.problem(), PolicyError::Writable { path: desk.path("policy.toml") });
    mode(&desk.path("policy.toml"), 0o644);
    mode(desk.place.path(), 0o777);
    assert!(matches!(desk.problem(), PolicyError::Writable { .. }));
    mode(desk.place.path(), 0o755);
    assert_eq!(desk.read().soundness(), Ok(()));
}

#[test]
fn a_link_a_folder_and_a_pipe_are_no_policies() {
    let desk = Desk::new();
    let path = desk.path("policy.toml");
    fs::write(desk.path("elsewhere.toml"), SAFE).unwrap();
    symlink(desk.path("elsewhere.toml"), &path).unwrap();
    assert_eq!(desk.problem(), PolicyError::NotAFile { path: path.clone() });
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert_eq!(desk.problem(), PolicyError::NotAFile { path: path.clone() });
    fs::remove_dir(&path).unwrap();
    // A pipe that nobody writes to would keep a careless reader for ever.
    rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o644.into(), 0).unwrap();
    assert_eq!(desk.problem(), PolicyError::NotAFile { path });
}

#[test]
fn a_folder_reached_by_a_link_is_judged_as_what_it_is() {
    let desk = Desk::new();
    let (real, link) = (desk.path("real"), desk.path("link"));
    fs::create_dir(&real).unwrap();
    fs::write(real.join("policy.toml"), "").unwrap();
    symlink(&real, &link).unwrap();
    let places = Places { system: desk.path("none.toml"), further: Some(link.join("policy.toml")) };
    assert_eq!(places.read().soundness(), Ok(()));
    mode(&real, 0o777);
    assert!(matches!(places.read().soundness(), Err(PolicyError::Writable { .. })));
}

#[test]
fn a_policy_that_is_broken_allows_nothing_and_says_where() {
    let desk = Desk::new();
    desk.write("[agents]\npermission-ceiling = \"everything\"\n");
    let told = desk.problem().to_string();
    assert!(told.starts_with("line 2 of ") && told.contains("policy.toml"), "{told}");
    fs::write(desk.path("policy.toml"), [0xff, 0xfe]).unwrap();
    assert!(matches!(desk.problem(), PolicyError::Unreadable { .. }));
}

#[test]
fn a_policy_has_so_many_bytes_and_not_one_more() {
    let desk = Desk::new();
    let most = usize::try_from(POLICY_BYTES).unwrap();
    desk.write(&" ".repeat(most));
    assert_eq!(desk.read().soundness(), Ok(()));
    desk.write(&" ".repeat(most + 1));
    assert_eq!(desk.problem(), PolicyError::TooLong { path: desk.path("policy.toml"), most: POLICY_BYTES });
}

#[test]
fn every_change_of_a_policy_shows_in_its_stamp() {
    let desk = Desk::new();
    let places = desk.places();
    let missing = places.stamp();
    desk.write("");
    let empty = places.stamp();
    assert_ne!(missing, empty);
    assert_eq!(empty, places.stamp());
    desk.write(SAFE);
    let written = places.stamp();
    assert_ne!(empty, written);
    fs::write(desk.path("other.toml"), SAFE).unwrap();
    fs::rename(desk.path("other.toml"), desk.path("policy.toml")).unwrap();
    assert_ne!(written, places.stamp(), "the same text in another file");
}
