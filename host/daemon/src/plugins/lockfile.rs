//! `plugins.lock`: which build of each installed plugin is the current one, which one
//! was before it, and which one waits for a yes. A file for people, beside the plugins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use hostler_components::Digest;
use serde::{Deserialize, Serialize};

/// Name of the file in the folder of plugins.
pub const LOCK_FILE: &str = "plugins.lock";

/// What stands at the head of the file.
const HEAD: &str = "# Which builds of plugins are installed here. Written by `host plugin install`;\n\
                    # `host plugin list` tells whether the files are still what was installed.\n\n";

/// The installed plugins, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockFile {
    #[serde(default, rename = "plugin")]
    plugins: BTreeMap<String, Slot>,
}

/// The builds of one plugin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// What its name stands for.
    pub current: LockedBuild,
    /// What its name stood for before; `host plugin rollback` goes back to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<LockedBuild>,
    /// A newer build that asks for more, which nobody has agreed to yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<LockedBuild>,
}

/// One build as it was when it was installed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct LockedBuild {
    /// As its manifest says.
    pub version: String,
    /// SHA-256 of the file.
    pub digest: Digest,
    /// SHA-256 of its manifest.
    pub manifest: Digest,
    /// The contract it was built against.
    pub contract: String,
    /// SHA-256 of what it exports, imports and asks for.
    pub surface: Digest,
    /// Who vouched for it.
    pub signer: Signer,
    /// SHA-256 of its grant; absent where it had none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<Digest>,
    /// Name of the file it came from.
    pub source: String,
    /// When it was installed, by RFC 3339.
    pub installed_at: String,
    /// The version of the host that installed it.
    pub host: String,
}

/// Who vouched for a build.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Signer {
    /// The owner of a key that counted.
    Known(KnownSigner),
    /// Nobody whose key counted.
    Nobody(Nobody),
}

impl Signer {
    /// Nobody whose key counted.
    pub const NONE: Self = Self::Nobody(Nobody::None);
}

/// The owner of a key that counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownSigner {
    /// What the operator called the owner.
    pub name: String,
    /// The id of the key.
    pub key: String,
}

/// The word for nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nobody {
    /// `none`.
    None,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockFileError {
    /// It cannot be read.
    #[error("the list of installed plugins {} cannot be read: {problem}; mend the file, or remove it and install the plugins again", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// There is no such plugin in it.
    #[error(
        "`{id}` is not installed: `host plugin list` tells what is, and `host plugin install FILE` installs a plugin"
    )]
    NotInstalled {
        /// What was asked for.
        id: String,
    },
    /// Nothing to go back to.
    #[error(
        "there is no earlier build of `{id}` to go back to: install the one you want with `host plugin install FILE`"
    )]
    NoPrevious {
        /// The plugin.
        id: String,
    },
}

fn absent(id: &str) -> LockFileError {
    LockFileError::NotInstalled { id: id.to_owned() }
}

/// Whether a text can be a plugin's id. Files are named after it, so a file that says
/// something else is not believed.
fn is_id(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(plain)
}

impl LockFile {
    /// Reads the file of a folder of plugins; a missing one lists nothing.
    pub fn load(folder: &Path) -> Result<Self, LockFileError> {
        let path = folder.join(LOCK_FILE);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text).map_err(|problem| LockFileError::Unreadable { path, problem }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(LockFileError::Unreadable { path, problem: error.to_string() }),
        }
    }

    /// Reads the text of the file; an error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let file: Self = toml::from_str(text).map_err(|error| error.to_string().trim().replace('\n', " "))?;
        match file.plugins.keys().find(|id| !is_id(id)) {
            Some(id) => Err(format!("`{id}` is no id of a plugin")),
            None => Ok(file),
        }
    }

    /// The text of the file.
    pub fn text(&self) -> Result<String, toml::ser::Error> {
        Ok(format!("{HEAD}{}", toml::to_string_pretty(self)?))
    }

    /// The builds of one plugin.
    pub fn get(&self, id: &str) -> Option<&Slot> {
        self.plugins.get(id)
    }

    /// The builds of one plugin, which must be there.
    pub fn installed(&self, id: &str) -> Result<&Slot, LockFileError> {
        self.get(id).ok_or_else(|| absent(id))
    }

    /// Every plugin by id.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Slot)> {
        self.plugins.iter().map(|(id, slot)| (id.as_str(), slot))
    }

    /// A build takes the place of the current one, which becomes the one before. What
    /// waited for a yes waits no more: somebody chose.
    pub fn make_current(&mut self, id: &str, build: LockedBuild) {
        let previous = self.plugins.remove(id).and_then(|slot| {
            let again = slot.current.digest == build.digest;
            if again { slot.previous } else { Some(slot.current) }
        });
        self.plugins.insert(id.to_owned(), Slot { current: build, previous, pending: None });
    }

    /// A build waits for a yes beside the current one.
    pub fn keep_pending(&mut self, id: &str, build: LockedBuild) -> Result<(), LockFileError> {
        self.plugins.get_mut(id).ok_or_else(|| absent(id))?.pending = Some(build);
        Ok(())
    }

    /// The current build and the one before change places.
    pub fn roll_back(&mut self, id: &str) -> Result<&Slot, LockFileError> {
        let slot = self.plugins.get_mut(id).ok_or_else(|| absent(id))?;
        let previous = slot.previous.take().ok_or_else(|| LockFileError::NoPrevious { id: id.to_owned() })?;
        slot.previous = Some(std::mem::replace(&mut slot.current, previous));
        Ok(slot)
    }

    /// Takes a plugin out, and gives what there was of it.
    pub fn remove(&mut self, id: &str) -> Result<Slot, LockFileError> {
        self.plugins.remove(id).ok_or_else(|| absent(id))
    }
}

impl Slot {
    /// Every build of it.
    pub fn builds(&self) -> impl Iterator<Item = &LockedBuild> {
        std::iter::once(&self.current).chain(&self.previous).chain(&self.pending)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub(crate) fn build(version: &str) -> LockedBuild {
        LockedBuild {
            version: version.to_owned(),
            digest: Digest::of(version.as_bytes()),
            manifest: Digest::of(b"manifest"),
            contract: "hostler:plugin@0.1.0".to_owned(),
            surface: Digest::of(b"surface"),
            signer: Signer::NONE,
            grant: None,
            source: "demo.wasm".to_owned(),
            installed_at: "2026-11-20T15:08:43Z".to_owned(),
            host: "0.1.0".to_owned(),
        }
    }

    fn versions(slot: &Slot) -> [Option<&str>; 3] {
        fn version(build: Option<&LockedBuild>) -> Option<&str> {
            build.map(|build| build.version.as_str())
        }
        [version(Some(&slot.current)), version(slot.previous.as_ref()), version(slot.pending.as_ref())]
    }

    #[test]
    fn builds_move_from_pending_to_current_to_previous_and_back() {
        let mut lock = LockFile::default();
        assert!(lock.keep_pending("demo", build("1")).is_err(), "beside nothing nothing waits");
        lock.make_current("demo", build("1"));
        assert_eq!(versions(lock.get("demo").unwrap()), [Some("1"), None, None]);
        assert!(matches!(lock.roll_back("demo"), Err(LockFileError::NoPrevious { .. })));
        assert_eq!(lock.get("demo").unwrap().current.version, "1", "a refused way back changes nothing");
        lock.keep_pending("demo", build("2")).unwrap();
        assert_eq!(versions(lock.get("demo").unwrap()), [Some("1"), None, Some("2")]);
        lock.make_current("demo", build("2"));
        lock.make_current("demo", build("2"));
        assert_eq!(versions(lock.get("demo").unwrap()), [Some("2"), Some("1"), None], "once is enough");
        lock.make_current("demo", build("3"));
        assert_eq!(versions(lock.roll_back("demo").unwrap()), [Some("2"), Some("3"), None]);
        assert_eq!(lock.remove("demo").unwrap().builds().count(), 2);
        assert!(lock.remove("demo").is_err());
    }

    #[test]
    fn what_is_written_is_read_again_and_a_person_can_read_it_too() {
        let mut lock = LockFile::default();
        let signer =
            Signer::Known(KnownSigner { name: "ada".to_owned(), key: "0123456789ABCDEF".to_owned() });
        lock.make_current("demo", LockedBuild { grant: Some(Digest::of(b"grant")), signer, ..build("1") });
        lock.make_current("demo", build("2"));
        let text = lock.text().unwrap();
        assert_eq!(LockFile::parse(&text).unwrap(), lock);
        for part in ["[plugin.demo.current]", "[plugin.demo.previous]", "signer = \"none\"", "name = \"ada\""]
        {
            assert!(text.contains(part), "no {part} in {text}");
        }
        let place = tempfile::tempdir().unwrap();
        assert_eq!(LockFile::load(place.path()).unwrap(), LockFile::default());
    }

    #[test]
    fn a_key_that_nobody_knows_or_an_id_that_could_lead_elsewhere_is_an_error() {
        let mut lock = LockFile::default();
        lock.make_current("demo", build("1"));
        let text = lock.text().unwrap();
        let unknown = text.replace("version = ", "colour = \"red\"\nversion = ");
        assert!(LockFile::parse(&unknown).unwrap_err().contains("colour"));
        assert!(LockFile::parse("[plugins.demo]\n").unwrap_err().contains("plugins"));
        let elsewhere = text.replace("plugin.demo.", "plugin.\"../demo\".");
        assert!(LockFile::parse(&elsewhere).unwrap_err().contains("`../demo` is no id"));
        let other = text.replace("signer = \"none\"", "signer = \"ada\"");
        assert!(LockFile::parse(&other).is_err(), "nobody is somebody by a word alone");
    }
}
