//! The system itself says where a mount begins, also that of a folder of the same disk.

use std::io;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, StatxAttributes, StatxFlags, statx};

/// Whether something is mounted over this folder.
pub(super) fn is_mounted(folder: &Path) -> io::Result<bool> {
    let seen = statx(CWD, folder, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::TYPE)?;
    Ok(seen.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}
