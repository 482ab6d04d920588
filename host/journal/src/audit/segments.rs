//! The files of the log: numbered, so that their order is that of their names.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// What a file of the log ends with.
const EXTENSION: &str = "jsonl";

/// Only this user enters the folder.
const FOLDER_MODE: u32 = 0o700;

/// The files of the log in this folder, oldest first; none if there is no folder.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let found = match fs::read_dir(folder) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut segments = Vec::new();
    for entry in found {
        let path = entry?.path();
        if let Some(number) = number(&path) {
            segments.push((number, path));
        }
    }
    segments.sort();
    Ok(segments.into_iter().map(|(_, path)| path).collect())
}

/// The number of a file of the log.
fn number(path: &Path) -> Option<u64> {
    let ours = path.extension().is_some_and(|extension| extension == EXTENSION);
    path.file_stem().filter(|_| ours)?.to_str()?.parse().ok()
}

/// The file after this one; the first, if there is none yet.
pub(crate) fn next(folder: &Path, last: Option<&Path>) -> PathBuf {
    let number = last.and_then(number).unwrap_or(0) + 1;
    folder.join(format!("{number:06}.{EXTENSION}"))
}

/// Makes the folder, so that only this user can enter it.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    folder.parent().map_or(Ok(()), settle)
}

/// Waits until the names in a folder are on the disk.
pub(crate) fn settle(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_come_in_the_order_of_their_numbers_and_others_are_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path();
        for name in ["000002.jsonl", "1000000.jsonl", "000001.jsonl", "notes.jsonl", "000003.txt", "head"] {
            fs::write(folder.join(name), b"").unwrap();
        }
        let names = ["000001.jsonl", "000002.jsonl", "1000000.jsonl"].map(|name| folder.join(name));
        assert_eq!(list(folder).unwrap(), names);
        assert_eq!(next(folder, Some(&names[1])), folder.join("000003.jsonl"));
        assert_eq!(next(folder, None), folder.join("000001.jsonl"));
        assert_eq!(list(&folder.join("absent")).unwrap(), Vec::<PathBuf>::new());
    }
}
