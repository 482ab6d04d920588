//! The private cache of native code. Compiling a plugin takes up to seconds,
//! reading its native code back takes less than a millisecond.
//!
//! Native code runs outside of the sandbox, so only what this host wrote itself
//! is ever used: the folder and its files belong to this user alone, and each
//! file carries the digest of its content.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::hash::{Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;

use crate::digest::Digest;

/// Length of the digest at the front of each file.
const HEADER: usize = 32;

/// A folder with native code, and the key that belongs to one set of engines.
#[derive(Debug)]
pub(crate) struct Cache {
    folder: PathBuf,
    /// Changes with everything native code depends on: the version of the
    /// compiler, its settings, the processor, and the version of this crate.
    compatibility: String,
}

/// The folder for native code cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// It cannot be made or looked at.
    #[error("the folder {} for compiled plugins cannot be used ({source}); check its permissions", folder.display())]
    Io {
        /// Which folder.
        folder: PathBuf,
        /// What happened.
        source: io::Error,
    },
    /// Somebody else could put native code there.
    #[error("the folder {} for compiled plugins is not a folder of this user; remove it or set another one", .0.display())]
    NotOurs(PathBuf),
}

impl Cache {
    /// Opens the folder, making it if necessary, for this user alone.
    pub(crate) fn open(folder: PathBuf, engine: &Engine) -> Result<Self, CacheError> {
        let failed = |source| CacheError::Io { folder: folder.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
        let found = fs::symlink_metadata(&folder).map_err(failed)?;
        if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
            return Err(CacheError::NotOurs(folder));
        }
        if found.mode() & 0o077 != 0 {
            fs::set_permissions(&folder, Permissions::from_mode(0o700)).map_err(failed)?;
        }
        let mut hasher = ShaHasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { folder, compatibility: format!("{:016x}-{}", hasher.finish(), env!("CARGO_PKG_VERSION")) })
    }

    /// The native code of the component with this digest, if it is there and
    /// exactly as it was written.
    pub(crate) fn read(&self, component: &Digest) -> Option<Vec<u8>> {
        let path = self.path(component);
        match read_checked(&path) {
            Ok(native) => Some(native),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                tracing::warn!(path = %path.display(), %error, "compiled plugin is not usable and is made again");
                None
            }
        }
    }

    /// Keeps native code that `engine.precompile_component` has just made.
    /// A full disk costs the next start some time, so it is no error.
    pub(crate) fn write(&self, component: &Digest, native: &[u8]) {
        let path = self.path(component);
        if let Err(error) = self.replace(&path, native) {
            tracing::warn!(path = %path.display(), %error, "compiled plugin could not be kept");
            return;
        }
        self.remove_outdated(component, &path);
    }

    fn path(&self, component: &Digest) -> PathBuf {
        self.folder.join(format!("{component}-{}.native", self.compatibility))
    }

    fn replace(&self, path: &Path, native: &[u8]) -> io::Result<()> {
        let unfinished = self.folder.join(format!(
            "{}.{}-{:?}",
            path.file_name().unwrap_or_default().display(),
            std::process::id(),
            std::thread::current().id(),
        ));
        let written = write_synced(&unfinished, native).and_then(|()| fs::rename(&unfinished, path));
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written
    }

    /// Removes what other versions of the host kept for the same component, and what
    /// a crash left unfinished.
    fn remove_outdated(&self, component: &Digest, current: &Path) {
        let prefix = format!("{component}-");
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&prefix) && path != current {
                let _ = fs::remove_file(&path);
            }
        }
    }
}

/// Reads a file of the cache and checks that nobody else wrote it and that
/// nothing is missing or changed.
fn read_checked(path: &Path) -> io::Result<Vec<u8>> {
    let nofollow = OFlags::NOFOLLOW.bits().cast_signed();
    let mut file = OpenOptions::new().read(true).custom_flags(nofollow).open(path)?;
    let found = file.metadata()?;
    let ours =
        found.is_file() && found.uid() == rustix::process::geteuid().as_raw() && found.mode() & 0o022 == 0;
    if !ours {
        return Err(io::Error::other("somebody else can write to it"));
    }
    let mut expected = [0; HEADER];
    file.read_exact(&mut expected)?;
    let mut native = Vec::new();
    file.read_to_end(&mut native)?;
    if Sha256::digest(&native)[..] != expected[..] {
        return Err(io::Error::other("its content is not what was written"));
    }
    Ok(native)
}

fn write_synced(path: &Path, native: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&Sha256::digest(native))?;
    file.write_all(native)?;
    file.sync_all()
}

/// Makes a stable key of whatever an engine hashes.
struct ShaHasher(Sha256);

impl Hasher for ShaHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        let digest = self.0.clone().finalize();
        let mut first = [0; 8];
        first.copy_from_slice(&digest[..8]);
        u64::from_be_bytes(first)
    }
}
