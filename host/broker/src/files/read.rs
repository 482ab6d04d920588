//! Lists directories and reads files.

use std::io::{self, Read};

use cap_std::fs::{Dir, DirEntry, File, OpenOptions, OpenOptionsExt};
use hostler_engine::problem::ProblemKind;
use hostler_engine::request::{FileEntry, FileKind, FileReply};
use rustix::fs::OFlags;

use super::fault::Place;
use super::path::{RelativePath, UNFINISHED};
use super::tag;
use crate::denial::Refusal;

/// The entries of a directory, sorted by name.
pub(super) fn list(dir: &Dir, path: &RelativePath, place: Place, limit: usize) -> Result<FileReply, Refusal> {
    let fault = |error: io::Error| place.fault("listed", &error);
    let mut entries = Vec::new();
    for entry in dir.open_dir(path.as_str()).and_then(|dir| dir.entries()).map_err(fault)? {
        let Some(entry) = describe(&entry.map_err(fault)?).map_err(fault)? else { continue };
        if entries.len() == limit {
            let reason = format!("has more than the {limit} entries allowed: move some to another folder");
            return Err(place.problem(ProblemKind::Permanent, &reason).into());
        }
        entries.push(entry);
    }
    entries.sort_by(|a: &FileEntry, b| a.name.cmp(&b.name));
    Ok(FileReply::Entries(entries))
}

/// `None` for what a plugin could not name anyway, for what is still being
/// written, and for what has vanished since its name was read.
fn describe(entry: &DirEntry) -> io::Result<Option<FileEntry>> {
    let Ok(name) = entry.file_name().into_string() else { return Ok(None) };
    if name == UNFINISHED {
        return Ok(None);
    }
    let metadata = match entry.metadata() {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let (kind, size) = if metadata.is_file() {
        (FileKind::File, metadata.len())
    } else if metadata.is_dir() {
        (FileKind::Directory, 0)
    } else {
        (FileKind::Other, 0)
    };
    Ok(Some(FileEntry { name, kind, size }))
}

/// The whole of a plain file.
pub(super) fn read(dir: &Dir, path: &RelativePath, place: Place, limit: usize) -> Result<FileReply, Refusal> {
    let fault = |error: io::Error| place.fault("read", &error);
    let Some(file) = open_plain(dir, path.as_str()).map_err(fault)? else {
        return Err(place.not_plain().into());
    };
    let content = read_up_to(&file, limit).map_err(fault)?.ok_or_else(|| place.too_large(limit))?;
    let tag = tag::of_bytes(&content);
    Ok(FileReply::Content { content, tag })
}

/// Opens a plain file without ever waiting; `None` for anything else.
///
/// Looked at before, because opening a pipe or a device can have effects, and
/// after, because it may have been exchanged in between.
pub(super) fn open_plain(dir: &Dir, path: &str) -> io::Result<Option<File>> {
    if !dir.symlink_metadata(path)?.is_file() {
        return Ok(None);
    }
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(OFlags::NONBLOCK.bits().cast_signed());
    let file = dir.open_with(path, &options)?;
    Ok(file.metadata()?.is_file().then_some(file))
}

/// `None` if there is more. Trusts what is read, not what the file's size says:
/// it may be growing.
fn read_up_to(file: &File, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let mut content = Vec::new();
    let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(one_more).read_to_end(&mut content)?;
    Ok((content.len() <= limit).then_some(content))
}
