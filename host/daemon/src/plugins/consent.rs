//! A grant given or taken back by a person, with its entry in the audit log.

use std::path::PathBuf;

use hostler_components::{Digest, Manifest};
use hostler_engine::time::Timestamp;
use hostler_journal::audit::{AuditLog, By, Event, Settle};

use crate::failure::Failure;
use crate::home::Home;
use crate::plugins::grants::{Grant, Grants};
use crate::record::audit;

/// Somebody who gives and takes back grants at one moment.
pub struct Consent {
    log: AuditLog,
    grants: PathBuf,
    by: By,
    now: Timestamp,
}

impl Consent {
    /// Of this person, now.
    pub fn new(home: &Home, by: By, now: Timestamp) -> Self {
        Self { log: audit::log(home), grants: home.grants(), by, now }
    }

    /// The grants as they stand.
    pub fn grants(&self) -> Result<Grants, Failure> {
        Ok(Grants::load(&self.grants)?)
    }

    /// Grants a build everything its manifest asks for. A grant that cannot be written
    /// down in the audit log is not given.
    pub fn allow(&self, grants: &mut Grants, manifest: &Manifest, digest: &Digest) -> Result<(), Failure> {
        let event = Event::Grant {
            plugin: manifest.plugin.id.clone(),
            digest: digest.to_string(),
            rights: manifest.rights.lines().into_iter().map(|(right, _)| right).collect(),
            by: self.by.clone(),
        };
        self.log.append(self.now.0, &event, Settle::Now)?;
        grants.allow(manifest, digest);
        Ok(grants.save(&self.grants)?)
    }

    /// Takes back what a plugin was granted, one build of it or all, and gives what is
    /// gone. Nothing keeps a grant from being taken back: what is wrong with the audit
    /// log is said afterwards.
    pub fn revoke(
        &self,
        grants: &mut Grants,
        id: &str,
        digest: Option<&Digest>,
    ) -> Result<Vec<Grant>, Failure> {
        let gone = grants.revoke(id, digest);
        if gone.is_empty() {
            return Ok(gone);
        }
        grants.save(&self.grants)?;
        let tell = |Grant { id, digest, .. }: &Grant| {
            let event = Event::Revoke { plugin: id.clone(), digest: digest.clone(), by: self.by.clone() };
            self.log.append(self.now.0, &event, Settle::Now).map(drop)
        };
        // One that cannot be told does not keep the others from it.
        gone.iter().map(tell).fold(Ok(()), Result::and)?;
        Ok(gone)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used)]
    use hostler_journal::audit::MAX_LINE_BYTES;

    use super::*;

    const MANIFEST: &str = "[plugin]\nid = \"demo\"\nname = \"Demo\"\nversion = \"1.0.0\"\n\
        contract = \"hostler:plugin@0.1.0\"\ndescription = \"A demo.\"\n\
        [[http]]\norigin = \"https://a.example\"\nmethods = [\"GET\"]\npath = \"/\"\nreason = \"to ask\"\n";

    fn by() -> By {
        By { user: "ada (uid 1000)".to_owned(), how: "--yes".to_owned() }
    }

    pub(crate) fn consent(home: &Home) -> Consent {
        Consent::new(home, by(), Timestamp(7))
    }

    fn allow_demo(home: &Home) -> Result<(), Failure> {
        let manifest = Manifest::parse(MANIFEST).unwrap();
        consent(home).allow(&mut Grants::default(), &manifest, &Digest::of(b"demo"))
    }

    #[test]
    fn a_grant_is_in_the_audit_log_with_its_rights_and_with_who_gave_it() {
        let place = tempfile::tempdir().unwrap();
        let home = Home::below(place.path());
        allow_demo(&home).unwrap();
        let mut grants = Grants::load(&home.grants()).unwrap();
        let gone = consent(&home).revoke(&mut grants, "demo", None).unwrap();
        assert_eq!((gone.len(), Grants::load(&home.grants()).unwrap()), (1, Grants::default()));
        let mut lines = Vec::new();
        audit::log(&home).read(|line| lines.push(line.to_owned())).unwrap();
        let grant: audit::Entry = serde_json::from_str(&lines[0]).unwrap();
        let rights = vec!["send GET requests to https://a.example/".to_owned()];
        let (plugin, digest) = ("demo".to_owned(), Digest::of(b"demo").to_string());
        assert_eq!(grant.event, Event::Grant { plugin, digest, rights, by: by() });
        assert!(lines[1].contains("\"kind\":\"revoke\"") && lines.len() == 2, "{lines:?}");
    }

    /// What stands where the log should be lets nobody write it.
    pub(crate) fn break_audit_log(home: &Home) {
        std::fs::remove_dir_all(home.audit()).unwrap();
        std::fs::write(home.audit(), b"in the way").unwrap();
    }

    #[test]
    fn a_grant_that_cannot_be_told_of_keeps_no_other_from_it() {
        let place = tempfile::tempdir().unwrap();
        let home = Home::below(place.path());
        let grant =
            |digest: &str| format!("[[plugin]]\nid = \"demo\"\ndigest = \"{digest}\"\nversion = \"1\"\n");
        let text = [grant(&"0".repeat(MAX_LINE_BYTES)), grant("one"), grant("other")].concat();
        let mut grants = Grants::parse(&home.grants(), &text).unwrap();
        consent(&home).revoke(&mut grants, "demo", None).unwrap_err();
        let mut told = Vec::new();
        audit::log(&home).read(|line| told.push(line.to_owned())).unwrap();
        assert!(told.len() == 2 && told[0].contains("\"one\"") && told[1].contains("\"other\""), "{told:?}");
    }

    #[test]
    fn without_the_audit_log_nothing_is_allowed_and_everything_can_be_taken_back() {
        let place = tempfile::tempdir().unwrap();
        let home = Home::below(place.path());
        allow_demo(&home).unwrap();
        break_audit_log(&home);
        let mut grants = Grants::load(&home.grants()).unwrap();
        consent(&home).revoke(&mut grants, "demo", None).unwrap_err();
        assert_eq!(Grants::load(&home.grants()).unwrap(), Grants::default());
        allow_demo(&home).unwrap_err();
        assert_eq!(Grants::load(&home.grants()).unwrap(), Grants::default());
    }
}
