//! The operator's grants: which plugin, in exactly which build, may do what. A
//! file for people; nothing a plugin or an agent can call leads here.

use std::path::{Path, PathBuf};

use hostler_components::{Digest, Manifest};
use hostler_engine::rights::Rights;
use serde::{Deserialize, Serialize};

/// The file of grants.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grants {
    /// One per plugin and build.
    #[serde(default, rename = "plugin")]
    grants: Vec<Grant>,
}

/// What one build of one plugin may do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// The plugin's id.
    pub id: String,
    /// SHA-256 of the file: another build needs another grant.
    pub digest: String,
    /// The version it said it was, for people.
    pub version: String,
    /// What it may do.
    #[serde(flatten)]
    pub rights: Rights,
}

impl Grant {
    /// Names exactly what is granted to which build.
    pub fn digest(&self) -> Digest {
        Digest::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}

/// Why the grants do not allow something.
#[derive(Debug, thiserror::Error)]
pub enum GrantError {
    /// No grant for this build.
    #[error("the plugin `{id}` ({}) has no grant yet: see what it asks for and allow it with `host plugin allow {}`", file.display(), shell_word(file))]
    Missing {
        /// The plugin.
        id: String,
        /// Its file.
        file: PathBuf,
    },
    /// It asks for more than it has.
    #[error("the plugin `{id}` asks for more than its grant covers ({}): allow it with `host plugin allow {}`", beyond.join("; "), shell_word(file))]
    TooLittle {
        /// The plugin.
        id: String,
        /// Its file.
        file: PathBuf,
        /// What is not covered.
        beyond: Vec<String>,
    },
    /// The file cannot be read.
    #[error("the grants in {} cannot be read: {problem}; mend the file, or remove it and allow the plugins again", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The file cannot be written.
    #[error("the grants cannot be written to {}: {source}", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// What stands at the head of the file.
const HEAD: &str = "# What each plugin may do on this machine. Written by `host plugin allow`.\n\
                    # A grant holds for exactly one build of a plugin, named by its digest.\n\n";

impl Grants {
    /// Reads the file; a missing one grants nothing.
    pub fn load(path: &Path) -> Result<Self, GrantError> {
        let unreadable = |problem: String| GrantError::Unreadable { path: path.to_owned(), problem };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(unreadable(error.to_string())),
        };
        Self::parse(path, &text)
    }

    /// Reads the text of the file.
    pub fn parse(path: &Path, text: &str) -> Result<Self, GrantError> {
        toml::from_str(text).map_err(|error: toml::de::Error| GrantError::Unreadable {
            path: path.to_owned(),
            problem: error.to_string().trim().replace('\n', " "),
        })
    }

    /// Writes the file, whole or not at all, readable by its owner only.
    pub fn save(&self, path: &Path) -> Result<(), GrantError> {
        let unwritable = |source| GrantError::Unwritable { path: path.to_owned(), source };
        let text = self.text().map_err(|error| unwritable(std::io::Error::other(error.to_string())))?;
        crate::files::replace(path, text.as_bytes()).map_err(unwritable)
    }

    /// The text of the file.
    pub fn text(&self) -> Result<String, toml::ser::Error> {
        Ok(format!("{HEAD}{}", toml::to_string_pretty(self)?))
    }

    /// The grant for exactly this build.
    pub fn find(&self, id: &str, digest: &Digest) -> Option<&Grant> {
        let digest = digest.to_string();
        self.grants.iter().find(|grant| grant.id == id && grant.digest == digest)
    }

    /// All grants.
    pub fn all(&self) -> &[Grant] {
        &self.grants
    }

    /// Grants a build everything its manifest asks for, in place of what it had.
    pub fn allow(&mut self, manifest: &Manifest, digest: &Digest) {
        let digest = digest.to_string();
        self.grants.retain(|grant| grant.id != manifest.plugin.id || grant.digest != digest);
        self.grants.push(Grant {
            id: manifest.plugin.id.clone(),
            digest,
            version: manifest.plugin.version.clone(),
            rights: manifest.rights.clone(),
        });
    }

    /// Takes back what a plugin was granted: one build of it, or all; gives what is gone.
    pub fn revoke(&mut self, id: &str, digest: Option<&Digest>) -> Vec<Grant> {
        let digest = digest.map(ToString::to_string);
        let meant =
            |grant: &Grant| grant.id == id && digest.as_ref().is_none_or(|digest| grant.digest == *digest);
        let (gone, kept) = std::mem::take(&mut self.grants).into_iter().partition(meant);
        self.grants = kept;
        gone
    }

    /// What this build may do, if that is at least what it asks for.
    pub fn check(&self, manifest: &Manifest, digest: &Digest, file: &Path) -> Result<&Rights, GrantError> {
        let id = manifest.plugin.id.clone();
        let file = file.to_owned();
        let Some(grant) = self.find(&id, digest) else { return Err(GrantError::Missing { id, file }) };
        let beyond = manifest.rights.beyond(&grant.rights);
        if beyond.is_empty() { Ok(&grant.rights) } else { Err(GrantError::TooLittle { id, file, beyond }) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn manifest(extra: &str) -> Manifest {
        let text = format!(
            "[plugin]\nid = \"demo\"\nname = \"Demo\"\nversion = \"1.0.0\"\n\
             contract = \"hostler:plugin@0.1.0\"\ndescription = \"A demo.\"\n{extra}"
        );
        Manifest::parse(&text).unwrap()
    }

    const HTTP: &str =
        "[[http]]\norigin = \"https://a.example\"\nmethods = [\"GET\"]\npath = \"/\"\nreason = \"to ask\"\n";

    #[test]
    fn a_grant_holds_for_one_build_only() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("grants.toml");
        let (one, other) = (Digest::of(b"one"), Digest::of(b"other"));
        let mut grants = Grants::load(&path).unwrap();
        grants.allow(&manifest(HTTP), &one);
        grants.save(&path).unwrap();
        let grants = Grants::load(&path).unwrap();
        let file = Path::new("demo.wasm");
        assert_eq!(grants.check(&manifest(HTTP), &one, file).unwrap().http.len(), 1);
        let error = grants.check(&manifest(HTTP), &other, file).unwrap_err();
        assert!(error.to_string().contains("host plugin allow demo.wasm"), "{error}");
    }

    #[test]
    fn a_manifest_that_asks_for_more_than_granted_is_refused_and_says_what() {
        let mut grants = Grants::default();
        let digest = Digest::of(b"one");
        grants.allow(&manifest(""), &digest);
        let error = grants.check(&manifest(HTTP), &digest, Path::new("a b.wasm")).unwrap_err();
        assert!(error.to_string().contains("https://a.example"), "{error}");
        assert!(error.to_string().contains("'a b.wasm'"), "{error}");
    }

    #[test]
    fn one_build_or_all_builds_of_a_plugin_lose_their_grant_and_no_other_plugin_does() {
        let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
        let mut other = manifest("");
        other.plugin.id = "other".to_owned();
        let mut grants = Grants::default();
        grants.allow(&manifest(""), &one);
        grants.allow(&manifest(""), &two);
        grants.allow(&other, &one);
        assert_eq!(grants.revoke("demo", Some(&one)).len(), 1);
        assert!(grants.find("demo", &one).is_none() && grants.find("demo", &two).is_some());
        assert_eq!(grants.revoke("demo", None).len(), 1);
        assert_eq!(grants.revoke("demo", None), []);
        assert!(grants.find("other", &one).is_some());
    }

    #[test]
    fn an_unknown_key_in_the_file_is_an_error_that_names_the_file() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("grants.toml");
        std::fs::write(&path, "[[plugins]]\nid = \"x\"\n").unwrap();
        let error = Grants::load(&path).unwrap_err().to_string();
        assert!(error.contains("plugins") && error.contains("grants.toml"), "{error}");
    }
}
