//! The folder of installed plugins. Builds stand in it by content, and `plugins.lock`
//! says which of them count: replacing that one file is the one moment at which
//! anything changes, so a crash leaves the old or the new state.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use hostler_components::Digest;
use rustix::fs::{FlockOperation, flock};

use crate::failure::Failure;
use crate::home::{Home, make_private};
use crate::plugins::lockfile::{LOCK_FILE, LockFile, LockFileError, LockedBuild, Slot};
use crate::plugins::vouching::signature_path;

/// Builds by content.
const BUILDS: &str = "installed";

/// What is not installed yet.
const STAGING: &str = "staging";

/// Held by whoever changes something.
const CHANGE_LOCK: &str = ".change.lock";

/// Digits of a digest in the name of a file: for people, and to tell builds apart. The
/// whole digest is in the lock file and checked at each use.
const NAME_DIGITS: usize = 16;

/// The folder of installed plugins.
#[derive(Clone, Debug)]
pub struct InstallFolder {
    root: PathBuf,
}

/// The steps of a change, for tests that end the process at each of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// What an earlier change left is gone.
    Swept,
    /// The plugin is copied.
    Staged,
    /// It was compiled and tried out.
    Proven,
    /// It stands among the builds, and nobody knows it.
    Placed,
    /// The grants are written.
    Granted,
    /// The new lock file is ready.
    LockStaged,
    /// The new lock file counts.
    LockReplaced,
    /// What nobody needs any more is gone.
    Finished,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Self; 8] = [
        Self::Swept,
        Self::Staged,
        Self::Proven,
        Self::Placed,
        Self::Granted,
        Self::LockStaged,
        Self::LockReplaced,
        Self::Finished,
    ];
}

/// Is told of each step that was made.
pub type OnStep = Box<dyn Fn(Step)>;

impl InstallFolder {
    /// That of an installation.
    pub fn of(home: &Home) -> Self {
        Self::at(home.plugins())
    }

    /// A folder in which plugins may be installed.
    pub const fn at(root: PathBuf) -> Self {
        Self { root }
    }

    /// Which builds count.
    pub fn lock(&self) -> Result<LockFile, LockFileError> {
        LockFile::load(&self.root)
    }

    /// The name that stands for a file, if it is a build: whoever reads it in a sentence
    /// can type it.
    pub fn name_of(file: &Path) -> Option<&str> {
        Self::around(file)?;
        file.file_name()?.to_str()?.split_once('@').map(|(id, _)| id)
    }

    /// Where a build stands.
    pub fn build(&self, id: &str, digest: &Digest) -> PathBuf {
        let digits = digest.to_string();
        let digits = digits.get(..NAME_DIGITS).unwrap_or(&digits);
        self.root.join(BUILDS).join(format!("{id}@{digits}.wasm"))
    }

    /// The folder that this file would be a build in.
    pub fn around(file: &Path) -> Option<Self> {
        let builds = file.parent().filter(|builds| builds.ends_with(BUILDS))?;
        builds.parent().map(|root| Self::at(root.to_owned()))
    }

    /// The id and the digest that an installed file must have; `None` for a file that no
    /// lock file names.
    pub fn expected(file: &Path) -> Result<Option<(String, Digest)>, LockFileError> {
        let Some(folder) = Self::around(file) else { return Ok(None) };
        let lock = folder.lock()?;
        Ok(folder.named(&lock, file).map(|(id, _, build)| (id.to_owned(), build.digest)))
    }

    /// The build that has its place in this file by the lock file, with its plugin.
    pub(crate) fn named<'l>(
        &self,
        lock: &'l LockFile,
        file: &Path,
    ) -> Option<(&'l str, &'l Slot, &'l LockedBuild)> {
        let mut builds = lock.all().flat_map(|(id, slot)| slot.builds().map(move |build| (id, slot, build)));
        builds.find(|(id, _, build)| self.build(id, &build.digest) == file)
    }

    /// The plugin whose build waits for a yes under this name or in this file, and where
    /// that build stands.
    pub fn pending(&self, name: &str) -> Result<Option<(String, PathBuf)>, LockFileError> {
        let lock = self.lock()?;
        let waiting = lock.all().filter_map(|(id, slot)| Some((id, slot.pending.as_ref()?)));
        let mut placed = waiting.map(|(id, build)| (id.to_owned(), self.build(id, &build.digest)));
        Ok(placed.find(|(id, file)| id == name || file == Path::new(name)))
    }

    /// Refuses an installed file that is not what was installed.
    pub fn check(file: &Path, digest: &Digest) -> Result<(), Failure> {
        match Self::expected(file)? {
            Some((id, expected)) if expected != *digest => {
                Err(Failure::PluginNotAsInstalled { id, file: file.to_owned() })
            }
            _ => Ok(()),
        }
    }

    /// Plugin files beside the installed ones whose names already stand for those.
    pub fn hidden(&self) -> Result<Vec<PathBuf>, LockFileError> {
        let lock = self.lock()?;
        let loose = lock.all().map(|(id, _)| self.root.join(format!("{id}.wasm")));
        Ok(loose.filter(|file| file.is_file()).collect())
    }

    /// Begins a change: nobody else changes anything meanwhile, and what a crash left is
    /// swept away.
    pub fn change(&self, on_step: OnStep) -> Result<Change, Failure> {
        make_private(&self.root).map_err(Failure::folder(&self.root))?;
        let path = self.root.join(CHANGE_LOCK);
        let held = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let held = held.map_err(Failure::folder(&path))?;
        if flock(&held, FlockOperation::NonBlockingLockExclusive).is_err() {
            return Err(Failure::InstallUnderWay { folder: self.root.clone() });
        }
        let change = Change { lock: self.lock()?, folder: self.clone(), _held: held, on_step };
        change.sweep()?;
        change.made(Step::Swept);
        Ok(change)
    }
}

/// A change of what is installed.
pub struct Change {
    folder: InstallFolder,
    lock: LockFile,
    on_step: OnStep,
    _held: File,
}

impl Change {
    /// Which builds count.
    pub const fn lock(&self) -> &LockFile {
        &self.lock
    }

    /// Where it is.
    pub const fn folder(&self) -> &InstallFolder {
        &self.folder
    }

    /// Tells that a step was made.
    pub fn made(&self, step: Step) {
        (self.on_step)(step);
    }

    /// Writes bytes into a new file that is not installed yet.
    pub fn stage(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Failure> {
        let staging = self.folder.root.join(STAGING);
        let path = staging.join(name);
        let written = make_private(&staging).and_then(|()| {
            let mut file = File::create(&path)?;
            file.write_all(bytes)?;
            file.sync_all()
        });
        written.map_err(Failure::folder(&path))?;
        Ok(path)
    }

    /// Moves a staged build, and its signature if it has one, among the builds. Until the
    /// lock file names it, it counts for nothing.
    pub fn place(&self, staged: &Path, id: &str, digest: &Digest) -> Result<PathBuf, Failure> {
        let builds = self.folder.root.join(BUILDS);
        let placed = self.folder.build(id, digest);
        let moved = make_private(&builds).and_then(|()| {
            let signature = signature_path(staged);
            if signature.is_file() {
                fs::rename(signature, signature_path(&placed))?;
            }
            fs::rename(staged, &placed)?;
            sync_folder(&builds)
        });
        moved.map_err(Failure::folder(&placed))?;
        self.made(Step::Placed);
        Ok(placed)
    }

    /// Lets another lock file count: the moment of the change. What no build of it needs
    /// any more is removed afterwards.
    pub fn commit(&mut self, lock: LockFile) -> Result<(), Failure> {
        let path = self.folder.root.join(LOCK_FILE);
        let failed = |error: toml::ser::Error| Failure::Internal(error.to_string());
        let staged = self.stage(LOCK_FILE, lock.text().map_err(failed)?.as_bytes())?;
        self.made(Step::LockStaged);
        let replaced = fs::rename(&staged, &path).and_then(|()| sync_folder(&self.folder.root));
        replaced.map_err(Failure::folder(&path))?;
        self.made(Step::LockReplaced);
        self.lock = lock;
        self.sweep()?;
        self.made(Step::Finished);
        Ok(())
    }

    /// Removes what is staged, and every build that the lock file does not name.
    fn sweep(&self) -> Result<(), Failure> {
        let staging = self.folder.root.join(STAGING);
        match fs::remove_dir_all(&staging) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(Failure::folder(staging)(error));
            }
            _ => {}
        }
        let builds = self.lock.all().flat_map(|(id, slot)| slot.builds().map(move |build| (id, build)));
        let files = builds.map(|(id, build)| self.folder.build(id, &build.digest));
        let needed: Vec<PathBuf> = files.flat_map(|file| [signature_path(&file), file]).collect();
        let Ok(entries) = fs::read_dir(self.folder.root.join(BUILDS)) else { return Ok(()) };
        for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
            if !needed.contains(&path) {
                fs::remove_file(&path).map_err(Failure::folder(&path))?;
            }
        }
        Ok(())
    }
}

/// Waits until the names in a folder are on the disk.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn folder(place: &Path) -> InstallFolder {
        InstallFolder::at(place.join("plugins"))
    }

    fn quiet() -> OnStep {
        Box::new(|_| {})
    }

    #[test]
    fn one_change_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        let first = folder.change(quiet()).unwrap();
        assert!(matches!(folder.change(quiet()), Err(Failure::InstallUnderWay { .. })));
        drop(first);
        folder.change(quiet()).unwrap();
    }

    #[test]
    fn what_a_crash_left_is_swept_away_and_other_files_in_the_folder_are_not() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        let change = folder.change(quiet()).unwrap();
        let digest = Digest::of(b"demo");
        let staged = change.stage("demo.wasm", b"demo").unwrap();
        fs::write(signature_path(&staged), "signature").unwrap();
        let placed = change.place(&staged, "demo", &digest).unwrap();
        let half = change.stage("half.wasm", b"ha").unwrap();
        let own = place.path().join("plugins/own.wasm");
        fs::write(&own, "own").unwrap();
        assert!(placed.is_file() && signature_path(&placed).is_file());
        drop(change);
        folder.change(quiet()).unwrap();
        assert!(!placed.exists() && !signature_path(&placed).exists() && !half.exists());
        assert!(own.is_file(), "nobody said that it may go");
    }

    #[test]
    fn a_file_that_no_lock_file_names_is_nobodys_and_may_be_anything() {
        let place = tempfile::tempdir().unwrap();
        let folder = folder(place.path());
        let file = folder.build("demo", &Digest::of(b"demo"));
        assert_eq!(InstallFolder::expected(&file).unwrap(), None);
        InstallFolder::check(&file, &Digest::of(b"other")).unwrap();
        assert!(InstallFolder::around(Path::new("demo.wasm")).is_none());
    }
}
