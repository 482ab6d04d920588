//! The git directory that host git commands use instead of the repository's.
//!
//! It holds a configuration written here, no hooks, no refs and no attributes.
//! Objects of the repository are visible through `objects/info/alternates`;
//! objects are named by their content, so reading them believes nobody.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::error::WorkspaceError;
use crate::files;
use crate::git::Scope;
use crate::object_id::ObjectId;
use crate::order::Workspace;

/// Copied exclude patterns are cut here; real files have a few lines.
pub(crate) const MAX_EXCLUDE_BYTES: u64 = 64 * 1024;

/// Checking out pays for more than one process only on idle cores; four gave
/// most of the gain measured.
const CHECKOUT_WORKERS: u32 = 4;

/// The private git directory of one workspace.
#[derive(Debug)]
pub(crate) struct PrivateGitDir {
    path: PathBuf,
    work_tree: PathBuf,
    repository_objects: PathBuf,
    base: ObjectId,
}

/// Where new objects go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// The private directory: gone with the workspace.
    Private,
    /// The repository itself: for work that must outlive the workspace.
    Repository,
}

impl PrivateGitDir {
    /// The one of `workspace`; `desk` is the workspace's directory in the
    /// host's state.
    pub(crate) fn of(workspace: &Workspace, desk: &Path) -> Self {
        Self {
            path: desk.join("git"),
            work_tree: workspace.path.clone(),
            repository_objects: workspace.common_dir.join("objects"),
            base: workspace.order.start,
        }
    }

    /// Writes the directory afresh. Done before an agent has been in the
    /// workspace, so the user's exclude patterns are copied while they are
    /// still the user's.
    pub(crate) fn create(&self, common_dir: &Path) -> Result<(), WorkspaceError> {
        for folder in ["objects/info", "objects/pack", "refs/heads", "info"] {
            let path = self.path.join(folder);
            fs::create_dir_all(&path).map_err(WorkspaceError::io("create the directory", path))?;
        }
        let mut alternates = self.repository_objects.as_os_str().as_encoded_bytes().to_vec();
        alternates.push(b'\n');
        files::replace(&self.path.join("objects/info/alternates"), &alternates)?;
        files::replace(&self.path.join("HEAD"), b"ref: refs/heads/none\n")?;
        files::replace(&self.path.join("config"), configuration().as_bytes())?;
        files::replace(
            &self.exclude_file(),
            &read_regular(&common_dir.join("info/exclude"), MAX_EXCLUDE_BYTES)?,
        )?;
        self.copy_shallow(common_dir)
    }

    fn copy_shallow(&self, common_dir: &Path) -> Result<(), WorkspaceError> {
        match shallow_list(common_dir)? {
            Some(list) => files::replace(&self.path.join("shallow"), list.as_bytes()),
            None => Ok(()),
        }
    }

    /// What a git command gets to see, with `index` as its index.
    pub(crate) fn scope(&self, index: &Path, store: Store) -> Scope {
        Scope {
            git_dir: self.path.clone(),
            work_tree: self.work_tree.clone(),
            index: index.to_owned(),
            objects: match store {
                Store::Private => None,
                Store::Repository => Some(self.repository_objects.clone()),
            },
            attributes: self.base,
            max_allocation: None,
        }
    }

    /// Index of the base as it was checked out, with the times of its files.
    pub(crate) fn base_index(&self) -> PathBuf {
        self.path.join("index.base")
    }

    /// Patterns of files that are no changes.
    pub(crate) fn exclude_file(&self) -> PathBuf {
        self.path.join("info/exclude")
    }

    /// Index of the last snapshot.
    pub(crate) fn snapshot_index(&self) -> PathBuf {
        self.path.join("index.scratch")
    }

    /// A free place for an index of short life.
    pub(crate) fn scratch_index(&self) -> Result<PathBuf, WorkspaceError> {
        let path = self.snapshot_index();
        for left in [path.clone(), self.path.join("index.scratch.lock")] {
            match fs::remove_file(&left) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    return Err(WorkspaceError::io("remove", left)(error));
                }
                _ => {}
            }
        }
        Ok(path)
    }
}

/// The whole configuration of host git commands.
fn configuration() -> String {
    let mac = cfg!(target_os = "macos");
    // The NTFS and HFS checks would drop odd file names from a diff unnoticed;
    // the commit graph is a cache an agent can write, and ancestry is proof.
    format!(
        "[core]\n\
         \trepositoryformatversion = 0\n\
         \tbare = false\n\
         \tfilemode = true\n\
         \tsymlinks = true\n\
         \tignorecase = {mac}\n\
         \tprecomposeunicode = {mac}\n\
         \tlogallrefupdates = false\n\
         \tautocrlf = false\n\
         \tsafecrlf = false\n\
         \tfsmonitor = false\n\
         \tuntrackedcache = false\n\
         \tsplitindex = false\n\
         \tcommitgraph = false\n\
         \tprotectntfs = false\n\
         \tprotecthfs = false\n\
         \thookspath = /dev/null\n\
         \tattributesfile = /dev/null\n\
         \texcludesfile = /dev/null\n\
         \tpager = cat\n\
         \teditor = false\n\
         \tsshcommand = false\n\
         [checkout]\n\tworkers = {CHECKOUT_WORKERS}\n\
         [submodule]\n\trecurse = false\n\
         [diff]\n\tignoresubmodules = all\n\tsubmodule = short\n\
         [status]\n\tsubmodulesummary = false\n\
         [gc]\n\tauto = 0\n\
         [maintenance]\n\tauto = false\n\
         [commit]\n\tgpgsign = false\n\
         [protocol]\n\tallow = never\n\
         [credential]\n\thelper =\n"
    )
}

/// The commits whose parents a shallow clone lacks; without the list, walking
/// its history would fail. `None` for a full clone.
pub(crate) fn shallow_list(common_dir: &Path) -> Result<Option<String>, WorkspaceError> {
    let text = read_regular(&common_dir.join("shallow"), u64::MAX)?;
    let ids = String::from_utf8_lossy(&text);
    let ids = ids.lines().filter_map(|line| line.parse::<ObjectId>().ok());
    let list = ids.map(|id| format!("{id}\n")).collect::<Vec<_>>().concat();
    Ok(Some(list).filter(|_| !text.is_empty()))
}

/// The content of a regular file, empty if there is none; anything else at the
/// path (link, FIFO) counts as none.
pub(crate) fn read_regular(path: &Path, limit: u64) -> Result<Vec<u8>, WorkspaceError> {
    if !path.symlink_metadata().is_ok_and(|data| data.is_file()) {
        return Ok(Vec::new());
    }
    let mut content = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(limit).read_to_end(&mut content))
        .map_err(WorkspaceError::io("read", path))?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn links_and_missing_files_count_as_empty() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "abc").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        assert_eq!(read_regular(&file, 3).unwrap(), b"abc");
        assert_eq!(read_regular(&file, 2).unwrap(), b"ab");
        assert_eq!(read_regular(&link, 3).unwrap(), b"");
        assert_eq!(read_regular(&folder.path().join("none"), 3).unwrap(), b"");
    }
}
