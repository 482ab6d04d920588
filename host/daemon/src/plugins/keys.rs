//! The keys whose owners the operator believes: a file for people, which nothing a
//! plugin or an agent can call leads to.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hostler_components::PublicKey;
use serde::{Deserialize, Serialize};

/// Longest name of a key, in characters: it stands in tables and sentences.
pub const KEY_NAME_CHARS: usize = 64;

/// What others may not do with the file: change it, and so choose who is believed.
const OTHERS_MAY_WRITE: u32 = 0o022;

/// What stands at the head of the file.
const HEAD: &str =
    "# Whose signatures under plugins count on this machine. Written by `host plugin keys`.\n\n";

/// The keys that count.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRing {
    #[serde(default, rename = "key")]
    keys: Vec<TrustedKey>,
}

/// One key that counts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedKey {
    /// What the operator calls its owner.
    pub name: String,
    /// The key itself.
    pub key: PublicKey,
}

/// Why the keys cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Somebody else could have changed them.
    #[error("others can change {}, and so choose whose plugins run here: close it with `chmod 600 {}` and look at what it says", path.display(), path.display())]
    Open {
        /// The file.
        path: PathBuf,
    },
    /// It is somebody else's file.
    #[error("{} belongs to another user, who could choose whose plugins run here: remove it, and add your keys again", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("the keys in {} cannot be read: {problem}; mend the file, or remove it and add the keys again", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The file cannot be written.
    #[error("the keys cannot be written to {}: {source}; check the disk and the folder", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not a name.
    #[error("`{0}` cannot name a key: take 1 to {KEY_NAME_CHARS} letters, digits, and `.`, `_`, `-` or `@`")]
    Name(String),
    /// Another key has this name.
    #[error("there is a key named `{0}` already: remove it first, or take another name")]
    NameTaken(String),
    /// It is there under another name.
    #[error("this key is there already, as `{0}`")]
    KeyTaken(String),
    /// There is none to remove.
    #[error("there is no key named `{name}`: {}", known_names(known))]
    Absent {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
}

fn known_names(known: &[String]) -> String {
    if known.is_empty() { "there are none".to_owned() } else { format!("there are {}", known.join(", ")) }
}

impl KeyRing {
    /// Reads the file; a missing one believes nobody. One that others could have
    /// changed is refused.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let unreadable = |problem: String| KeyError::Unreadable { path: path.to_owned(), problem };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        // Of the open file: between two looks at a path it could be exchanged.
        let facts = file.metadata().map_err(|error| unreadable(error.to_string()))?;
        if facts.mode() & OTHERS_MAY_WRITE != 0 {
            return Err(KeyError::Open { path: path.to_owned() });
        }
        if facts.uid() != rustix::process::geteuid().as_raw() && facts.uid() != 0 {
            return Err(KeyError::Foreign { path: path.to_owned() });
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| unreadable(error.to_string()))?;
        toml::from_str(&text).map_err(|error| unreadable(error.to_string().trim().replace('\n', " ")))
    }

    /// Writes the file, whole or not at all, readable by its owner only.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        let unwritable = |source| KeyError::Unwritable { path: path.to_owned(), source };
        let body = toml::to_string_pretty(self)
            .map_err(|error| unwritable(std::io::Error::other(error.to_string())))?;
        crate::files::replace(path, format!("{HEAD}{body}").as_bytes()).map_err(unwritable)
    }

    /// All keys.
    pub fn all(&self) -> &[TrustedKey] {
        &self.keys
    }

    /// Believes one more.
    pub fn add(&mut self, name: &str, key: PublicKey) -> Result<(), KeyError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
        if name.is_empty() || name.len() > KEY_NAME_CHARS || !name.chars().all(plain) {
            return Err(KeyError::Name(name.to_owned()));
        }
        if self.keys.iter().any(|known| known.name == name) {
            return Err(KeyError::NameTaken(name.to_owned()));
        }
        if let Some(known) = self.keys.iter().find(|known| known.key == key) {
            return Err(KeyError::KeyTaken(known.name.clone()));
        }
        self.keys.push(TrustedKey { name: name.to_owned(), key });
        Ok(())
    }

    /// Believes one less.
    pub fn remove(&mut self, name: &str) -> Result<(), KeyError> {
        let before = self.keys.len();
        let known = self.keys.iter().map(|known| known.name.clone()).collect();
        self.keys.retain(|known| known.name != name);
        if self.keys.len() == before {
            Err(KeyError::Absent { name: name.to_owned(), known })
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hostler_components::SigningKey;
    use std::os::unix::fs::PermissionsExt;

    fn key() -> PublicKey {
        SigningKey::generate().unwrap().public().clone()
    }

    #[test]
    fn keys_come_back_from_their_file_which_only_its_owner_reads() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("keys.toml");
        let mut ring = KeyRing::load(&path).unwrap();
        assert!(ring.all().is_empty());
        ring.add("ada", key()).unwrap();
        ring.add("bob@example.org", key()).unwrap();
        ring.save(&path).unwrap();
        assert_eq!(KeyRing::load(&path).unwrap(), ring);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        ring.remove("ada").unwrap();
        assert_eq!(ring.all().len(), 1);
        let error = ring.remove("ada").unwrap_err().to_string();
        assert!(error.contains("bob@example.org"), "{error}");
    }

    #[test]
    fn a_file_that_others_could_have_changed_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("keys.toml");
        KeyRing::default().save(&path).unwrap();
        for (mode, good) in
            [(0o600, true), (0o400, true), (0o644, true), (0o620, false), (0o602, false), (0o666, false)]
        {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let loaded = KeyRing::load(&path);
            assert_eq!(loaded.is_ok(), good, "{mode:o}");
            assert!(good || matches!(loaded, Err(KeyError::Open { .. })));
        }
    }

    #[test]
    fn a_name_or_a_key_stands_once() {
        let (mut ring, key, other) = (KeyRing::default(), key(), key());
        ring.add("ada", key.clone()).unwrap();
        assert!(matches!(ring.add("ada", other), Err(KeyError::NameTaken(_))));
        assert!(matches!(ring.add("bob", key), Err(KeyError::KeyTaken(name)) if name == "ada"));
    }

    #[test]
    fn a_name_has_at_most_64_plain_characters() {
        let add = |name: &str| KeyRing::default().add(name, key());
        assert!(add(&"x".repeat(KEY_NAME_CHARS)).is_ok());
        for wrong in ["", "a b", "a\u{1b}", "ä", &"x".repeat(KEY_NAME_CHARS + 1)] {
            assert!(matches!(add(wrong), Err(KeyError::Name(_))), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_key_or_no_setting_is_told_with_the_file() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("keys.toml");
        for text in ["[[key]]\nname = \"a\"\nkey = \"RW\"\n", "[[keys]]\n", "key = 1\n"] {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            let error = KeyRing::load(&path).unwrap_err().to_string();
            assert!(error.contains("keys.toml"), "{error}");
        }
    }
}
