//! Lines in the repository's own exclude file, which nobody else sees.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use crate::error::WorkspaceError;
use crate::files::ensure_real_dir;
use crate::order::Place;
use crate::repository::Repository;

/// Keeps the workspaces of a place out of `git status` of the user's checkout.
/// The repository may well track other files in `.hostler`.
pub(crate) fn place_line(place: &Place) -> String {
    match place {
        Place::Hostler => "/.hostler/worktrees/".to_owned(),
        Place::Folder(name) => format!("/{name}/"),
    }
}

impl Repository {
    /// Adds a line to `info/exclude` of the common git directory, once. The
    /// caller holds the repository's lock.
    pub(crate) fn exclude(&self, line: &str) -> Result<(), WorkspaceError> {
        let info = self.common_dir().join("info");
        ensure_real_dir(&info)?;
        add_line(&info.join("exclude"), line)
    }
}

/// A link in place of the file is left alone: it may lead anywhere.
pub(crate) fn add_line(path: &Path, line: &str) -> Result<(), WorkspaceError> {
    let content = match path.symlink_metadata() {
        Ok(data) if !data.is_file() => {
            tracing::warn!(path = %path.display(), "not a regular file; `{line}` will show in git status");
            return Ok(());
        }
        Ok(_) => fs::read(path).map_err(WorkspaceError::io("read", path))?,
        Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(WorkspaceError::io("read", path)(error)),
    };
    if content.split(|byte| *byte == b'\n').any(|known| known == line.as_bytes()) {
        return Ok(());
    }
    let begin = if content.is_empty() || content.ends_with(b"\n") { "" } else { "\n" };
    // Added, not written anew: another host may add its own at the same moment.
    let added = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)
        .and_then(|mut file| file.write_all(format!("{begin}{line}\n").as_bytes()));
    added.map_err(WorkspaceError::io("write", path))
}
