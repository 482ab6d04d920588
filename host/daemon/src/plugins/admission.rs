//! Whether the organisation lets a build of a plugin be used: who signed it is found out
//! once, and looked at again when a policy changes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hostler_components::{Digest, PublicKey};
use hostler_policy::{Line, PluginFacts, Policies, Signatures, Verdict};

use crate::failure::Failure;
use crate::organisation::Organisation;
use crate::plugins::keys::{KeyRing, TrustedKey};
use crate::plugins::vouching::{self, SignatureRule};

/// One build, as it is judged.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// What it calls itself.
    pub id: String,
    /// Of its bytes.
    pub digest: Digest,
    /// Where it was loaded from; its signature stands beside it.
    pub file: PathBuf,
    /// The operator's keys.
    pub keys: PathBuf,
}

impl Candidate {
    /// What the policies say about it. Blocks; a file that is not what was loaded, or
    /// cannot be read, is signed by nobody.
    pub fn judge(&self, policies: &Policies) -> Verdict {
        if policies.members().is_empty() {
            return Verdict::UNRESTRICTED;
        }
        let publishers = self.signed_by(&policies.publishers());
        let operators = KeyRing::load(&self.keys).unwrap_or_default();
        let signed = !publishers.is_empty() || self.signed_with(&operators).is_some();
        let digest = self.digest.to_string();
        policies.plugin(&PluginFacts {
            id: &self.id,
            digest: &digest,
            signed,
            publishers: &publishers,
            // The runtime loads nothing that imports anything.
            inert_wasi: false,
        })
    }

    /// Those of these keys that signed it.
    fn signed_by(&self, publishers: &[String]) -> Vec<String> {
        let key = |text: &String| Some((text.clone(), PublicKey::parse(text).ok()?));
        let keys: Vec<(String, PublicKey)> = publishers.iter().filter_map(key).collect();
        let mut ring = KeyRing::default();
        for (number, (_, key)) in keys.iter().enumerate() {
            // A key that is there already, in another spelling, need not be there twice.
            let _ = ring.add(&number.to_string(), key.clone());
        }
        let Some(signed) = self.signed_with(&ring) else { return Vec::new() };
        keys.into_iter().filter(|(_, key)| *key == signed.key).map(|(text, _)| text).collect()
    }

    fn signed_with<'r>(&self, ring: &'r KeyRing) -> Option<&'r TrustedKey> {
        vouching::signed_with(&self.file, &self.digest, ring)
    }
}

/// The organisation's leave for one build.
#[derive(Debug)]
pub struct Admission {
    organisation: Arc<Organisation>,
    candidate: Candidate,
    judged: Mutex<Option<(Arc<Policies>, Verdict)>>,
}

impl Admission {
    /// Not looked at yet.
    pub const fn new(organisation: Arc<Organisation>, candidate: Candidate) -> Self {
        Self { organisation, candidate, judged: Mutex::new(None) }
    }

    /// Of a machine without a policy.
    #[cfg(test)]
    pub fn unrestricted() -> Arc<Self> {
        let organisation =
            Organisation::new(hostler_policy::Places { system: "/none".into(), further: None });
        let digest = Digest::of(b"");
        let candidate = Candidate { id: String::new(), digest, file: PathBuf::new(), keys: PathBuf::new() };
        Arc::new(Self::new(Arc::new(organisation), candidate))
    }

    /// The line that stands against it now, and whether all policies can be used: one
    /// that cannot allows nothing, and proves nothing.
    pub fn check(&self) -> Result<(), Denied> {
        let policies = self.organisation.now();
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        let known = judged.as_ref().filter(|(of, _)| Arc::ptr_eq(of, &policies)).map(|(_, verdict)| verdict);
        let verdict = known.cloned().unwrap_or_else(|| self.candidate.judge(&policies));
        *judged = Some((Arc::clone(&policies), verdict.clone()));
        match verdict.denied_by() {
            None => Ok(()),
            Some(by) => Err(Denied { by: by.clone(), sound: policies.soundness().is_ok() }),
        }
    }
}

/// The organisation does not allow a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denied {
    /// What stands against it.
    pub by: Line,
    /// Whether that is what a policy says, and not that it cannot be used.
    pub sound: bool,
}

/// Says it at the start of a host.
pub fn admit(admission: &Admission, file: &Path) -> Result<(), Failure> {
    let denied = |Denied { by, .. }| Failure::Ceiling { what: format!("the plugin {}", file.display()), by };
    admission.check().map_err(denied)
}

/// The stricter of the operator's rule and the organisation's.
pub fn rule(operators: SignatureRule, policies: &Policies) -> SignatureRule {
    match (operators, policies.signatures().value) {
        (_, Signatures::Require) | (SignatureRule::Require, _) => SignatureRule::Require,
        (_, Signatures::Warn) | (SignatureRule::Warn, _) => SignatureRule::Warn,
        (SignatureRule::Off, Signatures::Off) => SignatureRule::Off,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::plugins::vouching::sign;
    use hostler_components::SigningKey;
    use hostler_policy::Places;

    struct Desk {
        _place: tempfile::TempDir,
        policy: PathBuf,
        candidate: Candidate,
        key: SigningKey,
    }

    impl Desk {
        fn new() -> Self {
            let place = tempfile::tempdir().unwrap();
            let at = |name: &str| place.path().join(name);
            std::fs::write(at("demo.wasm"), "stands for a plugin").unwrap();
            let digest = Digest::of(b"stands for a plugin");
            let (file, keys) = (at("demo.wasm"), at("keys.toml"));
            let candidate = Candidate { id: "demo".to_owned(), digest, file, keys };
            let (policy, key) = (at("policy.toml"), SigningKey::generate().unwrap());
            Self { _place: place, policy, candidate, key }
        }

        fn admission(&self, rules: &str) -> Admission {
            std::fs::write(&self.policy, format!("[plugins]\n{rules}\n")).unwrap();
            let system = self.policy.with_file_name("none.toml");
            let places = Places { system, further: Some(self.policy.clone()) };
            Admission::new(Arc::new(Organisation::new(places)), self.candidate.clone())
        }

        fn sign(&self) {
            sign(&self.candidate.file, &self.candidate.digest, &self.key, "").unwrap();
        }
    }

    #[test]
    fn a_build_is_known_by_its_bytes_its_name_or_its_publisher() {
        let desk = Desk::new();
        let publishers = format!("publishers = [\"{}\"]", desk.key.public());
        assert!(desk.admission("ids = [\"demo\"]").check().is_ok());
        assert!(desk.admission(&format!("digests = [\"{}\"]", desk.candidate.digest)).check().is_ok());
        assert!(desk.admission("ids = [\"other\"]").check().is_err());
        assert_eq!(desk.admission(&publishers).check().unwrap_err().by.number, Some(2));
        desk.sign();
        assert!(desk.admission(&publishers).check().is_ok());
        let stranger = SigningKey::generate().unwrap();
        assert!(desk.admission(&format!("publishers = [\"{}\"]", stranger.public())).check().is_err());
        let both = format!("publishers = [\"{}\", \"{}\"]", stranger.public(), desk.key.public());
        assert!(desk.admission(&both).check().is_ok(), "one of them is enough");
    }

    #[test]
    fn an_unsigned_build_is_one_that_no_key_signed_which_counts_here() {
        let desk = Desk::new();
        assert!(desk.admission("unsigned = false").check().is_err());
        desk.sign();
        assert!(desk.admission("unsigned = false").check().is_err(), "nobody knows the key");
        let mut ring = KeyRing::default();
        ring.add("ada", desk.key.public().clone()).unwrap();
        ring.save(&desk.candidate.keys).unwrap();
        assert!(desk.admission("unsigned = false").check().is_ok());
    }

    #[test]
    fn a_policy_that_changes_is_asked_again_and_a_broken_one_proves_nothing() {
        let desk = Desk::new();
        let admission = desk.admission("ids = [\"demo\"]");
        assert!(admission.check().is_ok());
        std::fs::write(&desk.policy, "[plugins]\n\nids = []\n").unwrap();
        let denied = admission.check().unwrap_err();
        assert_eq!((denied.by.number, denied.sound), (Some(3), true));
        std::fs::write(&desk.policy, "half a fi").unwrap();
        assert!(!admission.check().unwrap_err().sound);
    }

    #[test]
    fn the_stricter_rule_on_signatures_holds() {
        use SignatureRule::{Off, Require, Warn};
        let desk = Desk::new();
        let of = |word: &str, operators| {
            rule(operators, &desk.admission(&format!("signatures = \"{word}\"")).organisation.now())
        };
        assert_eq!((of("off", Off), of("off", Require)), (Off, Require));
        assert_eq!((of("warn", Off), of("warn", Require)), (Warn, Require));
        assert_eq!((of("require", Off), of("require", Warn)), (Require, Require));
        assert_eq!(rule(Warn, &Policies::default()), Warn);
    }
}
