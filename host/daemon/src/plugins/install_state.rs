//! How a plugin file stands to what was installed: for lists, and for whoever looks
//! after a machine.

use std::path::{Path, PathBuf};

use hostler_components::{CONTRACT, Digest, read_file};
use serde::Serialize;

use crate::plugins::install_folder::InstallFolder;
use crate::plugins::lockfile::{LockFileError, LockedBuild, Slot};

/// How one file stands to what was installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum InstallState {
    /// Nobody installed it: it is named by path, or lies in a folder of plugins.
    NotInstalled,
    /// What its name stands for.
    Current {
        /// When it was installed, by RFC 3339.
        at: String,
        /// The version of a newer build that waits for a yes.
        waiting: Option<String>,
    },
    /// What its name stood for before.
    Previous,
    /// It waits for a yes.
    Pending,
    /// It is not what was installed.
    Changed,
}

impl InstallState {
    /// How a file with this digest stands.
    pub fn of(file: &Path, digest: &Digest) -> Result<Self, LockFileError> {
        let Some(folder) = InstallFolder::around(file) else { return Ok(Self::NotInstalled) };
        let lock = folder.lock()?;
        Ok(match folder.named(&lock, file) {
            None => Self::NotInstalled,
            Some((_, _, build)) if build.digest != *digest => Self::Changed,
            Some((_, slot, build)) => Self::in_slot(slot, build),
        })
    }

    fn in_slot(slot: &Slot, build: &LockedBuild) -> Self {
        let is = |other: Option<&LockedBuild>| other.is_some_and(|other| other.digest == build.digest);
        if is(Some(&slot.current)) {
            let waiting = slot.pending.as_ref().map(|pending| pending.version.clone());
            return Self::Current { at: slot.current.installed_at.clone(), waiting };
        }
        if is(slot.pending.as_ref()) { Self::Pending } else { Self::Previous }
    }
}

/// What is wrong with an installed plugin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ailment {
    /// It was made for another host.
    #[error(
        "`{id}` {version} was built against {contract}, and this host has {CONTRACT}: install a build for this host with `host plugin install FILE`"
    )]
    OtherContract {
        /// The plugin.
        id: String,
        /// Its version.
        version: String,
        /// What it was built against.
        contract: String,
    },
    /// Its file is not what was installed.
    #[error("`{id}` ({}) has changed since it was installed: install it again with `host plugin install FILE`", file.display())]
    Changed {
        /// The plugin.
        id: String,
        /// Its file.
        file: PathBuf,
    },
}

/// Looks after every plugin that is installed: how many there are, and what is wrong
/// with which. Reads their files.
pub fn look_after(folder: &InstallFolder) -> Result<(usize, Vec<Ailment>), LockFileError> {
    let lock = folder.lock()?;
    let ailments = lock.all().filter_map(|(id, slot)| ailment(folder, id, &slot.current));
    Ok((lock.all().count(), ailments.collect()))
}

fn ailment(folder: &InstallFolder, id: &str, build: &LockedBuild) -> Option<Ailment> {
    let (id, version, contract) = (id.to_owned(), build.version.clone(), build.contract.clone());
    if contract != CONTRACT {
        return Some(Ailment::OtherContract { id, version, contract });
    }
    let file = folder.build(&id, &build.digest);
    let whole = read_file(&file).is_ok_and(|bytes| Digest::of(&bytes) == build.digest);
    (!whole).then_some(Ailment::Changed { id, file })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::plugins::lockfile::{self, LockFile};

    fn build(bytes: &[u8], contract: &str) -> LockedBuild {
        let (digest, contract) = (Digest::of(bytes), contract.to_owned());
        LockedBuild { digest, contract, ..lockfile::tests::build("1.0.0") }
    }

    /// A folder in which these builds of a plugin were installed, one after the other.
    fn folder(place: &Path, builds: &[(&[u8], &str)]) -> InstallFolder {
        let folder = InstallFolder::at(place.to_owned());
        let mut lock = LockFile::default();
        for (bytes, contract) in builds {
            lock.make_current("demo", build(bytes, contract));
        }
        lock.keep_pending("demo", LockedBuild { version: "2.0.0".to_owned(), ..build(b"next", CONTRACT) })
            .unwrap();
        let mut change = folder.change(Box::new(|_| {})).unwrap();
        change.commit(lock).unwrap();
        for (bytes, _) in builds {
            let staged = change.stage("demo.wasm", bytes).unwrap();
            change.place(&staged, "demo", &Digest::of(bytes)).unwrap();
        }
        folder
    }

    #[test]
    fn a_file_is_what_the_lock_file_says_of_its_place_or_changed() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path(), &[(b"old", CONTRACT), (b"new", CONTRACT)]);
        let of = |bytes: &[u8]| {
            InstallState::of(&folder.build("demo", &Digest::of(bytes)), &Digest::of(bytes)).unwrap()
        };
        let waiting = Some("2.0.0".to_owned());
        assert_eq!(of(b"new"), InstallState::Current { at: "2026-11-20T15:08:43Z".to_owned(), waiting });
        assert_eq!((of(b"old"), of(b"next")), (InstallState::Previous, InstallState::Pending));
        assert_eq!(of(b"nobody's"), InstallState::NotInstalled);
        let current = folder.build("demo", &Digest::of(b"new"));
        assert_eq!(InstallState::of(&current, &Digest::of(b"other")).unwrap(), InstallState::Changed);
        let by_path = InstallState::of(Path::new("/p/demo.wasm"), &Digest::of(b"new")).unwrap();
        assert_eq!(by_path, InstallState::NotInstalled);
    }

    #[test]
    fn a_plugin_for_another_host_and_one_that_was_changed_are_found() {
        let place = tempfile::tempdir().unwrap();
        let healthy = folder(place.path(), &[(b"new", CONTRACT)]);
        assert_eq!(look_after(&healthy).unwrap(), (1, Vec::new()));
        std::fs::write(healthy.build("demo", &Digest::of(b"new")), "other").unwrap();
        assert!(matches!(look_after(&healthy).unwrap().1[..], [Ailment::Changed { .. }]));
        let place = tempfile::tempdir().unwrap();
        let foreign = folder(place.path(), &[(b"new", "hostler:plugin@0.0.9")]);
        let told = look_after(&foreign).unwrap().1[0].to_string();
        assert!(told.contains("0.0.9") && told.contains(CONTRACT), "{told}");
    }
}
