//! Which commit a workspace starts from.

use serde::{Deserialize, Serialize};

use crate::error::WorkspaceError;
use crate::object_id::ObjectId;
use crate::repository::Repository;

/// What a branch starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Base {
    /// The commit that the user's checkout is on.
    Head,
    /// The remote's default branch as last fetched; without a remote the local
    /// `main` or `master`; without those, `Head`. Nothing is fetched.
    DefaultBranch,
    /// A local branch, a branch of `origin`, a tag, a full ref name, or an
    /// object id of at least [`MIN_ID_DIGITS`] digits, in this order.
    ///
    /// Git's richer syntax (`HEAD~3`, `:/text`, `@{…}`) is not understood: the
    /// text comes from a tracker.
    Revision(String),
}

/// Shorter abbreviations are too likely to be a word or to become ambiguous.
pub const MIN_ID_DIGITS: usize = 7;

/// Local names a default branch commonly has.
const COMMON_DEFAULTS: [&str; 2] = ["refs/heads/main", "refs/heads/master"];

impl Repository {
    /// The full id of the commit that `base` names now.
    pub fn resolve(&self, base: &Base) -> Result<ObjectId, WorkspaceError> {
        let repository = self.refs()?;
        match base {
            Base::Head => self.head_commit(),
            Base::DefaultBranch => match default_branch(&repository) {
                Some(id) => Ok(id),
                None => self.head_commit(),
            },
            Base::Revision(revision) => {
                revision_commit(&repository, revision).ok_or_else(|| self.unknown(revision))
            }
        }
    }

    fn head_commit(&self) -> Result<ObjectId, WorkspaceError> {
        let checkout = self.checkout_refs()?;
        commit_of(&checkout, "HEAD").ok_or_else(|| self.unknown("HEAD"))
    }

    fn unknown(&self, revision: &str) -> WorkspaceError {
        WorkspaceError::UnknownRevision { revision: revision.to_owned(), path: self.checkout().to_owned() }
    }
}

/// The commit a ref leads to, through symbolic refs and tags.
pub(crate) fn commit_of(repository: &git2::Repository, reference: &str) -> Option<ObjectId> {
    let commit = repository.find_reference(reference).ok()?.peel_to_commit().ok()?;
    Some(commit.id().into())
}

fn default_branch(repository: &git2::Repository) -> Option<ObjectId> {
    commit_of(repository, "refs/remotes/origin/HEAD")
        .or_else(|| COMMON_DEFAULTS.iter().find_map(|name| commit_of(repository, name)))
}

fn revision_commit(repository: &git2::Repository, revision: &str) -> Option<ObjectId> {
    let places = [
        format!("refs/heads/{revision}"),
        format!("refs/remotes/origin/{revision}"),
        format!("refs/tags/{revision}"),
        format!("refs/remotes/{revision}"),
        revision.to_owned(),
    ];
    places
        .iter()
        .filter(|name| name.starts_with("refs/") && git2::Reference::is_valid_name(name))
        .find_map(|name| commit_of(repository, name))
        .or_else(|| commit_by_id(repository, revision))
}

fn commit_by_id(repository: &git2::Repository, text: &str) -> Option<ObjectId> {
    let is_id = text.len() >= MIN_ID_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_id {
        return None;
    }
    let object = repository.find_object_by_prefix(text, None).ok()?;
    Some(object.peel_to_commit().ok()?.id().into())
}
