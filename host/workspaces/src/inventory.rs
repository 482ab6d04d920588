//! Which workspaces the host has a record of, in all repositories.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::WorkspaceError;
use crate::files::is_real_dir;
use crate::order::Workspace;
use crate::receipt::Receipt;

/// A workspace as the host's state knows it.
#[derive(Debug)]
pub struct Known {
    /// The host's own folder for it: record and private git directory.
    pub desk: PathBuf,
    /// What was prepared; an unreadable record is an error here, not an absent one.
    pub workspace: Result<Workspace, WorkspaceError>,
}

/// Every workspace recorded below `state`, the directory given to
/// [`Repository::open`](crate::Repository::open), by path. Blocks.
pub fn known_workspaces(state: &Path) -> Result<Vec<Known>, WorkspaceError> {
    let mut known = Vec::new();
    for repository in folders(state)? {
        for desk in folders(&repository.join("workspaces"))? {
            match Receipt::read(&desk) {
                Ok(None) => {}
                Ok(Some(receipt)) => known.push(Known { desk, workspace: Ok(receipt.workspace) }),
                Err(error) => known.push(Known { desk, workspace: Err(error) }),
            }
        }
    }
    known.sort_by(|a, b| a.desk.cmp(&b.desk));
    Ok(known)
}

/// Forgets a workspace whose folder somebody else removed: deletes the host's record
/// and private git directory, which hold no work. `false`, and nothing is done, unless
/// it is certain that the folder is gone: a place that cannot be looked at, such as a
/// drive that is not mounted, proves nothing.
pub fn forget_removed(known: &Known) -> Result<bool, WorkspaceError> {
    let Ok(workspace) = &known.workspace else { return Ok(false) };
    if !is_removed(workspace) {
        return Ok(false);
    }
    fs::remove_dir_all(&known.desk).map_err(WorkspaceError::io("delete", &known.desk))?;
    Ok(true)
}

/// Whether the folder of a workspace is certainly gone: the repository is there and
/// readable, and the folder and git's record of it are not.
pub fn is_removed(workspace: &Workspace) -> bool {
    let absent =
        |path: &Path| path.symlink_metadata().is_err_and(|error| error.kind() == ErrorKind::NotFound);
    is_real_dir(&workspace.common_dir.join("objects"))
        && absent(&workspace.path)
        && absent(&workspace.git_dir)
}

fn folders(path: &Path) -> Result<Vec<PathBuf>, WorkspaceError> {
    let entries = match fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(WorkspaceError::io("list", path))?,
    };
    let mut folders = Vec::new();
    for entry in entries {
        let path = entry.map_err(WorkspaceError::io("list", path))?.path();
        if is_real_dir(&path) {
            folders.push(path);
        }
    }
    Ok(folders)
}
