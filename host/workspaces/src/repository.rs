//! The user's checkout: finding it, checking that it can be used, and where
//! the host keeps things for it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::branch::{self, Taken};
use crate::error::WorkspaceError;
use crate::git::Git;
use crate::operator::Operator;
use crate::order::{Place, Workspace};

/// A git repository that workspaces can be made from.
///
/// Holds paths and the git program, no open files: it may be kept for long and
/// shared between threads.
#[derive(Debug)]
pub struct Repository {
    checkout: PathBuf,
    git_dir: PathBuf,
    common_dir: PathBuf,
    /// This repository's directory in the host's state.
    desk: PathBuf,
    pub(crate) git: Git,
    pub(crate) operator: Operator,
}

/// What a person should know before work starts from this checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// There are uncommitted or untracked files; they are not part of a run.
    pub dirty: bool,
    /// The checkout is on a commit, not on a branch.
    pub detached: bool,
    /// Short name of the branch that is checked out.
    pub head_branch: Option<String>,
}

impl Repository {
    /// Finds the repository that `path` is in. `state` is a directory that only
    /// the host writes to; it is created if missing and must be outside of
    /// every repository.
    pub fn open(path: &Path, state: &Path) -> Result<Self, WorkspaceError> {
        Self::open_as(Operator::from_environment(), path, state)
    }

    /// Like [`open`](Self::open), for somebody who did not start this process.
    pub fn open_as(operator: Operator, path: &Path, state: &Path) -> Result<Self, WorkspaceError> {
        let (checkout, repository) = discover(path)?;
        let common_dir = canonical(repository.commondir())?;
        for path in [&checkout, &common_dir] {
            check_name(path)?;
        }
        if has_no_commit(&repository) {
            return Err(WorkspaceError::Empty { path: checkout });
        }
        let home = state.join("home");
        fs::create_dir_all(&home).map_err(WorkspaceError::io("create the directory", &home))?;
        let state = canonical(state)?;
        let desk = state.join(repository_key(&common_dir)?);
        fs::create_dir_all(&desk).map_err(WorkspaceError::io("create the directory", &desk))?;
        Ok(Self {
            git: Git::find(operator.get("PATH").map(ToOwned::to_owned), &state.join("home"))?,
            git_dir: canonical(repository.path())?,
            checkout,
            common_dir,
            desk,
            operator,
        })
    }

    /// The root of the checkout this was opened from.
    pub fn checkout(&self) -> &Path {
        &self.checkout
    }

    /// The git directory that all worktrees of this repository share.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Where workspaces are made: `.hostler/worktrees` in the main checkout.
    ///
    /// Opened from a linked worktree this is still the main checkout, because
    /// `git worktree remove` would delete what is inside the linked one. Where
    /// the shared git directory is not a `.git` inside a checkout, it is the
    /// checkout this was opened from.
    pub fn workspace_root(&self) -> PathBuf {
        self.root_of(&Place::Hostler)
    }

    /// Where workspaces of that place are made.
    pub(crate) fn root_of(&self, place: &Place) -> PathBuf {
        let main = match self.common_dir.parent() {
            Some(parent) if self.common_dir.ends_with(".git") => parent,
            _ => &self.checkout,
        };
        match place {
            Place::Hostler => main.join(".hostler").join("worktrees"),
            Place::Folder(name) => main.join(name),
        }
    }

    /// What state the user's checkout is in.
    pub fn condition(&self) -> Result<Condition, WorkspaceError> {
        let error = |action| WorkspaceError::repository(action, &self.checkout);
        let repository = self.checkout_refs()?;
        // `core.worktree` could point anywhere; we know where the checkout is.
        repository.set_workdir(&self.checkout, false).map_err(error("read the checkout"))?;
        let mut options = git2::StatusOptions::new();
        options
            .include_untracked(true)
            .recurse_untracked_dirs(false)
            .exclude_submodules(true)
            .update_index(false);
        let dirty = !repository.statuses(Some(&mut options)).map_err(error("read the status"))?.is_empty();
        let detached = repository.head_detached().map_err(error("read HEAD"))?;
        let head = repository.find_reference("HEAD").map_err(error("read HEAD"))?;
        let head_branch = head
            .symbolic_target_bytes()
            .and_then(|target| std::str::from_utf8(target).ok())
            .and_then(|target| target.strip_prefix("refs/heads/"))
            .map(str::to_owned);
        Ok(Condition { dirty, detached, head_branch })
    }

    /// A branch name that git accepts, nearest to `wish`, and that neither
    /// exists nor is in `reserved` (names promised to runs that have not made
    /// their branch yet).
    pub fn branch_name(&self, wish: &str, reserved: &[String]) -> Result<String, WorkspaceError> {
        let error = |action| WorkspaceError::repository(action, &self.common_dir);
        let repository = self.refs()?;
        let mut taken = Taken::default();
        for name in reserved {
            taken.insert(name);
        }
        let references = repository.references_glob("refs/heads/*").map_err(error("list the branches"))?;
        for reference in references {
            let reference = reference.map_err(error("list the branches"))?;
            let name = String::from_utf8_lossy(reference.name_bytes());
            taken.insert(name.trim_start_matches("refs/heads/"));
        }
        Ok(taken.free(&branch::valid(wish)))
    }

    /// The shared repository, for reading and writing refs as plain values.
    pub(crate) fn refs(&self) -> Result<git2::Repository, WorkspaceError> {
        git2::Repository::open_bare(&self.common_dir)
            .map_err(WorkspaceError::repository("open the repository", &self.common_dir))
    }

    /// The repository as seen from the user's checkout: its `HEAD` and index.
    pub(crate) fn checkout_refs(&self) -> Result<git2::Repository, WorkspaceError> {
        git2::Repository::open_ext(
            &self.git_dir,
            git2::RepositoryOpenFlags::NO_SEARCH | git2::RepositoryOpenFlags::NO_DOTGIT,
            &[] as &[&Path],
        )
        .map_err(WorkspaceError::repository("open the repository", &self.git_dir))
    }

    /// The directory in the host's state for the workspace in `folder`.
    pub(crate) fn desk(&self, folder: &str) -> PathBuf {
        self.desk.join("workspaces").join(folder)
    }

    /// This repository's directory in the host's state.
    pub(crate) fn desk_root(&self) -> &Path {
        &self.desk
    }

    /// The lock around changes of refs and worktree records.
    pub(crate) fn lock_path(&self) -> PathBuf {
        self.desk.join("lock")
    }

    /// The desk of a workspace of this repository.
    pub(crate) fn desk_of(&self, workspace: &Workspace) -> Result<PathBuf, WorkspaceError> {
        workspace.order.check()?;
        Ok(self.desk(&workspace.order.folder))
    }
}

/// The nearest directory at or above `path` with a `.git` in it. What the
/// repository's own configuration says about its checkout is not believed.
fn discover(path: &Path) -> Result<(PathBuf, git2::Repository), WorkspaceError> {
    let path = canonical(path)?;
    let Some(checkout) = path.ancestors().find(|it| it.join(".git").exists()) else {
        return Err(match git2::Repository::discover_path(&path, &[] as &[&Path]) {
            Ok(git_dir) => WorkspaceError::Bare { path: git_dir },
            Err(_) => WorkspaceError::NotARepository { path },
        });
    };
    let repository =
        git2::Repository::open_ext(checkout, git2::RepositoryOpenFlags::NO_SEARCH, &[] as &[&Path])
            .map_err(|source| open_error(checkout, source))?;
    if repository.is_bare() {
        return Err(WorkspaceError::Bare { path: repository.path().to_owned() });
    }
    Ok((checkout.to_owned(), repository))
}

fn open_error(path: &Path, source: git2::Error) -> WorkspaceError {
    match (source.code(), source.class()) {
        (git2::ErrorCode::Owner, _) => WorkspaceError::ForeignOwner { path: path.to_owned() },
        (git2::ErrorCode::NotFound, _) => WorkspaceError::NotARepository { path: path.to_owned() },
        (_, git2::ErrorClass::Repository) => {
            WorkspaceError::Unsupported { path: path.to_owned(), detail: source.message().to_owned() }
        }
        _ => WorkspaceError::repository("open the repository", path)(source),
    }
}

/// True if there is no commit on `HEAD` and no branch or tag at all.
fn has_no_commit(repository: &git2::Repository) -> bool {
    let no_head = repository.head().is_err_and(|error| error.code() == git2::ErrorCode::UnbornBranch);
    no_head && repository.references().is_ok_and(|mut references| references.next().is_none())
}

/// Names with a line break break git's own files, others our records.
fn check_name(path: &Path) -> Result<(), WorkspaceError> {
    let detail = match path.to_str() {
        None => "its path is not valid UTF-8",
        Some(text) if text.contains(['\n', '\r', '"']) => "its path holds a line break or a quote",
        Some(_) => return Ok(()),
    };
    Err(WorkspaceError::Unsupported { path: path.to_owned(), detail: detail.to_owned() })
}

/// A short stable name for the repository at `common_dir`.
fn repository_key(common_dir: &Path) -> Result<String, WorkspaceError> {
    let bytes = common_dir.as_os_str().as_encoded_bytes();
    let digest = git2::Oid::hash_object(git2::ObjectType::Blob, bytes)
        .map_err(WorkspaceError::repository("name the repository", common_dir))?;
    Ok(digest.to_string().chars().take(20).collect())
}

fn canonical(path: &Path) -> Result<PathBuf, WorkspaceError> {
    fs::canonicalize(path).map_err(WorkspaceError::io("find", path))
}
