//! Plugins by content: what a run began with is there until nothing needs it, whatever
//! becomes of the file it was loaded from.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use hostler_components::{Digest, Plugin};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::home::Home;

/// Exactly one build of one plugin.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Build {
    /// The plugin's id.
    pub id: String,
    /// SHA-256 of its file, in hexadecimal digits.
    pub digest: String,
}

impl Build {
    /// The build that was loaded.
    pub fn of(plugin: &Plugin) -> Self {
        Self { id: plugin.id().to_owned(), digest: plugin.digest().to_string() }
    }
}

/// The plugins that a run began with: `plugins.json` in its folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pinned {
    /// Who judges its task.
    pub tracker: Build,
}

/// Name of the file of a run that says which tracker plugin it began with.
const RUN_FILE: &str = "plugins.json";

/// Name of the file of an attempt that says which provider plugin it began with.
pub const ATTEMPT_FILE: &str = "attempt.json";

/// The kept plugins.
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store of an installation.
    pub fn of(home: &Home) -> Self {
        Self { folder: home.plugin_store() }
    }

    /// Keeps a plugin that was just loaded from `file`, once: whole or not at all.
    pub fn keep(&self, plugin: &Plugin, file: &Path) -> Result<Build, Failure> {
        let build = Build::of(plugin);
        let kept = self.path(&build.digest);
        if kept.is_file() {
            return Ok(build);
        }
        let bytes = fs::read(file).map_err(Failure::folder(file))?;
        if Digest::of(&bytes) != plugin.digest() {
            return Err(Failure::PluginChanged { file: file.to_owned() });
        }
        crate::files::replace(&kept, &bytes).map_err(Failure::folder(kept))?;
        Ok(build)
    }

    /// The file of a kept build, if it is there.
    pub fn find(&self, digest: &str) -> Option<PathBuf> {
        let well_formed = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        Some(self.path(digest)).filter(|path| well_formed && path.is_file())
    }

    /// Says which builds a host is set up with: they stay, although no run may have
    /// begun with them yet.
    pub fn use_now(&self, builds: &[Build]) -> Result<(), Failure> {
        let path = self.use_file();
        let text = serde_json::to_vec(builds).unwrap_or_default();
        if fs::read(&path).is_ok_and(|known| known == text) {
            return Ok(());
        }
        crate::files::note(&path, &text).map_err(Failure::folder(path))
    }

    /// Digests of the builds that the last host was set up with.
    pub fn in_use(&self) -> BTreeSet<String> {
        let builds: Vec<Build> = read_json(&self.use_file()).unwrap_or_default();
        builds.into_iter().map(|build| build.digest).collect()
    }

    /// Every kept build: digest and file.
    pub fn stored(&self) -> Vec<(String, PathBuf)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().filter_map(Result::ok);
        let named = entries.filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            Some((name.strip_suffix(".wasm")?.to_owned(), entry.path()))
        });
        let mut stored: Vec<_> = named.collect();
        stored.sort();
        stored
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}.wasm"))
    }

    fn use_file(&self) -> PathBuf {
        self.folder.join("in-use.json")
    }
}

/// What a run began with; `None` if it has not begun, or began before plugins were
/// kept.
pub fn pinned(run_folder: &Path) -> Option<Pinned> {
    read_json(&run_folder.join(RUN_FILE))
}

/// Writes down what a run begins with, if that has not been done.
pub fn pin(run_folder: &Path, tracker: &Build) -> std::io::Result<Pinned> {
    if let Some(pinned) = pinned(run_folder) {
        return Ok(pinned);
    }
    let pinned = Pinned { tracker: tracker.clone() };
    let text = serde_json::to_vec(&pinned).unwrap_or_default();
    crate::files::replace(&run_folder.join(RUN_FILE), &text)?;
    Ok(pinned)
}

/// What an attempt began with.
pub fn provider_of_attempt(attempt_folder: &Path) -> Option<Build> {
    read_json(&attempt_folder.join(ATTEMPT_FILE))
}

/// Digests of every build that the folder of a run names.
pub fn pinned_in(run_folder: &Path) -> BTreeSet<String> {
    let mut digests: BTreeSet<String> =
        pinned(run_folder).into_iter().map(|pinned| pinned.tracker.digest).collect();
    let entries = fs::read_dir(run_folder).into_iter().flatten().filter_map(Result::ok);
    digests.extend(entries.filter_map(|entry| provider_of_attempt(&entry.path())).map(|build| build.digest));
    digests
}

/// A file of JSON; `None` if it is not there or says something else.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn build(digit: &str) -> Build {
        Build { id: "demo".to_owned(), digest: digit.repeat(64) }
    }

    #[test]
    fn a_run_keeps_the_build_it_began_with() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("run");
        assert_eq!(pinned(&folder), None);
        assert_eq!(pin(&folder, &build("a")).unwrap().tracker, build("a"));
        assert_eq!(pin(&folder, &build("b")).unwrap().tracker, build("a"));
        fs::create_dir(folder.join("attempt-1")).unwrap();
        fs::write(folder.join("attempt-1/attempt.json"), serde_json::to_vec(&build("c")).unwrap()).unwrap();
        assert_eq!(pinned_in(&folder), ["a", "c"].map(|digit| digit.repeat(64)).into());
    }

    #[test]
    fn a_digest_that_is_none_names_no_file() {
        let place = tempfile::tempdir().unwrap();
        let store = Store { folder: place.path().join("plugins") };
        fs::create_dir(&store.folder).unwrap();
        fs::write(place.path().join("secret.wasm"), "x").unwrap();
        fs::write(store.folder.join(format!("{}.wasm", "a".repeat(64))), "x").unwrap();
        assert!(store.find(&"a".repeat(64)).is_some());
        for wrong in ["../secret", "", &"a".repeat(63), &"g".repeat(64)] {
            assert_eq!(store.find(wrong), None, "{wrong}");
        }
        assert_eq!(store.stored().len(), 1);
    }

    #[test]
    fn the_builds_of_the_last_start_are_in_use() {
        let place = tempfile::tempdir().unwrap();
        let store = Store { folder: place.path().join("plugins") };
        assert!(store.in_use().is_empty());
        store.use_now(&[build("a")]).unwrap();
        assert_eq!(store.in_use(), ["a".repeat(64)].into());
        assert!(store.stored().is_empty(), "the note is no plugin");
    }
}
