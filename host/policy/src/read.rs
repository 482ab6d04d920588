//! The only file of this room that touches the disk: reads the policies there are, and
//! tells whether they changed.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use sha2::{Digest, Sha256};

use crate::error::PolicyError;
use crate::facts::{FileFacts, FileKind, Trust};
use crate::policies::{Member, Policies};
use crate::policy::Policy;

/// Where an organisation puts its policy.
pub const SYSTEM_POLICY: &str = "/etc/hostler/policy.toml";

/// Bytes of a policy: thousands of lines are far less, and one that grows without end
/// must not fill the memory.
pub const POLICY_BYTES: u64 = 1024 * 1024;

/// Where policies stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The organisation's; need not be there.
    pub system: PathBuf,
    /// A further one that somebody named.
    pub further: Option<PathBuf>,
}

impl Places {
    /// The usual place, and a further one.
    pub fn with(further: Option<PathBuf>) -> Self {
        Self { system: PathBuf::from(SYSTEM_POLICY), further }
    }

    /// Reads what is there. Blocks.
    pub fn read(&self) -> Policies {
        let mut members: Vec<Member> = read(&self.system, Trust::Root).into_iter().collect();
        if let Some(path) = &self.further {
            let trust = Trust::RootOr(rustix::process::geteuid().as_raw());
            members.push(read(path, trust).unwrap_or_else(|| missing(path)));
        }
        Policies::new(members)
    }

    /// What tells the files from those that stood there before. Blocks, shortly.
    pub fn stamp(&self) -> Stamp {
        let of = |path: &Path| {
            std::fs::symlink_metadata(path).map_or(FileStamp::Missing, |facts| FileStamp::of(&facts))
        };
        Stamp { system: of(&self.system), further: self.further.as_deref().map(of) }
    }
}

/// Tells policies from those that stood there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    system: FileStamp,
    further: Option<FileStamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FileStamp {
    Missing,
    There { device: u64, inode: u64, size: u64, changed: (i64, i64) },
}

impl FileStamp {
    /// The time of the last change counts also for owner and mode.
    fn of(facts: &Metadata) -> Self {
        let changed = (facts.ctime(), facts.ctime_nsec());
        Self::There { device: facts.dev(), inode: facts.ino(), size: facts.size(), changed }
    }
}

/// The policy at a place, if anything is there.
fn read(path: &Path, trust: Trust) -> Option<Member> {
    let (digest, policy) = match read_text(path, trust) {
        Ok(None) => return None,
        Ok(Some(text)) => (Some(digest(&text)), Policy::parse(path, &text)),
        Err(error) => (None, Err(error)),
    };
    Some(Member { path: path.to_owned(), digest, policy })
}

/// Whoever names a policy means to have one.
fn missing(path: &Path) -> Member {
    let error = PolicyError::Missing { path: path.to_owned() };
    Member { path: path.to_owned(), digest: None, policy: Err(error) }
}

fn digest(text: &str) -> String {
    let digits = |byte: &u8| [byte >> 4, byte & 0xf].map(|digit| char::from_digit(digit.into(), 16));
    Sha256::digest(text.as_bytes()).iter().flat_map(digits).flatten().collect()
}

fn read_text(path: &Path, trust: Trust) -> Result<Option<String>, PolicyError> {
    let unreadable = |problem: String| PolicyError::Unreadable { path: path.to_owned(), problem };
    let file = match open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error()) => {
            return Err(PolicyError::NotAFile { path: path.to_owned() });
        }
        Err(error) => return Err(unreadable(error.to_string())),
    };
    // Of the open file: between two looks at a path it could be exchanged.
    let facts = file.metadata().map_err(|error| unreadable(error.to_string()))?;
    facts_of(&facts).check_file(path, trust)?;
    check_folders(path, trust)?;
    let mut text = String::new();
    // A file that grows while it is read is noticed by the byte too many.
    let read = file.take(POLICY_BYTES + 1).read_to_string(&mut text);
    read.map_err(|error| unreadable(error.to_string()))?;
    if text.len() as u64 > POLICY_BYTES {
        return Err(PolicyError::TooLong { path: path.to_owned(), most: POLICY_BYTES });
    }
    Ok(Some(text))
}

/// A link at the end is not followed, and a pipe does not keep us waiting.
fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
}

/// Every folder on the way, as it is written and as it is with links followed: whoever
/// may write to one of them could put another file there.
fn check_folders(path: &Path, trust: Trust) -> Result<(), PolicyError> {
    let unreadable =
        |error: io::Error| PolicyError::Unreadable { path: path.to_owned(), problem: error.to_string() };
    let written = std::path::absolute(path).map_err(unreadable)?;
    let real = std::fs::canonicalize(path).map_err(unreadable)?;
    for folder in written.ancestors().skip(1).chain(real.ancestors().skip(1)) {
        let facts = std::fs::metadata(folder).map_err(unreadable)?;
        facts_of(&facts).check_folder(folder, trust)?;
    }
    Ok(())
}

fn facts_of(facts: &Metadata) -> FileFacts {
    let kind = if facts.is_file() {
        FileKind::Plain
    } else if facts.is_dir() {
        FileKind::Folder
    } else {
        FileKind::Other
    };
    FileFacts { owner: facts.uid(), mode: facts.mode() & 0o7777, kind }
}
