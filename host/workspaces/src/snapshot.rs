//! What a workspace holds now, as a git tree made by the host alone.
//!
//! The agent's index, `.git` file, worktree record and configuration are not
//! looked at. Nested repositories and submodules are not entered: git would
//! start a second git inside them, with their configuration.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::WorkspaceError;
use crate::files;
use crate::git::{Git, Scope};
use crate::object_id::ObjectId;
use crate::order::Workspace;
use crate::private_gitdir::{PrivateGitDir, Store};
use crate::process::Call;

/// Largest file that is read into a diff or kept, in bytes. Code is never that
/// large; core dumps and disk images are.
pub const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Something in the workspace that no diff or commit of ours holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Omitted {
    /// Relative to the workspace.
    pub path: PathBuf,
    /// Why it is left out.
    pub reason: Omission,
}

/// Why something is not part of a diff.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Omission {
    /// A FIFO, socket or device.
    SpecialFile,
    /// Larger than [`MAX_FILE_BYTES`].
    TooLarge,
    /// A git repository of its own, or files in a submodule's directory.
    NestedRepository,
    /// The host may not read it; `.` stands for some directory that it may not
    /// read.
    Unreadable,
    /// Git cannot store this name (it contains `.git`).
    UnstorableName,
}

/// The workspace at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) tree: ObjectId,
    pub(crate) omitted: Vec<Omitted>,
}

/// Reads one workspace.
pub(crate) struct Scan<'a> {
    pub(crate) git: &'a Git,
    pub(crate) workspace: &'a Workspace,
    pub(crate) private: &'a PrivateGitDir,
}

impl Scan<'_> {
    /// Records every tracked and every untracked, not ignored file. `tip` is
    /// the commit on the branch: what it tracks counts as tracked.
    pub(crate) fn snapshot(&self, tip: Option<ObjectId>, store: Store) -> Result<Snapshot, WorkspaceError> {
        let index = self.private.scratch_index()?;
        files::copy_index(&self.private.base_index(), &index)?;
        let scope = self.private.scope(&index, store);
        if let Some(tip) = tip.filter(|tip| *tip != self.workspace.order.start) {
            // Entries that do not differ keep their file times.
            let arguments = ["read-tree", "-i", "-m", &tip.to_string()];
            self.run(&scope, &arguments, &[])?;
            files::keep_index_time(&self.private.base_index(), &index)?;
        }
        let mut sorted = Sorted::default();
        self.sort_tracked(&scope, &mut sorted)?;
        self.sort_untracked(&scope, &mut sorted)?;
        self.find_filled_submodules(&scope, &mut sorted)?;
        self.update(&scope, &sorted)?;
        let tree = self.run(&scope, &["write-tree"], &[])?;
        Ok(Snapshot { tree: parse_id("write-tree", &tree)?, omitted: sorted.omitted.into_iter().collect() })
    }

    fn run(&self, scope: &Scope, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, WorkspaceError> {
        let call = Call { input, ..Call::default() };
        self.git.run(scope, arguments, &call)
    }

    fn sort_tracked(&self, scope: &Scope, sorted: &mut Sorted) -> Result<(), WorkspaceError> {
        let arguments = ["diff-files", "--raw", "-z", "--ignore-submodules=all", "--no-ext-diff"];
        let output = self.run(scope, &arguments, &[])?;
        let mut fields = fields(&output);
        while let Some(status) = fields.next() {
            let path = fields.next().ok_or_else(|| WorkspaceError::Answer {
                command: "diff-files".to_owned(),
                detail: "a status without a path".to_owned(),
            })?;
            if status.ends_with(b"D") {
                sorted.gone.insert(path.to_vec());
            } else {
                sorted.file(&self.workspace.path, path, true);
            }
        }
        Ok(())
    }

    fn sort_untracked(&self, scope: &Scope, sorted: &mut Sorted) -> Result<(), WorkspaceError> {
        let arguments = ["ls-files", "-z", "--others", "--exclude-standard"];
        let (output, warnings) = self.git.run_with_warnings(scope, &arguments, &Call::default())?;
        if !warnings.is_empty() {
            // Git passes over a directory it may not read.
            tracing::warn!(%warnings, "some of the workspace could not be read");
            sorted.omit(b".", Omission::Unreadable);
        }
        for path in fields(&output) {
            sorted.file(&self.workspace.path, path, false);
        }
        Ok(())
    }

    /// A submodule is not checked out by us; if its directory has content, an
    /// agent put it there.
    fn find_filled_submodules(&self, scope: &Scope, sorted: &mut Sorted) -> Result<(), WorkspaceError> {
        let output = self.run(scope, &["ls-files", "-z", "--stage"], &[])?;
        for entry in fields(&output).filter(|entry| entry.starts_with(b"160000 ")) {
            let Some(tab) = entry.iter().position(|byte| *byte == b'\t') else {
                continue;
            };
            let path = &entry[tab + 1..];
            let folder = self.workspace.path.join(OsStr::from_bytes(path));
            let is_empty_folder = || {
                files::is_real_dir(&folder)
                    && std::fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_none())
            };
            if files::occupied(&folder) && !is_empty_folder() {
                sorted.omit(path, Omission::NestedRepository);
            }
        }
        Ok(())
    }

    fn update(&self, scope: &Scope, sorted: &Sorted) -> Result<(), WorkspaceError> {
        if !sorted.gone.is_empty() {
            let mut input = Vec::new();
            for path in &sorted.gone {
                input.extend_from_slice(b"0 0000000000000000000000000000000000000000\t");
                input.extend_from_slice(path);
                input.push(0);
            }
            self.run(scope, &["update-index", "-z", "--index-info"], &input)?;
            files::keep_index_time(&self.private.base_index(), &scope.index)?;
        }
        if !sorted.present.is_empty() {
            let mut input = Vec::new();
            for path in &sorted.present {
                input.extend_from_slice(path);
                input.push(0);
            }
            let arguments = ["update-index", "--add", "--remove", "--replace", "-z", "--stdin"];
            self.run(scope, &arguments, &input)?;
        }
        Ok(())
    }
}

/// Paths by what has to happen to them in the index.
#[derive(Debug, Default)]
struct Sorted {
    present: BTreeSet<Vec<u8>>,
    gone: BTreeSet<Vec<u8>>,
    omitted: BTreeSet<Omitted>,
}

impl Sorted {
    /// Looks at the file itself, never through a link, and decides.
    fn file(&mut self, root: &Path, path: &[u8], tracked: bool) {
        let decision = if path.ends_with(b"/") {
            Err(Omission::NestedRepository)
        } else if has_git_component(path) {
            Err(Omission::UnstorableName)
        } else {
            judge(&root.join(OsStr::from_bytes(path)))
        };
        match decision {
            Ok(true) => {
                self.present.insert(path.to_vec());
            }
            Ok(false) if tracked => {
                self.gone.insert(path.to_vec());
            }
            Ok(false) => {}
            Err(reason) => {
                self.omit(path, reason);
                // A file that is not read is still there; what it was before
                // stays in the tree. Anything else has replaced the file.
                let unread = matches!(reason, Omission::TooLarge | Omission::Unreadable);
                if tracked && !unread {
                    self.gone.insert(path.to_vec());
                }
            }
        }
    }

    fn omit(&mut self, path: &[u8], reason: Omission) {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        self.omitted.insert(Omitted { path: PathBuf::from(OsStr::from_bytes(path)), reason });
    }
}

/// `Ok(true)` for something git can store, `Ok(false)` if nothing is there.
fn judge(path: &Path) -> Result<bool, Omission> {
    let Ok(data) = path.symlink_metadata() else {
        return Ok(false);
    };
    let kind = data.file_type();
    if kind.is_symlink() {
        Ok(true)
    } else if kind.is_file() {
        if data.len() > MAX_FILE_BYTES {
            Err(Omission::TooLarge)
        } else if File::open(path).is_err() {
            Err(Omission::Unreadable)
        } else {
            Ok(true)
        }
    } else if kind.is_dir() {
        Err(Omission::NestedRepository)
    } else {
        Err(Omission::SpecialFile)
    }
}

fn has_git_component(path: &[u8]) -> bool {
    path.split(|byte| *byte == b'/').any(|component| component.eq_ignore_ascii_case(b".git"))
}

/// The parts of an answer in which each part ends with a NUL.
pub(crate) fn fields(output: &[u8]) -> impl Iterator<Item = &[u8]> {
    output.split(|byte| *byte == 0).filter(|field| !field.is_empty())
}

/// The object id that is all of an answer.
pub(crate) fn parse_id(command: &str, output: &[u8]) -> Result<ObjectId, WorkspaceError> {
    let text = String::from_utf8_lossy(output);
    text.trim()
        .parse()
        .map_err(|error| WorkspaceError::Answer { command: command.to_owned(), detail: format!("{error}") })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_file_at_the_limit_is_read_and_one_byte_more_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        let file = File::create(&path).unwrap();
        file.set_len(MAX_FILE_BYTES).unwrap();
        assert_eq!(judge(&path), Ok(true));
        file.set_len(MAX_FILE_BYTES + 1).unwrap();
        assert_eq!(judge(&path), Err(Omission::TooLarge));
    }

    #[test]
    fn names_git_refuses_are_recognised_in_any_case() {
        assert!(has_git_component(b"a/.GIT/b"));
        assert!(has_git_component(b".git"));
        assert!(!has_git_component(b".gitignore"));
        assert!(!has_git_component(b"a.git/b"));
    }
}
