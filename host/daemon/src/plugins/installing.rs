//! A plugin comes in: read once, checked, weighed against what the build before it may
//! do, tried out, and then current, waiting or refused.

use std::path::{Path, PathBuf};

use hostler_components::{Digest, Fingerprint, Inspection, LoadError, Manifest, inspect, read_file};
use hostler_engine::rights::Rights;

use crate::failure::Failure;
use crate::plugins::consent::Consent;
use crate::plugins::grants::{Grant, Grants};
use crate::plugins::install_folder::{Change, Step};
use crate::plugins::keys::{KeyRing, TrustedKey};
use crate::plugins::lockfile::{KnownSigner, LockFileError, LockedBuild, Signer, Slot};
use crate::plugins::proving::Prover;
use crate::plugins::update::{Update, carry_over};
use crate::plugins::vouching::{self, SignatureRule, signature_path};

/// A plugin that came in and passed every check that needs no person and no compiler.
pub struct Incoming {
    /// Where it was read from; it is never read from there again.
    pub source: PathBuf,
    /// What it shows.
    pub inspection: Inspection,
    /// What it asks for.
    pub manifest: Manifest,
    /// What should be told about its signature.
    pub doubt: Option<String>,
    fingerprint: Fingerprint,
    signer: Signer,
    staged: PathBuf,
}

/// How an incoming plugin stands to what is installed and granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No build of it is in use that may do anything: its rights are to be asked for.
    New,
    /// Exactly this build has its grant.
    Granted,
    /// It asks for no more than the current build may do.
    CarriedOver {
        /// The version of the current build.
        from: String,
        /// What it may do by that.
        rights: Box<Rights>,
    },
    /// It asks for more than the current build may do.
    AsksForMore {
        /// The version of the current build.
        than: String,
        /// What, in lines for people.
        more: Vec<String>,
    },
}

/// What is made of an incoming plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It becomes current.
    Use {
        /// What it may do from now on; without it, what it may do already.
        grant: Option<Box<Rights>>,
    },
    /// It waits beside the current build.
    Keep,
}

/// What is true when a plugin is installed, and nothing here can know.
pub struct Circumstances<'a> {
    /// Whose word it is.
    pub consent: &'a Consent,
    /// The time by RFC 3339.
    pub now: String,
    /// The version of this host.
    pub host: &'a str,
}

impl Incoming {
    /// Reads and checks a plugin file, and copies it. Blocks.
    pub fn stage(change: &Change, source: &Path, rule: SignatureRule, keys: &Path) -> Result<Self, Failure> {
        let refused = |refusal| Failure::Load(LoadError { path: source.to_owned(), refusal });
        let bytes = read_file(source).map_err(refused)?;
        let fingerprint = Fingerprint::of(&bytes).map_err(refused)?;
        let inspection = inspect(&bytes).map_err(refused)?;
        let manifest = inspection.manifest.clone();
        let manifest = manifest.ok_or_else(|| refused(hostler_components::Refusal::ManifestMissing))?;
        let staged = change.stage(&format!("{}.wasm", manifest.plugin.id), &bytes)?;
        let signature = vouching::read_signature(&signature_path(source)).ok();
        if let Some(signature) = &signature {
            change.stage(&format!("{}.wasm.minisig", manifest.plugin.id), signature)?;
        }
        change.made(Step::Staged);
        let doubt = rule.check_copy(&staged, source, &fingerprint.file, keys)?;
        let signer = signer(&staged, &fingerprint.file, keys);
        Ok(Self { source: source.to_owned(), inspection, manifest, doubt, fingerprint, signer, staged })
    }

    /// The plugin's id, which is the name it is installed under.
    pub fn id(&self) -> &str {
        &self.manifest.plugin.id
    }

    /// Its own copy, with its signature beside it.
    pub fn staged(&self) -> &Path {
        &self.staged
    }

    /// SHA-256 of it.
    pub const fn digest(&self) -> Digest {
        self.fingerprint.file
    }

    /// How it stands to what is installed and granted. Reads the current build.
    pub fn standing(&self, change: &Change, grants: &Grants) -> Standing {
        if self.may(grants) {
            return Standing::Granted;
        }
        let current = change.lock().get(self.id()).map(|slot| &slot.current);
        let Some((old, manifest)) = current.and_then(|build| usable(change, self.id(), build, grants)) else {
            return Standing::New;
        };
        let version = manifest.plugin.version.clone();
        match carry_over(old, &manifest, &self.manifest) {
            Update::CarriedOver(rights) => Standing::CarriedOver { from: version, rights },
            Update::AsksForMore(more) => Standing::AsksForMore { than: version, more },
        }
    }

    fn may(&self, grants: &Grants) -> bool {
        grants.check(&self.manifest, &self.fingerprint.file, &self.source).is_ok()
    }

    /// Has it compiled and tried out in a process of its own. Blocks.
    pub fn prove(&self, change: &Change, prover: &Prover) -> Result<(), Failure> {
        prover.prove(&self.staged, &self.source, &self.fingerprint.file)?;
        change.made(Step::Proven);
        Ok(())
    }

    /// Installs it.
    pub fn install(
        self,
        change: &mut Change,
        decision: &Decision,
        around: &Circumstances<'_>,
    ) -> Result<(), Failure> {
        let digest = self.fingerprint.file;
        change.place(&self.staged, self.id(), &digest)?;
        let mut grants = around.consent.grants()?;
        if let Decision::Use { grant: Some(rights) } = decision {
            let granted = Manifest { rights: (**rights).clone(), ..self.manifest.clone() };
            around.consent.allow(&mut grants, &granted, &digest)?;
        }
        change.made(Step::Granted);
        let grant = grants.find(self.id(), &digest).map(Grant::digest);
        let source = self.source.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let build = LockedBuild {
            version: self.manifest.plugin.version.clone(),
            digest,
            manifest: self.fingerprint.manifest,
            contract: self.fingerprint.contract.clone(),
            surface: self.fingerprint.surface,
            signer: self.signer.clone(),
            grant,
            source,
            installed_at: around.now.clone(),
            host: around.host.to_owned(),
        };
        let mut lock = change.lock().clone();
        match decision {
            Decision::Keep => lock.keep_pending(self.id(), build)?,
            Decision::Use { .. } => lock.make_current(self.id(), build),
        }
        change.commit(lock)
    }
}

/// The grant and the manifest of an installed build that may run as it is.
fn usable<'a>(
    change: &Change,
    id: &str,
    build: &LockedBuild,
    grants: &'a Grants,
) -> Option<(&'a Grant, Manifest)> {
    let (file, manifest) = manifest_of(change, id, build).ok()?;
    grants.check(&manifest, &build.digest, &file).ok()?;
    Some((grants.find(id, &build.digest)?, manifest))
}

/// Where an installed build stands and what it asks for, if it is what was installed.
fn manifest_of(change: &Change, id: &str, build: &LockedBuild) -> Result<(PathBuf, Manifest), Failure> {
    let file = change.folder().build(id, &build.digest);
    let bytes = read_file(&file).map_err(|refusal| LoadError { path: file.clone(), refusal })?;
    let found = if Digest::of(&bytes) == build.digest { inspect(&bytes).ok() } else { None };
    match found.and_then(|found| found.manifest) {
        Some(manifest) => Ok((file, manifest)),
        None => Err(Failure::PluginNotAsInstalled { id: id.to_owned(), file }),
    }
}

/// Who vouches for a staged file, whatever the rule is about those who do not.
fn signer(staged: &Path, digest: &Digest, keys: &Path) -> Signer {
    let ring = KeyRing::load(keys).unwrap_or_default();
    let known =
        |known: &TrustedKey| KnownSigner { name: known.name.clone(), key: known.key.id().to_string() };
    vouching::signed_with(staged, digest, &ring).map_or(Signer::NONE, |key| Signer::Known(known(key)))
}

/// The build that waited becomes the current one; its grant is there already.
pub fn promote(change: &mut Change, id: &str, grants: &Grants) -> Result<(), Failure> {
    change.made(Step::Granted);
    let slot = change.lock().installed(id)?;
    let Some(mut build) = slot.pending.clone() else { return Ok(()) };
    build.grant = grants.find(id, &build.digest).map(Grant::digest);
    let mut lock = change.lock().clone();
    lock.make_current(id, build);
    change.commit(lock)
}

/// Goes back to the build before, if that may still run as it is. Gives the new state.
pub fn roll_back(change: &mut Change, id: &str, grants: &Grants) -> Result<Slot, Failure> {
    let slot = change.lock().installed(id)?;
    let previous = slot.previous.clone().ok_or_else(|| LockFileError::NoPrevious { id: id.to_owned() })?;
    let (file, manifest) = manifest_of(change, id, &previous)?;
    grants.check(&manifest, &previous.digest, &file)?;
    let mut lock = change.lock().clone();
    let slot = lock.roll_back(id)?.clone();
    change.commit(lock)?;
    Ok(slot)
}

/// Takes a plugin away, with what its builds were granted. The plugin goes first: a
/// crash between leaves grants that nothing uses.
pub fn remove(change: &mut Change, id: &str, consent: &Consent) -> Result<Slot, Failure> {
    let mut lock = change.lock().clone();
    let slot = lock.remove(id)?;
    let mut granted = consent.grants()?;
    change.commit(lock)?;
    // One that cannot be told does not keep the others from being taken back.
    let take_back = |build: &LockedBuild| consent.revoke(&mut granted, id, Some(&build.digest)).map(drop);
    slot.builds().map(take_back).fold(Ok(()), Result::and)?;
    Ok(slot)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::home::Home;
    use crate::plugins::consent::tests::{break_audit_log, consent};
    use crate::plugins::install_folder::InstallFolder;
    use crate::plugins::lockfile::tests::build;

    #[test]
    fn a_plugin_that_is_removed_without_an_audit_log_leaves_no_grant_of_any_build() {
        let place = tempfile::tempdir().unwrap();
        let home = Home::below(place.path());
        let (old, new) = (build("1"), build("2"));
        let manifest = "[plugin]\nid = \"demo\"\nname = \"Demo\"\nversion = \"1\"\n\
            contract = \"hostler:plugin@0.1.0\"\ndescription = \"A demo.\"\n";
        let manifest = Manifest::parse(manifest).unwrap();
        let mut grants = Grants::default();
        for build in [&old, &new] {
            consent(&home).allow(&mut grants, &manifest, &build.digest).unwrap();
        }
        let mut change = InstallFolder::of(&home).change(Box::new(|_| {})).unwrap();
        let mut lock = change.lock().clone();
        lock.make_current("demo", old);
        lock.make_current("demo", new);
        change.commit(lock).unwrap();
        break_audit_log(&home);
        remove(&mut change, "demo", &consent(&home)).unwrap_err();
        assert_eq!(Grants::load(&home.grants()).unwrap(), Grants::default());
        assert!(change.lock().get("demo").is_none());
    }
}
