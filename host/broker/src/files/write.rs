//! Writes a file as a whole, and only over what the writer has seen.
//!
//! All gates take the directory's lock for checking and replacing, so of several
//! that saw the same content one wins. A program that takes no lock (a person's
//! editor) can still write between the check and the replacement.

use std::io::{self, Write};

use cap_std::fs::{Dir, File, OpenOptions, Permissions};
use hostler_engine::problem::ProblemKind;
use hostler_engine::request::FileReply;

use super::fault::Place;
use super::lock::DirectoryLock;
use super::path::{RelativePath, UNFINISHED};
use super::read::open_plain;
use super::tag;
use crate::denial::Refusal;
use crate::limits::LOCK_WITHIN;

/// Replaces the file whose tag is `expect`, or creates it where nothing is
/// expected.
pub(super) fn write(
    dir: &Dir,
    path: &RelativePath,
    place: Place,
    content: &[u8],
    expect: Option<&str>,
    limit: usize,
) -> Result<FileReply, Refusal> {
    let fault = |error: io::Error| place.fault("written", &error);
    if content.len() > limit {
        return Err(place.too_large(limit).into());
    }
    let Some((parent, name)) = path.split() else { return Err(place.not_plain().into()) };
    let parent = dir.open_dir(parent).map_err(fault)?;
    let lock = DirectoryLock::take(&parent, LOCK_WITHIN.duration()).map_err(fault)?;

    let standing = Standing::of(&parent, name).map_err(fault)?;
    let changed = |reason| Refusal::from(place.problem(ProblemKind::Gone, reason));
    let written = match (expect, standing) {
        (_, Standing::Other) => return Err(place.not_plain().into()),
        (None, Standing::Nothing) => create(&parent, name, content),
        (None, Standing::File { .. }) => return Err(changed("exists already: read it first")),
        (Some(_), Standing::Nothing) => return Err(changed("does not exist any more")),
        (Some(expect), Standing::File { tag, permissions }) if tag == expect => {
            replace(&parent, name, content, permissions)
        }
        (Some(_), Standing::File { .. }) => {
            return Err(changed("has changed since it was read: read it again"));
        }
    };
    let outcome = written.and_then(|()| lock.sync());
    match outcome {
        Ok(()) => Ok(FileReply::Written(tag::of_bytes(content))),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            Err(changed("exists already: read it first"))
        }
        Err(error) => Err(fault(error)),
    }
}

/// What is there before a write.
enum Standing {
    Nothing,
    File {
        tag: String,
        permissions: Permissions,
    },
    /// A directory, a link, a pipe or a device: never replaced.
    Other,
}

impl Standing {
    fn of(parent: &Dir, name: &str) -> io::Result<Self> {
        match open_plain(parent, name) {
            Ok(Some(file)) => {
                let permissions = file.metadata()?.permissions();
                Ok(Self::File { tag: tag::of_reader(file)?, permissions })
            }
            Ok(None) => Ok(Self::Other),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::Nothing),
            Err(error) => Err(error),
        }
    }
}

/// Linking, unlike renaming, fails where a file has appeared in the meantime.
fn create(parent: &Dir, name: &str, content: &[u8]) -> io::Result<()> {
    let unfinished = Unfinished::write(parent, content, None)?;
    parent.hard_link(UNFINISHED, parent, name)?;
    drop(unfinished);
    Ok(())
}

fn replace(parent: &Dir, name: &str, content: &[u8], permissions: Permissions) -> io::Result<()> {
    let unfinished = Unfinished::write(parent, content, Some(permissions))?;
    parent.rename(UNFINISHED, parent, name)?;
    unfinished.has_moved();
    Ok(())
}

/// A completely written file that has not taken its place; removed when dropped.
///
/// There is at most one per directory, under the lock, so its name can be fixed
/// and what a crash left behind is found by the next writer.
struct Unfinished<'d> {
    parent: &'d Dir,
    moved: bool,
}

impl<'d> Unfinished<'d> {
    fn write(parent: &'d Dir, content: &[u8], permissions: Option<Permissions>) -> io::Result<Self> {
        let mut file = create_anew(parent)?;
        let unfinished = Self { parent, moved: false };
        if let Some(permissions) = permissions {
            file.set_permissions(permissions)?;
        }
        file.write_all(content)?;
        file.sync_all()?;
        Ok(unfinished)
    }

    fn has_moved(mut self) {
        self.moved = true;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.moved {
            // What stays behind is hidden from plugins and removed by the next write.
            let _ = self.parent.remove_file(UNFINISHED);
        }
    }
}

fn create_anew(parent: &Dir) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    match parent.open_with(UNFINISHED, &options) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            parent.remove_file(UNFINISHED)?;
            parent.open_with(UNFINISHED, &options)
        }
        opened => opened,
    }
}
