//! What an agent changed, committed or not, against where it started.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::error::WorkspaceError;
use crate::lock::Lock;
use crate::object_id::ObjectId;
use crate::order::Workspace;
use crate::private_gitdir::{PrivateGitDir, Store};
use crate::process::Call;
use crate::repository::Repository;
use crate::snapshot::{Omitted, Scan, Snapshot, parse_id};

/// The difference between a workspace now and the commit it started from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The commit the workspace's branch is on. `None` if the branch is gone
    /// or names no commit.
    pub head: Option<ObjectId>,
    /// Every file that differs: committed, staged, unstaged or untracked (not
    /// ignored), by path.
    pub files: Vec<FileChange>,
    /// Commits on the branch that the start does not have.
    pub commits: u32,
    /// The workspace differs from `head`.
    pub uncommitted: bool,
    /// What is there and is not in `files`, in part or at all.
    pub omitted: Vec<Omitted>,
}

/// One file that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Relative to the workspace; not always UTF-8.
    pub path: PathBuf,
    /// What happened to it.
    pub kind: ChangeKind,
    /// Lines added and removed; `None` for binary files.
    pub lines: Option<Lines>,
}

/// Line counts of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lines {
    /// Lines only the new version has.
    pub added: u32,
    /// Lines only the old version had.
    pub removed: u32,
}

/// What happened to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// Its content or mode differs.
    Modified,
    /// It is gone.
    Deleted,
    /// It has another name, and perhaps other content.
    Renamed {
        /// The old name.
        from: PathBuf,
    },
    /// It turned from a file into a link or the other way round.
    TypeChanged,
}

/// A unified diff against the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// As git writes it; file content in it may be in any encoding.
    pub text: Vec<u8>,
    /// There was more than asked for.
    pub truncated: bool,
}

/// A snapshot with what it is compared to.
pub(crate) struct Inspection {
    pub(crate) snapshot: Snapshot,
    pub(crate) tip: Option<ObjectId>,
    /// Tree of the tip, or of the start if there is no tip.
    pub(crate) committed_tree: ObjectId,
    pub(crate) private: PrivateGitDir,
    _lock: Lock,
}

impl Inspection {
    pub(crate) fn uncommitted(&self) -> bool {
        self.snapshot.tree != self.committed_tree
    }
}

impl Repository {
    /// What the agent changed so far.
    pub fn changes(&self, workspace: &Workspace) -> Result<Changes, WorkspaceError> {
        self.list(workspace, self.inspect(workspace, Store::Private)?)
    }

    /// The changes as a unified diff of at most `max_bytes`.
    pub fn patch(&self, workspace: &Workspace, max_bytes: usize) -> Result<Patch, WorkspaceError> {
        self.diff(workspace, &self.inspect(workspace, Store::Private)?, max_bytes)
    }

    /// Both [`changes`](Self::changes) and [`patch`](Self::patch) of one moment, with
    /// one look at the workspace.
    pub fn review(
        &self,
        workspace: &Workspace,
        max_bytes: usize,
    ) -> Result<(Changes, Patch), WorkspaceError> {
        let inspection = self.inspect(workspace, Store::Private)?;
        let patch = self.diff(workspace, &inspection, max_bytes)?;
        Ok((self.list(workspace, inspection)?, patch))
    }

    fn list(&self, workspace: &Workspace, inspection: Inspection) -> Result<Changes, WorkspaceError> {
        let arguments =
            ["diff-tree", "-r", "-z", "-M", "--raw", "--numstat", "--no-ext-diff", "--no-textconv"];
        let call = Call::default();
        let (listing, truncated) = self.compare(workspace, &inspection, &arguments, &call)?;
        if truncated {
            return Err(WorkspaceError::TooMuchOutput {
                command: "diff-tree".to_owned(),
                limit: call.max_output,
            });
        }
        Ok(Changes {
            head: inspection.tip,
            files: parse_files(&listing)?,
            commits: self.count_commits(workspace, &inspection)?,
            uncommitted: inspection.uncommitted(),
            omitted: inspection.snapshot.omitted,
        })
    }

    fn diff(
        &self,
        workspace: &Workspace,
        inspection: &Inspection,
        max_bytes: usize,
    ) -> Result<Patch, WorkspaceError> {
        let arguments = [
            "diff-tree",
            "-r",
            "-M",
            "-p",
            "--full-index",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--src-prefix=a/",
            "--dst-prefix=b/",
            "--submodule=short",
        ];
        let call = Call { max_output: max_bytes, ..Call::default() };
        let (text, truncated) = self.compare(workspace, inspection, &arguments, &call)?;
        Ok(Patch { text, truncated })
    }

    /// Takes a snapshot and reads the branch as a plain value.
    pub(crate) fn inspect(&self, workspace: &Workspace, store: Store) -> Result<Inspection, WorkspaceError> {
        let desk = self.desk_of(workspace)?;
        self.reopen(workspace.clone())?;
        let lock = Lock::acquire(&desk.join("lock"))?;
        let private = PrivateGitDir::of(workspace, &desk);
        let tip = self.tip(workspace)?;
        let snapshot = Scan { git: &self.git, workspace, private: &private }.snapshot(tip, store)?;
        let commit = tip.unwrap_or(workspace.order.start);
        let scope = private.scope(&private.base_index(), Store::Private);
        let argument = format!("{commit}^{{tree}}");
        let output = self.git.run(
            &scope,
            &["rev-parse", "--verify", "--end-of-options", &argument],
            &Call::default(),
        )?;
        let committed_tree = parse_id("rev-parse", &output)?;
        Ok(Inspection { snapshot, tip, committed_tree, private, _lock: lock })
    }

    /// The commit on the workspace's branch. A symbolic ref is not followed:
    /// it would show another branch as the agent's.
    fn tip(&self, workspace: &Workspace) -> Result<Option<ObjectId>, WorkspaceError> {
        let repository = self.refs()?;
        let name = format!("refs/heads/{}", workspace.order.branch);
        let target = match repository.find_reference(&name) {
            Ok(reference) => reference.target(),
            Err(error) if error.code() == git2::ErrorCode::NotFound => None,
            Err(error) => {
                return Err(WorkspaceError::repository("read the branch", self.common_dir())(error));
            }
        };
        Ok(target.filter(|oid| repository.find_commit(*oid).is_ok()).map(ObjectId::from))
    }

    fn compare(
        &self,
        workspace: &Workspace,
        inspection: &Inspection,
        arguments: &[&str],
        call: &Call<'_>,
    ) -> Result<(Vec<u8>, bool), WorkspaceError> {
        let private = &inspection.private;
        let scope = private.scope(&private.base_index(), Store::Private);
        let start = workspace.order.start.to_string();
        let tree = inspection.snapshot.tree.to_string();
        let mut arguments = arguments.to_vec();
        arguments.extend([start.as_str(), tree.as_str(), "--"]);
        self.git.run_truncating(&scope, &arguments, call)
    }

    fn count_commits(&self, workspace: &Workspace, inspection: &Inspection) -> Result<u32, WorkspaceError> {
        let Some(tip) = inspection.tip else {
            return Ok(0);
        };
        let private = &inspection.private;
        let scope = private.scope(&private.base_index(), Store::Private);
        let range = format!("{}..{tip}", workspace.order.start);
        let output = self.git.run(&scope, &["rev-list", "--count", &range, "--"], &Call::default())?;
        let text = String::from_utf8_lossy(&output);
        text.trim().parse().map_err(|_| WorkspaceError::Answer {
            command: "rev-list".to_owned(),
            detail: format!("`{}` is not a count", text.trim()),
        })
    }
}

/// Reads `--raw --numstat -z`: first all raw records, then all counts, both
/// in the same order.
fn parse_files(output: &[u8]) -> Result<Vec<FileChange>, WorkspaceError> {
    let mut fields = output.split(|byte| *byte == 0).peekable();
    let mut files = Vec::new();
    while let Some(record) = fields.next_if(|field| field.starts_with(b":")) {
        let status = record.rsplit(|byte| *byte == b' ').next().unwrap_or(&[]);
        let first = path(fields.next())?;
        let (path, kind) = match status.first() {
            Some(b'A') => (first, ChangeKind::Added),
            Some(b'D') => (first, ChangeKind::Deleted),
            Some(b'M') => (first, ChangeKind::Modified),
            Some(b'T') => (first, ChangeKind::TypeChanged),
            Some(b'R') => (path(fields.next())?, ChangeKind::Renamed { from: first }),
            _ => return Err(unreadable("an unknown status")),
        };
        files.push(FileChange { path, kind, lines: None });
    }
    for file in &mut files {
        let counts = fields.next().ok_or_else(|| unreadable("a missing count"))?;
        file.lines = parse_counts(counts)?;
        if matches!(file.kind, ChangeKind::Renamed { .. }) {
            fields.nth(1);
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Reads `added TAB removed TAB path`; a dash means binary.
fn parse_counts(field: &[u8]) -> Result<Option<Lines>, WorkspaceError> {
    let mut parts = field.splitn(3, |byte| *byte == b'\t');
    let mut count = || {
        let text = parts.next().and_then(|part| std::str::from_utf8(part).ok());
        text.ok_or_else(|| unreadable("a count that is no text"))
    };
    let (added, removed) = (count()?, count()?);
    if (added, removed) == ("-", "-") {
        return Ok(None);
    }
    let number = |text: &str| text.parse().map_err(|_| unreadable("a count that is no number"));
    Ok(Some(Lines { added: number(added)?, removed: number(removed)? }))
}

fn path(field: Option<&[u8]>) -> Result<PathBuf, WorkspaceError> {
    field
        .filter(|field| !field.is_empty())
        .map(|field| PathBuf::from(OsStr::from_bytes(field)))
        .ok_or_else(|| unreadable("a record without a path"))
}

fn unreadable(detail: &str) -> WorkspaceError {
    WorkspaceError::Answer { command: "diff-tree".to_owned(), detail: detail.to_owned() }
}
