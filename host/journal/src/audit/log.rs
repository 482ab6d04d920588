//! The log as files: append, settle, read, verify.
//!
//! Nothing is kept in memory between two entries: any number of processes may write,
//! one at a time under a lock, and each looks at what the last one left.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::chain::{self, Fault, Verified, Walk};
use super::damage::{Damage, Place};
use super::entry::{Event, MAX_LINE_BYTES, seal};
use super::error::{AuditError, VerifyError};
use super::hash::Head;
use super::resume::{self, Tail};
use super::segments;

/// The size from which on a file is followed by the next one, in bytes: thousands of
/// runs, and still read and checked in a moment.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// Bytes of the end of a file that are looked at first: more than most lines have.
const GLANCE_BYTES: u64 = 16 * 1024;

/// How long another process may take for its entry. Long enough for a slow disk.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often a lock that another process holds is tried again.
const LOOK: Duration = Duration::from_millis(5);

/// Only this user reads or writes the log.
const FILE_MODE: u32 = 0o600;

/// When an entry must be on the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settle {
    /// Before the call returns: what it is about cannot be undone.
    Now,
    /// With the next one that settles, or [`AuditLog::settle`]. A crash of the machine,
    /// not of the program, may lose it.
    Soon,
}

/// An audit log. Its functions block.
#[derive(Clone, Debug)]
pub struct AuditLog {
    folder: PathBuf,
    version: String,
    segment_bytes: u64,
}

/// Where the log ends.
struct End {
    path: PathBuf,
    file: File,
    bytes: u64,
    after: Option<Head>,
    remarks: Vec<Event>,
}

/// The log at one moment.
struct Standing {
    /// Files with their sizes, oldest first.
    segments: Vec<(PathBuf, u64)>,
    noted: Option<Head>,
}

impl AuditLog {
    /// The log in this folder, which is made with the first entry. `version` is that of
    /// the program, for each entry.
    pub fn new(folder: PathBuf, version: &str) -> Self {
        Self { folder, version: version.to_owned(), segment_bytes: SEGMENT_BYTES }
    }

    /// Where it lies.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes an entry; `at` is in milliseconds since 1970 (UTC). What a crash or
    /// somebody else did to the end of the log is written down before it.
    pub fn append(&self, at: i64, event: &Event, settle: Settle) -> Result<Head, AuditError> {
        segments::make_folder(&self.folder).map_err(AuditError::at(&self.folder))?;
        let _lock = self.lock()?;
        let mut end = self.end()?;
        let remarks = std::mem::take(&mut end.remarks);
        for remark in &remarks {
            self.write(&mut end, at, remark)?;
        }
        let head = self.write(&mut end, at, event)?;
        if settle == Settle::Now || !remarks.is_empty() {
            self.settle_at(&end.file, &end.path, head)?;
        }
        Ok(head)
    }

    /// Waits until everything is on the disk; gives the last entry.
    pub fn settle(&self) -> Result<Option<Head>, AuditError> {
        let Some(path) = self.segments()?.pop() else { return Ok(None) };
        let _lock = self.lock()?;
        let file = File::open(&path).map_err(AuditError::at(&path))?;
        let last = self.last()?;
        // What was cut off is for the next entry to say; until then the head stays.
        let noted = self.noted();
        if let Some(last) = last.filter(|last| noted.is_none_or(|noted| noted.n < last.n)) {
            self.settle_at(&file, &path, last)?;
        }
        Ok(last)
    }

    /// The last entry, as far as it can be read.
    pub fn last(&self) -> Result<Option<Head>, AuditError> {
        for path in self.segments()?.iter().rev() {
            let mut file = File::open(path).map_err(AuditError::at(path))?;
            let tail = tail(&mut file).map_err(AuditError::at(path))?;
            if tail.last.is_some() {
                return Ok(tail.last);
            }
        }
        Ok(None)
    }

    /// Makes sure that a head which this log once had is still part of it; if it is not,
    /// an entry says so, and it is `false`.
    pub fn confirm(&self, at: i64, head: Head) -> Result<bool, AuditError> {
        let problem = match self.last()? {
            Some(last) if last.n > head.n => self.differs(head)?,
            last => resume::gone(last, head),
        };
        let Some(problem) = problem else { return Ok(true) };
        self.append(at, &Event::Broken { problem }, Settle::Now)?;
        Ok(false)
    }

    /// What became of an entry before the last one, if it is another now.
    fn differs(&self, head: Head) -> Result<Option<String>, AuditError> {
        for path in self.segments()?.iter().rev() {
            let content = fs::read(path).map_err(AuditError::at(path))?;
            let links = content.split(|byte| *byte == b'\n').filter_map(|line| chain::read(line).ok());
            let mut first = None;
            for link in links {
                if link.head.n == head.n {
                    let same = link.head.hash == head.hash;
                    return Ok((!same).then(|| format!("entry {} was {head} and has become another", head.n)));
                }
                first.get_or_insert(link.head.n);
            }
            if first.is_some_and(|first| first < head.n) {
                return Ok(Some(format!("entry {head} is not there any more")));
            }
        }
        // It was collected.
        Ok(None)
    }

    /// Reads the whole log and proves that it hangs together, and that each of these
    /// heads was and is part of it. Who wrote one down, `by_hand`, has accepted what the
    /// log said about itself until then.
    pub fn verify(&self, known: &[Head], by_hand: Option<Head>) -> Result<Verified, VerifyError> {
        let Standing { segments, noted } = self.standing()?;
        let known: Vec<Head> = known.iter().copied().chain(noted).chain(by_hand).collect();
        let mut walk = Walk::new(&known, by_hand.map_or(0, |head| head.n));
        let (mut place, mut noted) = (Place { file: self.folder.clone(), line: 0 }, None);
        for (path, bytes) in segments {
            place = Place { file: path, line: 0 };
            let content = read_up_to(&place.file, bytes).map_err(AuditError::at(&place.file))?;
            for line in content.split_inclusive(|byte| *byte == b'\n') {
                place.line += 1;
                let taken = match line.strip_suffix(b"\n") {
                    Some(line) => walk.line(line),
                    None => Err(walk.torn()),
                };
                if let Err(fault) = taken {
                    return Err(Damage { fault, place }.into());
                }
                if noted.is_none() && walk.has_noted() {
                    noted = Some(place.clone());
                }
            }
        }
        walk.end().map_err(|fault| {
            let noted = noted.filter(|_| matches!(fault, Fault::Noted { .. }));
            Damage { fault, place: noted.unwrap_or(place) }.into()
        })
    }

    /// Gives every line, oldest first, without its line feed and unverified.
    pub fn read(&self, mut each: impl FnMut(&str)) -> Result<(), AuditError> {
        for (path, bytes) in self.standing()?.segments {
            let content = read_up_to(&path, bytes).map_err(AuditError::at(&path))?;
            String::from_utf8_lossy(&content).lines().for_each(&mut each);
        }
        Ok(())
    }

    /// The log as it is at one moment.
    fn standing(&self) -> Result<Standing, AuditError> {
        let _lock = if self.lock_file().exists() { Some(self.lock()?) } else { None };
        let mut segments = Vec::new();
        for path in self.segments()? {
            let bytes = fs::metadata(&path).map_err(AuditError::at(&path))?.len();
            segments.push((path, bytes));
        }
        Ok(Standing { segments, noted: self.noted() })
    }

    pub(crate) fn segments(&self) -> Result<Vec<PathBuf>, AuditError> {
        segments::list(&self.folder).map_err(AuditError::at(&self.folder))
    }

    fn end(&self) -> Result<End, AuditError> {
        let last = self.segments()?.pop();
        let path = last.unwrap_or_else(|| segments::next(&self.folder, None));
        let mut file = self.open(&path)?;
        let tail = tail(&mut file).map_err(AuditError::at(&path))?;
        let after = if tail.last.is_some() { tail.last } else { self.last()? };
        let remarks = resume::remarks(after, &tail, self.noted());
        let mut bytes = file.metadata().map_err(AuditError::at(&path))?.len();
        if let Some((torn, _)) = tail.torn {
            bytes -= torn as u64;
            file.set_len(bytes).map_err(AuditError::at(&path))?;
        }
        Ok(End { path, file, bytes, after, remarks })
    }

    /// Opens a file of the log, and makes it durably if it is not there.
    fn open(&self, path: &Path) -> Result<File, AuditError> {
        let mut options = OpenOptions::new();
        options.read(true).append(true);
        match options.open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = options.create_new(true).mode(FILE_MODE).open(path);
                let file = made.map_err(AuditError::at(path))?;
                segments::settle(&self.folder).map_err(AuditError::at(&self.folder))?;
                Ok(file)
            }
            opened => opened.map_err(AuditError::at(path)),
        }
    }

    /// One line, whole or not at all.
    fn write(&self, end: &mut End, at: i64, event: &Event) -> Result<Head, AuditError> {
        let sealed = seal(end.after, at, &self.version, event);
        let (mut line, head) =
            sealed.map_err(|error| AuditError::at(&end.path)(io::Error::other(error.to_string())))?;
        line.push('\n');
        if line.len() > MAX_LINE_BYTES {
            return Err(AuditError::TooLarge { bytes: line.len(), limit: MAX_LINE_BYTES });
        }
        let more = line.len() as u64;
        if end.bytes > 0 && end.bytes + more > self.segment_bytes {
            end.file.sync_data().map_err(AuditError::at(&end.path))?;
            end.path = segments::next(&self.folder, Some(&end.path));
            end.file = self.open(&end.path)?;
            end.bytes = 0;
        }
        if let Err(error) = end.file.write_all(line.as_bytes()) {
            // If this fails, too, the next entry finds half a line and heals it.
            let _ = end.file.set_len(end.bytes);
            return Err(AuditError::at(&end.path)(error));
        }
        end.bytes += more;
        end.after = Some(head);
        Ok(head)
    }

    /// The head never says more than what is on the disk: a power cut is no tampering.
    fn settle_at(&self, file: &File, path: &Path, head: Head) -> Result<(), AuditError> {
        file.sync_data().map_err(AuditError::at(path))?;
        let (place, staged) = (self.folder.join("head"), self.folder.join("head.new"));
        let written = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(FILE_MODE)
            .open(&staged)
            .and_then(|mut file| file.write_all(format!("{head}\n").as_bytes()))
            .and_then(|()| fs::rename(&staged, &place));
        written.map_err(AuditError::at(&place))
    }

    /// The head beside the log; one that cannot be read says nothing.
    fn noted(&self) -> Option<Head> {
        fs::read_to_string(self.folder.join("head")).ok()?.parse().ok()
    }

    fn lock_file(&self) -> PathBuf {
        self.folder.join("lock")
    }

    /// Held until it is dropped; the system lets go of it when the process ends.
    fn lock(&self) -> Result<File, AuditError> {
        let path = self.lock_file();
        let opened = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                OpenOptions::new().create(true).append(true).mode(FILE_MODE).open(&path)
            }
            opened => opened,
        };
        let file = opened.map_err(AuditError::at(&path))?;
        let since = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(AuditError::at(&path)(error)),
                Err(TryLockError::WouldBlock) if since.elapsed() >= PATIENCE => {
                    return Err(AuditError::Busy { path });
                }
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOOK),
            }
        }
    }
}

/// Looks at the end of a file first, and at all of it only if that does not tell.
fn tail(file: &mut File) -> io::Result<Tail> {
    let bytes = file.metadata()?.len();
    if let Some(start) = bytes.checked_sub(GLANCE_BYTES) {
        let mut glance = vec![0; usize::try_from(GLANCE_BYTES).unwrap_or(usize::MAX)];
        file.read_exact_at(&mut glance, start)?;
        let line = glance.iter().position(|byte| *byte == b'\n').map_or(glance.len(), |at| at + 1);
        let tail = Tail::of(&glance[line..]);
        if tail.last.is_some() {
            return Ok(tail);
        }
    }
    let mut content = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.read_to_end(&mut content)?;
    Ok(Tail::of(&content))
}

fn read_up_to(path: &Path, bytes: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(bytes).read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests;
