//! Who vouches for a plugin, and whether that is good enough here. It is asked when a
//! build comes in; at the moment of use the grant decides, which names the same bytes
//! by their digest.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use hostler_components::signature::SIGNATURE_FILE_BYTES;
use hostler_components::{Digest, Signature, SigningKey};
use serde::Serialize;

use crate::failure::Failure;
use crate::plugins::keys::{KeyRing, TrustedKey};

/// How much a signature matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureRule {
    /// Nothing runs or is allowed without a good one.
    Require,
    /// What has none runs, and it is said.
    #[default]
    Warn,
    /// Nobody looks.
    Off,
}

/// What the signature beside a plugin file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "signature")]
pub enum Vouched {
    /// The owner of a key that counts signed exactly this file.
    Good {
        /// What the operator calls the owner.
        signer: String,
        /// What the owner says about the file.
        comment: String,
    },
    /// There is no signature.
    None,
    /// It was made with a key that does not count here.
    UnknownKey {
        /// Which.
        key: String,
    },
    /// It is of a key that counts, and not for this file.
    Wrong {
        /// Whose key.
        signer: String,
    },
    /// The signature file says nothing.
    Unusable {
        /// Why.
        problem: String,
    },
}

/// Why a plugin may not run under this rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the plugin {} {}", file.display(), reason(found, file))]
pub struct NotVouched {
    /// The plugin.
    pub file: PathBuf,
    /// What its signature says.
    pub found: Vouched,
}

fn reason(found: &Vouched, file: &Path) -> String {
    match found {
        Vouched::Good { signer, .. } => format!("is signed by {signer}"),
        Vouched::None => format!(
            "is not signed: get {} from its author, or sign it with `host plugin sign`",
            signature_path(file).display()
        ),
        Vouched::UnknownKey { key } => format!(
            "is signed with the key {key}, which you do not know: if you trust its owner, run `host plugin keys add NAME PUBLIC-KEY`"
        ),
        Vouched::Wrong { signer } => {
            format!("is not what {signer} signed: it or its signature was changed; get both again")
        }
        Vouched::Unusable { problem } => format!(
            "has a signature file that cannot be used: {problem}; get {} again",
            signature_path(file).display()
        ),
    }
}

/// Where the signature of a file stands: beside it, as `NAME.wasm.minisig`.
pub fn signature_path(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".minisig");
    PathBuf::from(name)
}

/// Looks at the signature beside a plugin file whose bytes have this digest. Blocks.
pub fn look(file: &Path, digest: &Digest, ring: &KeyRing) -> Result<Vouched, Failure> {
    let signature = match read_signature(&signature_path(file)) {
        Ok(bytes) => Signature::parse(&bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vouched::None),
        Err(error) => return Ok(Vouched::Unusable { problem: error.to_string() }),
    };
    let signature = match signature {
        Ok(signature) => signature,
        Err(error) => return Ok(Vouched::Unusable { problem: error.to_string() }),
    };
    let bytes = fs::read(file).map_err(Failure::folder(file))?;
    if Digest::of(&bytes) != *digest {
        return Err(Failure::PluginChanged { file: file.to_owned() });
    }
    Ok(judge(&signature, &bytes, ring))
}

/// The key that counts with which a plugin file was signed. Blocks; a file that does not
/// have this digest, or cannot be read, is signed by nobody.
pub fn signed_with<'r>(file: &Path, digest: &Digest, ring: &'r KeyRing) -> Option<&'r TrustedKey> {
    match look(file, digest, ring) {
        Ok(Vouched::Good { signer, .. }) => ring.all().iter().find(|known| known.name == signer),
        _ => None,
    }
}

/// Signs a plugin file whose bytes have this digest, and gives the place of the
/// signature. Blocks.
pub fn sign(file: &Path, digest: &Digest, key: &SigningKey, comment: &str) -> Result<PathBuf, Failure> {
    let bytes = fs::read(file).map_err(Failure::folder(file))?;
    if Digest::of(&bytes) != *digest {
        return Err(Failure::PluginChanged { file: file.to_owned() });
    }
    let text = key.sign(&bytes, comment)?;
    let path = signature_path(file);
    // Public like the plugin itself, so the folder's and the user's usual modes are right.
    let staged = path.with_extension(format!("minisig.{}.new", std::process::id()));
    let written = fs::write(&staged, text).and_then(|()| fs::rename(&staged, &path));
    if written.is_err() {
        // The failure that matters is the first one.
        let _ = fs::remove_file(&staged);
    }
    written.map_err(Failure::folder(&path))?;
    Ok(path)
}

/// One byte more than a signature may have, so that a longer one is noticed.
pub(crate) fn read_signature(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(SIGNATURE_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn judge(signature: &Signature, bytes: &[u8], ring: &KeyRing) -> Vouched {
    let id = signature.key_id();
    // An id proves nothing, and two keys may share one.
    let mut known = ring.all().iter().filter(|known| known.key.id() == id).peekable();
    let Some(first) = known.peek().map(|known| known.name.clone()) else {
        return Vouched::UnknownKey { key: id.to_string() };
    };
    match known.find(|known| signature.holds(&known.key, bytes)) {
        Some(signer) => Vouched::Good { signer: signer.name.clone(), comment: signature.comment() },
        None => Vouched::Wrong { signer: first },
    }
}

impl SignatureRule {
    /// Whether a plugin may run. What may, and should be told all the same, is given
    /// back as a sentence.
    pub fn admit(self, file: &Path, found: Vouched) -> Result<Option<String>, NotVouched> {
        let doubt = NotVouched { file: file.to_owned(), found };
        match (self, &doubt.found) {
            (Self::Off, _) | (_, Vouched::Good { .. }) => Ok(None),
            (Self::Warn, _) => Ok(Some(doubt.to_string())),
            (Self::Require, _) => Err(doubt),
        }
    }

    /// Looks at the signature of a file and judges it, unless nobody wants to know.
    /// Blocks.
    pub fn check(self, file: &Path, digest: &Digest, keys: &Path) -> Result<Option<String>, Failure> {
        self.check_copy(file, file, digest, keys)
    }

    /// The same of a copy that people know by another name.
    pub fn check_copy(
        self,
        copy: &Path,
        file: &Path,
        digest: &Digest,
        keys: &Path,
    ) -> Result<Option<String>, Failure> {
        if self == Self::Off {
            return Ok(None);
        }
        let ring = match KeyRing::load(keys) {
            Ok(ring) => ring,
            Err(error) if self == Self::Warn => return Ok(Some(error.to_string())),
            Err(error) => return Err(error.into()),
        };
        // Who knows no key has nobody whose signature could be missed.
        if self == Self::Warn && ring.all().is_empty() {
            return Ok(None);
        }
        Ok(self.admit(file, look(copy, digest, &ring)?)?)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const BYTES: &[u8] = b"stands for a plugin";

    struct Desk {
        _place: tempfile::TempDir,
        file: PathBuf,
        key: SigningKey,
        ring: KeyRing,
    }

    fn desk() -> Desk {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("demo.wasm");
        fs::write(&file, BYTES).unwrap();
        let (key, mut ring) = (SigningKey::generate().unwrap(), KeyRing::default());
        ring.add("ada", key.public().clone()).unwrap();
        Desk { _place: place, file, key, ring }
    }

    impl Desk {
        fn signed(self, bytes: &[u8]) -> Self {
            fs::write(&self.file, bytes).unwrap();
            let signature = sign(&self.file, &Digest::of(bytes), &self.key, "demo 1.0.0").unwrap();
            assert_eq!(signature, signature_path(&self.file));
            fs::write(&self.file, BYTES).unwrap();
            self
        }

        fn look(&self) -> Vouched {
            look(&self.file, &Digest::of(BYTES), &self.ring).unwrap()
        }
    }

    #[test]
    fn a_file_is_vouched_for_by_a_key_that_counts_and_by_no_other() {
        let desk = desk().signed(BYTES);
        let good = Vouched::Good { signer: "ada".to_owned(), comment: "demo 1.0.0".to_owned() };
        assert_eq!(desk.look(), good);
        let stranger = Desk { ring: KeyRing::default(), ..desk };
        assert_eq!(stranger.look(), Vouched::UnknownKey { key: stranger.key.public().id().to_string() });
    }

    #[test]
    fn a_signature_for_other_bytes_is_wrong_and_one_that_says_nothing_unusable() {
        assert_eq!(desk().look(), Vouched::None);
        assert_eq!(desk().signed(b"other bytes").look(), Vouched::Wrong { signer: "ada".to_owned() });
        let desk = desk();
        fs::write(signature_path(&desk.file), "nonsense").unwrap();
        assert!(matches!(desk.look(), Vouched::Unusable { .. }));
        fs::write(signature_path(&desk.file), "x".repeat(SIGNATURE_FILE_BYTES + 1)).unwrap();
        let Vouched::Unusable { problem } = desk.look() else { panic!("it is used") };
        assert!(problem.contains("16385"), "{problem}");
    }

    #[test]
    fn a_file_that_is_exchanged_between_two_looks_is_noticed() {
        let desk = desk().signed(BYTES);
        let changed = look(&desk.file, &Digest::of(b"what was inspected"), &desk.ring);
        assert!(matches!(changed, Err(Failure::PluginChanged { .. })));
    }

    #[test]
    fn only_a_good_signature_passes_where_one_is_required() {
        let file = Path::new("/p/demo.wasm");
        let good = Vouched::Good { signer: "ada".to_owned(), comment: String::new() };
        let doubtful = [
            Vouched::None,
            Vouched::UnknownKey { key: "ABCD".to_owned() },
            Vouched::Wrong { signer: "ada".to_owned() },
            Vouched::Unusable { problem: "it is no minisign signature".to_owned() },
        ];
        for rule in [SignatureRule::Require, SignatureRule::Warn, SignatureRule::Off] {
            assert_eq!(rule.admit(file, good.clone()), Ok(None));
        }
        for found in doubtful {
            let error = SignatureRule::Require.admit(file, found.clone()).unwrap_err().to_string();
            assert!(error.contains("/p/demo.wasm") && !error.contains('\n'), "{error}");
            assert_eq!(SignatureRule::Warn.admit(file, found.clone()), Ok(Some(error)));
            assert_eq!(SignatureRule::Off.admit(file, found), Ok(None));
        }
    }

    #[test]
    fn keys_that_cannot_be_trusted_stop_a_strict_host_and_warn_another() {
        use std::os::unix::fs::PermissionsExt;
        let desk = desk().signed(BYTES);
        let keys = desk.file.with_file_name("keys.toml");
        desk.ring.save(&keys).unwrap();
        fs::set_permissions(&keys, fs::Permissions::from_mode(0o666)).unwrap();
        let check = |rule: SignatureRule| rule.check(&desk.file, &Digest::of(BYTES), &keys);
        assert!(check(SignatureRule::Require).unwrap_err().to_string().contains("chmod 600"));
        assert!(check(SignatureRule::Warn).unwrap().unwrap().contains("chmod 600"));
        assert_eq!(check(SignatureRule::Off).unwrap(), None);
    }
}
