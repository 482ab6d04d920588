//! Taking commits out of a clone into the user's repository.
//!
//! The clone is the agent's: its objects may lie about their names, lead elsewhere
//! or be bombs. So they are copied, as plain files, to a place of the host's; from
//! there git packs what the repository lacks; and only a pack whose every object has
//! been hashed anew and passed git's strict check, and that is complete, moves in.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::collect_error::CollectError;
use crate::error::WorkspaceError;
use crate::git::{CHECKOUT_LIMIT, Scope};
use crate::incoming::Incoming;
use crate::object_id::ObjectId;
use crate::order::Workspace;
use crate::private_gitdir::{PrivateGitDir, Store};
use crate::process::Call;
use crate::repository::Repository;
use crate::tree_size::count_files;
use crate::untrusted::{UntrustedError, UntrustedFolder};

/// The agent's object files together, as they lie on the disk. The work of a run is
/// source text; no forge takes a push of that size.
pub(crate) const MAX_IMPORT_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// The agent's object files. A commit of all of the largest known repositories has
/// fewer files.
pub(crate) const MAX_IMPORT_FILES: usize = 500_000;

/// All new objects unpacked; a few bytes on the disk can be a thousand times as many.
pub(crate) const MAX_UNPACKED_BYTES: u64 = 16 * 1024 * 1024 * 1024;

/// One new object unpacked, which git holds in memory as a whole.
pub(crate) const MAX_OBJECT_BYTES: u64 = 512 * 1024 * 1024;

/// The files of the last commit, however few trees stand for them: listing more than
/// that for a comparison takes too much memory.
pub(crate) const MAX_FILES: u64 = 1_000_000;

/// Git gives up before it asks for more memory at once, whatever an object says its
/// size is.
const MAX_ALLOCATION_BYTES: u64 = 1024 * 1024 * 1024;

/// Commits that git is told the repository has; more make the question longer and
/// the answer hardly shorter.
const MAX_HAVES: usize = 256;

/// Entries of a folder of objects; git itself has 256 folders and few other files.
const MAX_ENTRIES: usize = 10_000;

/// How much is taken over at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    bytes: u64,
    files: usize,
    unpacked: u64,
    object: u64,
    listed: u64,
}

pub(crate) const LIMITS: Limits = Limits {
    bytes: MAX_IMPORT_BYTES,
    files: MAX_IMPORT_FILES,
    unpacked: MAX_UNPACKED_BYTES,
    object: MAX_OBJECT_BYTES,
    listed: MAX_FILES,
};

/// One import.
pub(crate) struct Import<'a> {
    pub(crate) limits: Limits,
    pub(crate) repository: &'a Repository,
    pub(crate) workspace: &'a Workspace,
    pub(crate) private: &'a PrivateGitDir,
}

impl Import<'_> {
    /// Brings the commit `tip` with all that it needs into the repository; gives back
    /// how many objects were new there. `haves` are commits of the repository that the
    /// work is probably built on.
    pub(crate) fn bring(
        &self,
        git_dir: &UntrustedFolder,
        tip: ObjectId,
        haves: &[ObjectId],
    ) -> Result<usize, CollectError> {
        let objects = git_dir.folder(OsStr::new("objects"))?.ok_or_else(|| UntrustedError::Other {
            path: git_dir.path().join("objects"),
            wanted: "a folder",
        })?;
        let store = self.repository.common_dir().join("objects");
        let folder = &self.workspace.order.folder;
        let copied = Incoming::begin(&store, &format!("copied-{folder}"))?;
        for pack in self.copy(&objects, copied.path())? {
            self.git(copied.path(), &["index-pack", &path_text(&pack)], &[])?;
        }
        let question = question(tip, &self.haves(haves)?);
        let arguments = ["rev-list", "--objects", "--no-object-names", "--stdin"];
        let listed = self.git(copied.path(), &arguments, &question)?;
        let new = self.lacking(&listed)?;
        self.check_sizes(copied.path(), &new)?;
        let checked = Incoming::begin(&store, &format!("checked-{folder}"))?;
        self.pack(copied.path(), checked.path(), &new)?;
        // What git reads from here on is the repository and the checked pack.
        drop(copied);
        let whole = ["rev-list", "--objects", "--quiet", "--stdin"];
        self.git(checked.path(), &whole, &question)?;
        self.check_files(checked.path(), tip)?;
        checked.accept()?;
        Ok(new.len())
    }

    /// Copies loose objects that the repository lacks, and packs; gives back the packs.
    /// Indexes and alternates stay behind: what they say is for git to find out.
    fn copy(&self, objects: &UntrustedFolder, target: &Path) -> Result<Vec<PathBuf>, CollectError> {
        let mut left = self.limits;
        let repository = self.repository.refs()?;
        let odb = repository.odb().map_err(self.failed("read the objects"))?;
        let mut packs = Vec::new();
        for name in objects.names(MAX_ENTRIES)? {
            if name == "pack" {
                let Some(folder) = objects.folder(&name)? else { continue };
                for pack in folder.names(MAX_ENTRIES)?.iter().filter(|name| is_pack(name)) {
                    let copy = target.join("pack").join(format!("pack-{}.pack", packs.len()));
                    self.copy_file(&folder, pack, &copy, &mut left)?;
                    packs.push(copy);
                }
            } else if is_hex(&name, 2) {
                let Some(folder) = objects.folder(&name)? else { continue };
                let own = target.join(&name);
                fs::create_dir(&own).map_err(WorkspaceError::io("create the directory", &own))?;
                for object in
                    folder.names(self.limits.files.max(MAX_ENTRIES))?.iter().filter(|name| is_hex(name, 38))
                {
                    let id = format!("{}{}", name.to_string_lossy(), object.to_string_lossy());
                    let known = git2::Oid::from_str(&id)
                        .is_ok_and(|id| odb.exists_ext(id, git2::OdbLookupFlags::NO_REFRESH));
                    if !known {
                        self.copy_file(&folder, object, &own.join(object), &mut left)?;
                    }
                }
            }
        }
        Ok(packs)
    }

    fn copy_file(
        &self,
        folder: &UntrustedFolder,
        name: &OsStr,
        target: &Path,
        left: &mut Limits,
    ) -> Result<(), CollectError> {
        let Some(file) = folder.file(name)? else { return Ok(()) };
        left.files = match left.files.checked_sub(1) {
            Some(files) => files,
            None => return Err(self.too_much(self.limits.files as u64, "object files")),
        };
        let mut copy = File::create_new(target).map_err(WorkspaceError::io("create", target))?;
        let copied = std::io::copy(&mut file.take(left.bytes.saturating_add(1)), &mut copy)
            .map_err(WorkspaceError::io("copy to", target))?;
        left.bytes = match left.bytes.checked_sub(copied) {
            Some(bytes) => bytes,
            None => return Err(self.too_much(self.limits.bytes, "bytes of object files")),
        };
        Ok(())
    }

    fn haves(&self, known: &[ObjectId]) -> Result<BTreeSet<ObjectId>, WorkspaceError> {
        let repository = self.repository.refs()?;
        let references = repository.references().map_err(self.failed("list the refs"))?;
        let commits = references.filter_map(|it| it.ok()?.peel_to_commit().ok()).map(|it| it.id().into());
        let known = known.iter().copied().filter(|id| repository.find_commit(id.oid()).is_ok());
        Ok(known.chain(commits).take(MAX_HAVES).collect())
    }

    fn lacking(&self, listed: &[u8]) -> Result<Vec<String>, WorkspaceError> {
        let repository = self.repository.refs()?;
        let odb = repository.odb().map_err(self.failed("read the objects"))?;
        let ids = std::str::from_utf8(listed).unwrap_or_default().lines();
        let lacks = |id: &&str| {
            git2::Oid::from_str(id).is_ok_and(|id| !odb.exists_ext(id, git2::OdbLookupFlags::NO_REFRESH))
        };
        Ok(ids.filter(lacks).map(str::to_owned).collect())
    }

    /// Sizes stand at the beginning of each object, so a bomb is seen before it is
    /// unpacked; one that lies about its size is corrupt to git.
    fn check_sizes(&self, store: &Path, ids: &[String]) -> Result<(), CollectError> {
        let arguments = ["cat-file", "--batch-check=%(objectsize)"];
        let answer = self.git(store, &arguments, &lines(ids))?;
        let mut left = self.limits.unpacked;
        for line in String::from_utf8_lossy(&answer).lines() {
            let size: u64 = line.trim().parse().map_err(|_| self.refused(line))?;
            if size > self.limits.object {
                return Err(self.too_much(self.limits.object, "bytes in one object"));
            }
            left = match left.checked_sub(size) {
                Some(left) => left,
                None => return Err(self.too_much(self.limits.unpacked, "bytes of objects")),
            };
        }
        Ok(())
    }

    /// A commit may stand for more files than its objects tell.
    fn check_files(&self, checked: &Path, tip: ObjectId) -> Result<(), CollectError> {
        let repository = self.repository.refs()?;
        let failed = || self.failed("count the files of the agent's commit");
        let odb = repository.odb().map_err(failed())?;
        odb.add_disk_alternate(&path_text(checked)).map_err(failed())?;
        let Ok(commit) = repository.find_commit(tip.oid()) else {
            // A tag, a tree or a file.
            return Err(CollectError::Ref { name: "HEAD".to_owned(), path: self.workspace.git_dir.clone() });
        };
        if count_files(&repository, commit.tree_id()).map_err(failed())? > self.limits.listed {
            return Err(self.too_much(self.limits.listed, "files in one commit"));
        }
        Ok(())
    }

    /// Packs the new objects from one store into another, and has them checked there.
    fn pack(&self, from: &Path, to: &Path, ids: &[String]) -> Result<(), CollectError> {
        if ids.is_empty() {
            return Ok(());
        }
        let base = to.join("pack/pack");
        let arguments = ["pack-objects", "-q", "--delta-base-offset", &path_text(&base)];
        let name = self.git(from, &arguments, &lines(ids))?;
        let name = String::from_utf8_lossy(&name).trim().to_owned();
        let pack = to.join("pack").join(format!("pack-{name}.pack"));
        // The check makes them anew, from what is in the pack.
        for made in ["idx", "rev"].map(|kind| pack.with_extension(kind)) {
            match fs::remove_file(&made) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(WorkspaceError::io("remove", made)(error).into());
                }
                _ => {}
            }
        }
        let limit = format!("--max-input-size={}", self.limits.bytes);
        self.git(to, &["index-pack", "--strict", &limit, &path_text(&pack)], &[])?;
        Ok(())
    }

    fn git(&self, store: &Path, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, CollectError> {
        let scope = Scope {
            objects: Some(store.to_owned()),
            max_allocation: Some(MAX_ALLOCATION_BYTES),
            ..self.private.scope(&self.private.base_index(), Store::Private)
        };
        let call = Call { input, time_limit: CHECKOUT_LIMIT, ..Call::default() };
        self.repository.git.run(&scope, arguments, &call).map_err(|error| match error {
            WorkspaceError::Git { message, .. } => self.refused(&message),
            WorkspaceError::TooMuchOutput { limit, .. } => {
                self.too_much(limit as u64, "bytes of object names")
            }
            error => error.into(),
        })
    }

    fn refused(&self, message: &str) -> CollectError {
        let detail = message.lines().next().unwrap_or("without a word").trim().to_owned();
        CollectError::Refused { path: self.workspace.path.clone(), detail }
    }

    fn too_much(&self, limit: u64, unit: &'static str) -> CollectError {
        CollectError::TooMuch { path: self.workspace.git_dir.clone(), limit, unit }
    }

    fn failed(&self, action: &'static str) -> impl FnOnce(git2::Error) -> WorkspaceError {
        WorkspaceError::repository(action, self.repository.common_dir())
    }
}

/// What `rev-list` is asked: everything of `tip` that `haves` do not have.
fn question(tip: ObjectId, haves: &BTreeSet<ObjectId>) -> Vec<u8> {
    let haves = haves.iter().map(|have| format!("^{have}\n"));
    std::iter::once(format!("{tip}\n")).chain(haves).collect::<String>().into_bytes()
}

fn lines(ids: &[String]) -> Vec<u8> {
    ids.iter().flat_map(|id| [id.as_bytes(), b"\n"]).flatten().copied().collect()
}

/// Paths below the repository are text; `Repository::open` has looked.
fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn is_hex(name: &OsStr, digits: usize) -> bool {
    let bytes = name.as_encoded_bytes();
    let is_digit = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
    bytes.len() == digits && bytes.iter().all(is_digit)
}

fn is_pack(name: &OsString) -> bool {
    let bytes = name.as_encoded_bytes();
    bytes.starts_with(b"pack-") && bytes.ends_with(b".pack")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::process::Command;

    use super::*;
    use crate::base::Base;
    use crate::order::{self, Isolation, Order};

    fn git(folder: &Path, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=A", "-c", "user.email=a@localhost", "-c", "core.looseCompression=0"])
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Brings one commit of one file of 1000 bytes over, within these limits.
    fn bring(limits: Limits) -> Result<usize, CollectError> {
        let place = tempfile::tempdir().unwrap();
        let checkout = place.path().canonicalize().unwrap().join("project");
        fs::create_dir(&checkout).unwrap();
        git(&checkout, &["init", "-q"]);
        git(&checkout, &["commit", "-q", "--allow-empty", "-m", "start"]);
        let repository = Repository::open(&checkout, &place.path().join("state")).unwrap();
        let order = Order {
            run: "run".to_owned(),
            attempt: 1,
            folder: "a".to_owned(),
            place: order::Place::Hostler,
            branch: "a".to_owned(),
            start: repository.resolve(&Base::Head).unwrap(),
            isolation: Isolation::Clone,
        };
        let workspace = repository.prepare(&order).unwrap();
        fs::write(workspace.path.join("file"), "x".repeat(1000)).unwrap();
        git(&workspace.path, &["add", "file"]);
        git(&workspace.path, &["commit", "-q", "-m", "work"]);
        let tip = git(&workspace.path, &["rev-parse", "HEAD"]).parse().unwrap();
        let private = PrivateGitDir::of(&workspace, &repository.desk_of(&workspace).unwrap());
        let import = Import { limits, repository: &repository, workspace: &workspace, private: &private };
        let brought = import.bring(&UntrustedFolder::open(&workspace.git_dir).unwrap(), tip, &[order.start]);
        let there = repository.refs().unwrap().find_commit(tip.oid()).is_ok();
        assert_eq!(there, brought.is_ok());
        brought
    }

    #[test]
    fn files_at_the_limit_are_taken_over_and_one_more_is_not() {
        assert_eq!(bring(Limits { files: 3, ..LIMITS }).unwrap(), 3);
        let error = bring(Limits { files: 2, ..LIMITS }).unwrap_err();
        assert!(matches!(error, CollectError::TooMuch { limit: 2, unit: "object files", .. }), "{error}");
    }

    #[test]
    fn a_commit_of_as_many_files_as_the_limit_is_taken_over_and_of_one_more_is_not() {
        assert_eq!(bring(Limits { listed: 1, ..LIMITS }).unwrap(), 3);
        let error = bring(Limits { listed: 0, ..LIMITS }).unwrap_err();
        assert!(matches!(error, CollectError::TooMuch { unit: "files in one commit", .. }), "{error}");
    }

    #[test]
    fn one_object_at_the_limit_is_taken_over_and_one_byte_more_is_not() {
        assert_eq!(bring(Limits { object: 1000, ..LIMITS }).unwrap(), 3);
        let error = bring(Limits { object: 999, ..LIMITS }).unwrap_err();
        assert!(
            matches!(error, CollectError::TooMuch { limit: 999, unit: "bytes in one object", .. }),
            "{error}"
        );
    }

    #[test]
    fn unpacked_bytes_at_the_limit_are_taken_over_and_one_more_is_not() {
        // The file; a tree of mode, name and id; a commit with names and times.
        let (tree, commit) = (32, 183);
        let whole = 1000 + tree + commit;
        assert_eq!(bring(Limits { unpacked: whole, ..LIMITS }).unwrap(), 3);
        let error = bring(Limits { unpacked: whole - 1, ..LIMITS }).unwrap_err();
        assert!(matches!(error, CollectError::TooMuch { unit: "bytes of objects", .. }), "{error}");
    }

    #[test]
    fn bytes_on_the_disk_within_the_limit_are_taken_over_and_fewer_are_too_many() {
        assert_eq!(bring(Limits { bytes: 2000, ..LIMITS }).unwrap(), 3);
        let error = bring(Limits { bytes: 1000, ..LIMITS }).unwrap_err();
        assert!(matches!(error, CollectError::TooMuch { unit: "bytes of object files", .. }), "{error}");
    }
}
