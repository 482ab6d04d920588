//! Writes settings so that a file is there whole or not at all.

use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use hostler_daemon::home::make_private;

use crate::exit::Exit;
use crate::failure::Failure;

/// Readable by its owner only.
const PRIVATE: u32 = 0o600;

/// Makes the folder of settings, or closes it to others.
pub fn make_folder(folder: &Path) -> Result<(), Failure> {
    make_private(folder).map_err(|error| {
        let what = format!("{} cannot be made private ({error})", folder.display());
        Failure::new(Exit::Configuration, format!("{what}; change its owner or permissions"))
    })
}

/// Replaces a file of settings; one that is there keeps its mode.
pub fn settings(path: &Path, text: &str) -> Result<(), Failure> {
    let mode = std::fs::metadata(path).map_or(PRIVATE, |facts| facts.permissions().mode() & 0o777);
    replace(path, text, mode)
}

/// Replaces the file of secrets; it is closed to others, whatever it was before.
pub fn secrets(path: &Path, text: &str) -> Result<(), Failure> {
    replace(path, text, PRIVATE)
}

fn replace(path: &Path, text: &str, mode: u32) -> Result<(), Failure> {
    // A link, such as into a folder under version control, stays one.
    let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut name = real.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.new", std::process::id()));
    let staged = real.with_file_name(name);
    let written = write(&staged, text, mode).and_then(|()| std::fs::rename(&staged, &real));
    written.map_err(|error| {
        // The failure that matters is the first one.
        let _ = std::fs::remove_file(&staged);
        let remedy = "check its permissions and the room on the disk";
        Failure::new(Exit::Configuration, format!("{} cannot be written ({error}); {remedy}", path.display()))
    })
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    let mut file =
        std::fs::OpenOptions::new().create(true).write(true).truncate(true).mode(PRIVATE).open(path)?;
    // Whatever the file that was left here had.
    file.set_permissions(std::fs::Permissions::from_mode(mode))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn secrets_are_private_even_where_they_were_not() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("secrets.toml");
        std::fs::write(&path, "old").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        secrets(&path, "new").unwrap();
        assert_eq!((mode(&path), std::fs::read_to_string(&path).unwrap()), (0o600, "new".to_owned()));
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn settings_keep_their_mode_and_a_link_stays_a_link() {
        let place = tempfile::tempdir().unwrap();
        let (real, link) = (place.path().join("dotfiles.toml"), place.path().join("config.toml"));
        std::fs::write(&real, "old").unwrap();
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        settings(&link, "new").unwrap();
        assert!(link.is_symlink());
        assert_eq!((mode(&real), std::fs::read_to_string(&real).unwrap()), (0o644, "new".to_owned()));
        let fresh = place.path().join("fresh.toml");
        settings(&fresh, "new").unwrap();
        assert_eq!(mode(&fresh), 0o600);
    }
}
