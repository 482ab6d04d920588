//! What the refs of a clone say, read as plain values from files of the agent's.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::clone::parse_packed;
use crate::collect_error::CollectError;
use crate::object_id::ObjectId;
use crate::order::Workspace;
use crate::untrusted::{UntrustedError, UntrustedFolder};

/// A ref file is one line, and a ref's name is no longer than a path.
const MAX_REF_BYTES: u64 = 4096;

/// Half a million packed refs; a clone begins with a few.
const MAX_PACKED_BYTES: u64 = 32 * 1024 * 1024;

/// Refs, and folders of refs, that are looked at; an agent makes a handful.
const MAX_LOOSE_REFS: usize = 10_000;

/// The refs of one clone.
pub(crate) struct ClonedRefs {
    git_dir: UntrustedFolder,
    packed: BTreeMap<String, ObjectId>,
}

/// What one ref file holds.
enum Value {
    Id(ObjectId),
    Symbolic(String),
}

impl ClonedRefs {
    pub(crate) fn of(workspace: &Workspace) -> Result<Self, CollectError> {
        Self::read(UntrustedFolder::open(&workspace.git_dir)?)
    }

    fn read(git_dir: UntrustedFolder) -> Result<Self, CollectError> {
        let packed = git_dir.content(OsStr::new("packed-refs"), MAX_PACKED_BYTES)?.unwrap_or_default();
        Ok(Self { git_dir, packed: parse_packed(&packed) })
    }

    /// The commit that `HEAD` is on; `None` on a branch without a commit.
    pub(crate) fn head(&self) -> Result<Option<ObjectId>, CollectError> {
        let content = self.git_dir.content(OsStr::new("HEAD"), MAX_REF_BYTES)?;
        match content.as_deref().and_then(parse) {
            Some(Value::Id(id)) => Ok(Some(id)),
            Some(Value::Symbolic(name)) => self.value(&name),
            None => Err(self.unusable("HEAD")),
        }
    }

    /// The object that a ref (full name) is on; `None` if there is no such ref.
    pub(crate) fn value(&self, name: &str) -> Result<Option<ObjectId>, CollectError> {
        if !name.starts_with("refs/") || !git2::Reference::is_valid_name(name) {
            return Err(self.unusable(name));
        }
        match self.loose(name)? {
            None => Ok(self.packed.get(name).copied()),
            Some(content) => match parse(&content) {
                Some(Value::Id(id)) => Ok(Some(id)),
                _ => Err(self.unusable(name)),
            },
        }
    }

    /// All refs by full name. Symbolic ones are left out: what they name is there, too.
    pub(crate) fn all(&self) -> Result<BTreeMap<String, ObjectId>, CollectError> {
        let mut refs = self.packed.clone();
        let mut left = MAX_LOOSE_REFS;
        let mut open = vec!["refs".to_owned()];
        while let Some(prefix) = open.pop() {
            let Some(folder) = self.folder(&prefix)? else { continue };
            for name in folder.names(left)? {
                left -= 1;
                let full = format!("{prefix}/{}", name.to_string_lossy());
                if folder.is_folder(&name) {
                    open.push(full);
                } else if name.to_str().is_some() && git2::Reference::is_valid_name(&full) {
                    let content = folder.content(&name, MAX_REF_BYTES)?.unwrap_or_default();
                    match parse(&content).ok_or_else(|| self.unusable(&full))? {
                        Value::Id(id) => drop(refs.insert(full, id)),
                        Value::Symbolic(_) => {}
                    }
                }
            }
        }
        Ok(refs)
    }

    fn loose(&self, name: &str) -> Result<Option<Vec<u8>>, UntrustedError> {
        let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
        match self.folder(folder)? {
            Some(folder) if !folder.is_folder(OsStr::new(file)) => {
                folder.content(OsStr::new(file), MAX_REF_BYTES)
            }
            _ => Ok(None),
        }
    }

    fn folder(&self, path: &str) -> Result<Option<UntrustedFolder>, UntrustedError> {
        let mut parts = path.split('/');
        let mut folder = self.git_dir.folder(OsStr::new(parts.next().unwrap_or_default()))?;
        for part in parts {
            folder = match folder {
                Some(folder) => folder.folder(OsStr::new(part))?,
                None => return Ok(None),
            };
        }
        Ok(folder)
    }

    fn unusable(&self, name: &str) -> CollectError {
        CollectError::Ref { name: name.to_owned(), path: PathBuf::from(self.git_dir.path()) }
    }
}

/// What is read of a git directory that an agent left.
#[doc(hidden)]
#[derive(Debug)]
pub struct LeftRefs {
    /// The commit that `HEAD` is on.
    pub head: Result<Option<ObjectId>, CollectError>,
    /// All refs by full name.
    pub all: BTreeMap<String, ObjectId>,
}

/// Reads a git directory that an agent left. For tests that put anything there.
#[doc(hidden)]
pub fn left_refs(git_dir: &Path) -> Result<LeftRefs, CollectError> {
    let refs = ClonedRefs::read(UntrustedFolder::open(git_dir)?)?;
    Ok(LeftRefs { head: refs.head(), all: refs.all()? })
}

fn parse(content: &[u8]) -> Option<Value> {
    let line = content.trim_ascii_end();
    match line.strip_prefix(b"ref:") {
        Some(name) => {
            let name = OsStr::from_bytes(name.trim_ascii_start()).to_str()?;
            Some(Value::Symbolic(name.to_owned()))
        }
        None => Some(Value::Id(std::str::from_utf8(line).ok()?.parse().ok()?)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use super::*;

    const A: &str = "0123456789abcdef0123456789abcdef01234567";
    const B: &str = "1123456789abcdef0123456789abcdef01234567";

    fn refs(files: &[(&str, &str)]) -> (tempfile::TempDir, ClonedRefs) {
        let place = tempfile::tempdir().unwrap();
        for (path, content) in files {
            let path = place.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        let read = ClonedRefs::read(UntrustedFolder::open(place.path()).unwrap()).unwrap();
        (place, read)
    }

    fn id(text: &str) -> Option<ObjectId> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn a_loose_ref_wins_over_a_packed_one_and_head_follows_its_branch() {
        let packed = format!("{A} refs/heads/run\n{A} refs/heads/other\n");
        let (_place, refs) = refs(&[
            ("HEAD", "ref: refs/heads/run\n"),
            ("packed-refs", &packed),
            ("refs/heads/run", &format!("{B}\n")),
        ]);
        assert_eq!(refs.head().unwrap(), id(B));
        assert_eq!(refs.value("refs/heads/other").unwrap(), id(A));
        assert_eq!(refs.value("refs/heads/none").unwrap(), None);
        assert_eq!(refs.all().unwrap().len(), 2);
    }

    #[test]
    fn a_head_without_a_commit_is_none_and_one_that_is_no_head_is_refused() {
        let (_place, unborn) = refs(&[("HEAD", "ref: refs/heads/new\n")]);
        assert_eq!(unborn.head().unwrap(), None);
        for odd in ["", "x", "ref: ../../config", "ref: refs/heads/../../x", "ref: refs/heads/.invalid"] {
            let (_place, refs) = refs(&[("HEAD", odd)]);
            assert!(matches!(refs.head(), Err(CollectError::Ref { .. })), "{odd:?}");
        }
    }

    #[test]
    fn locks_and_names_that_git_refuses_are_no_refs() {
        let (_place, refs) = refs(&[
            ("refs/heads/a", A),
            ("refs/heads/a.lock", ""),
            ("refs/heads/b c", "x"),
            ("refs/heads/deep/er", B),
            ("refs/remotes/origin/HEAD", "ref: refs/remotes/origin/main"),
        ]);
        let names: Vec<String> = refs.all().unwrap().into_keys().collect();
        assert_eq!(names, ["refs/heads/a", "refs/heads/deep/er"]);
    }

    #[test]
    fn refs_at_the_limit_are_listed_and_one_more_is_not() {
        let (place, refs) = refs(&[("refs/heads/a", A)]);
        let heads = place.path().join("refs/heads");
        // `heads` and `a` count, too.
        for number in 0..MAX_LOOSE_REFS - 2 {
            fs::write(heads.join(number.to_string()), A).unwrap();
        }
        assert_eq!(refs.all().unwrap().len(), MAX_LOOSE_REFS - 1);
        fs::write(heads.join("one-more"), A).unwrap();
        assert!(matches!(refs.all(), Err(CollectError::Odd(UntrustedError::TooMany { .. }))));
    }
}
