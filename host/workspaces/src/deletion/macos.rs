//! A mount has another device than the folder it is in.

use std::fs::symlink_metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Whether something is mounted over this folder.
pub(super) fn is_mounted(folder: &Path) -> io::Result<bool> {
    let above = folder.parent().unwrap_or(folder);
    Ok(symlink_metadata(folder)?.dev() != symlink_metadata(above)?.dev())
}
