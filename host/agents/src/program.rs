//! Finding a program by its name.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use rustix::fs::Access;

/// Why a program cannot be started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProgramError {
    /// There is no such file.
    #[error(
        "the program `{name}` was not found in {}; install it, or set its full path in the configuration",
        list(searched)
    )]
    NotFound {
        /// As asked for.
        name: String,
        /// The folders looked into; empty when a path was given.
        searched: Vec<PathBuf>,
    },
    /// There is a file, but it may not be run.
    #[error("`{}` is not an executable file; make it one with `chmod +x`, or set another path", path.display())]
    NotExecutable {
        /// The file.
        path: PathBuf,
    },
}

/// The full path of `name`, looked up in `path_value`, a list as in `PATH`.
///
/// A name with a slash is a path and must be absolute. Entries of the list that
/// are empty or relative are skipped: they would mean whatever folder the agent
/// or a repository wrote to.
pub fn find_program(name: &OsStr, path_value: &OsStr) -> Result<PathBuf, ProgramError> {
    let not_found = |searched| ProgramError::NotFound { name: name.to_string_lossy().into_owned(), searched };
    let asked = Path::new(name);
    if asked.is_absolute() {
        return match check(asked) {
            Found::Program => Ok(asked.to_owned()),
            Found::OtherFile => Err(ProgramError::NotExecutable { path: asked.to_owned() }),
            Found::Nothing => Err(not_found(Vec::new())),
        };
    }
    if name.is_empty() || asked.components().count() != 1 || name.as_encoded_bytes().contains(&b'/') {
        return Err(not_found(Vec::new()));
    }
    let folders: Vec<PathBuf> = env::split_paths(path_value).filter(|folder| folder.is_absolute()).collect();
    let candidates: Vec<(PathBuf, Found)> = folders
        .iter()
        .map(|folder| folder.join(asked))
        .map(|path| {
            let found = check(&path);
            (path, found)
        })
        .collect();
    let first = |wanted| candidates.iter().find(|(_, found)| *found == wanted).map(|(path, _)| path.clone());
    match (first(Found::Program), first(Found::OtherFile)) {
        (Some(path), _) => Ok(path),
        (None, Some(path)) => Err(ProgramError::NotExecutable { path }),
        (None, None) => Err(not_found(folders)),
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Program,
    OtherFile,
    Nothing,
}

fn check(path: &Path) -> Found {
    match path.metadata() {
        Ok(metadata) if metadata.is_file() && rustix::fs::access(path, Access::EXEC_OK).is_ok() => {
            Found::Program
        }
        Ok(_) => Found::OtherFile,
        Err(_) => Found::Nothing,
    }
}

fn list(folders: &[PathBuf]) -> String {
    if folders.is_empty() {
        return "the file system".to_owned();
    }
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    folders.join(", ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(path: &Path, mode: u32) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_first_folder_with_an_executable_file_wins() {
        let home = tempfile::tempdir().unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|folder| home.path().join(folder));
        file(&a.join("tool"), 0o644);
        file(&b.join("tool"), 0o755);
        file(&c.join("tool"), 0o755);
        let path = env::join_paths([&a, &b, &c]).unwrap();
        assert_eq!(find_program("tool".as_ref(), &path), Ok(b.join("tool")));
        let only = env::join_paths([&a]).unwrap();
        assert_eq!(
            find_program("tool".as_ref(), &only),
            Err(ProgramError::NotExecutable { path: a.join("tool") })
        );
    }

    #[test]
    fn a_missing_program_names_where_it_was_looked_for() {
        let error =
            find_program("no-such-tool".as_ref(), "/nowhere:relative::/usr/bin".as_ref()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the program `no-such-tool` was not found in /nowhere, /usr/bin; \
             install it, or set its full path in the configuration"
        );
    }

    #[test]
    fn a_relative_path_is_never_a_program() {
        for name in ["./tool", "folder/tool", "../tool", "", "tool/"] {
            assert!(matches!(
                find_program(name.as_ref(), "/bin".as_ref()),
                Err(ProgramError::NotFound { .. })
            ));
        }
    }

    #[test]
    fn a_folder_is_not_a_program() {
        assert!(matches!(
            find_program("/tmp".as_ref(), "".as_ref()),
            Err(ProgramError::NotExecutable { .. })
        ));
    }
}
