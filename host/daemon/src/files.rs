//! Writing a file so that it is there whole or not at all.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Replaces a file atomically, and waits until it is on the disk; only its owner can
/// read it. For what must never be lost.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    write(path, content, File::sync_all)
}

/// Replaces a file atomically; only its owner can read it. For what a run can do
/// without after a power cut: waiting for the disk would hold up its start.
pub fn note(path: &Path, content: &[u8]) -> io::Result<()> {
    write(path, content, |_| Ok(()))
}

fn write(path: &Path, content: &[u8], settle: fn(&File) -> io::Result<()>) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        crate::home::make_private(folder)?;
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let staged = path.with_file_name(name);
    let written = write_new(&staged, content)
        .and_then(|file| settle(&file))
        .and_then(|()| std::fs::rename(&staged, path));
    if written.is_err() {
        // The failure that matters is the first one; a leftover is overwritten next time.
        let _ = std::fs::remove_file(&staged);
    }
    written
}

fn write_new(path: &Path, content: &[u8]) -> io::Result<File> {
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(content)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_is_replaced_whole_and_private_and_nothing_is_left_beside_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.toml");
        replace(&path, b"one").unwrap();
        note(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
