//! The leave to use one build of a plugin: its grant, looked at again at every use, so
//! that what the operator takes back is gone at once.

use std::path::PathBuf;
use std::sync::Arc;

use hostler_engine::rights::Rights;

use crate::plugins::admission::{Admission, Denied};
use crate::plugins::grants::Grants;
use crate::plugins::store::Build;

/// The leave to use one build.
#[derive(Clone, Debug)]
pub struct Permit {
    grants: PathBuf,
    build: Build,
    rights: Rights,
    admission: Arc<Admission>,
}

/// Why a build may not be used any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Withdrawn {
    /// The grants say so.
    #[error(
        "the plugin `{0}` may not be used any more: its grant was taken back; `host plugin allow` gives it again"
    )]
    TakenBack(String),
    /// A policy says so.
    #[error(
        "the plugin `{id}` may not be used any more: your organisation's policy does not allow it ({by})"
    )]
    Ceiling {
        /// The plugin.
        id: String,
        /// The line of the policy.
        by: String,
    },
    /// Nobody can say, which allows nothing and proves nothing.
    #[error("whether the plugin `{id}` may still be used is not known: {problem}")]
    Unknown {
        /// The plugin.
        id: String,
        /// Why.
        problem: String,
    },
}

impl Permit {
    /// The leave that a build has at the start of a host: rights that the file of
    /// grants gives it, and the organisation's leave.
    pub const fn new(grants: PathBuf, build: Build, rights: Rights, admission: Arc<Admission>) -> Self {
        Self { grants, build, rights, admission }
    }

    /// The plugin's id.
    pub fn id(&self) -> &str {
        &self.build.id
    }

    /// What was granted at the start.
    pub const fn rights(&self) -> &Rights {
        &self.rights
    }

    /// Whether the organisation still allows the build, and the grant still covers all
    /// that was granted at the start.
    pub fn check(&self) -> Result<(), Withdrawn> {
        let id = &self.build.id;
        self.admission.check().map_err(|denied| denied_now(id, &denied))?;
        let grants = Grants::load(&self.grants)
            .map_err(|error| Withdrawn::Unknown { id: id.clone(), problem: error.to_string() })?;
        let same = |digest: &str| digest == self.build.digest;
        let grant = grants.all().iter().find(|grant| grant.id == *id && same(&grant.digest));
        match grant {
            Some(grant) if self.rights.beyond(&grant.rights).is_empty() => Ok(()),
            _ => Err(Withdrawn::TakenBack(id.clone())),
        }
    }
}

fn denied_now(id: &str, denied: &Denied) -> Withdrawn {
    let (id, by) = (id.to_owned(), denied.by.to_string());
    if denied.sound {
        return Withdrawn::Ceiling { id, by };
    }
    Withdrawn::Unknown { id, problem: format!("your organisation's policy cannot be used ({by})") }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hostler_components::{Digest, Manifest};

    const HTTP: &str = "[[http]]\norigin = \"https://a.example\"\nmethods = [\"GET\", \"POST\"]\npath = \"/\"\nreason = \"to ask\"\n";

    fn manifest() -> Manifest {
        let head = "[plugin]\nid = \"demo\"\nname = \"Demo\"\nversion = \"1.0.0\"\n\
                    contract = \"hostler:plugin@0.1.0\"\ndescription = \"A demo.\"\n";
        Manifest::parse(&format!("{head}{HTTP}")).unwrap()
    }

    #[test]
    fn a_permit_ends_with_its_grant_and_with_any_part_of_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("grants.toml");
        let (manifest, digest) = (manifest(), Digest::of(b"demo"));
        let build = Build { id: "demo".to_owned(), digest: digest.to_string() };
        let permit = Permit::new(path.clone(), build, manifest.rights.clone(), Admission::unrestricted());
        let taken_back = Err(Withdrawn::TakenBack("demo".to_owned()));
        assert_eq!(permit.check(), taken_back, "no file grants nothing");
        let mut grants = Grants::default();
        grants.allow(&manifest, &digest);
        grants.save(&path).unwrap();
        assert_eq!(permit.check(), Ok(()));
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"POST\"", "\"GET\"")).unwrap();
        assert_eq!(permit.check(), taken_back, "less than it began with");
        assert_eq!(grants.revoke("demo", None).len(), 1);
        grants.save(&path).unwrap();
        assert_eq!(permit.check(), taken_back);
    }

    #[test]
    fn grants_that_cannot_be_read_allow_nothing_and_prove_nothing() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("grants.toml");
        std::fs::write(&path, "half a fi").unwrap();
        let build = Build { id: "demo".to_owned(), digest: "a".repeat(64) };
        let permit = Permit::new(path, build, Rights::default(), Admission::unrestricted());
        assert!(matches!(permit.check(), Err(Withdrawn::Unknown { .. })));
    }
}
