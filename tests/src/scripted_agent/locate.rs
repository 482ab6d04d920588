//! Where the script of this start lies.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// What a process knows about how it was started.
#[derive(Debug, Clone, Default)]
pub(super) struct Invocation {
    /// `SCRIPTED_AGENT`, if the environment has it.
    pub named: Option<OsString>,
    /// The first word of the command line.
    pub program: Option<PathBuf>,
    /// `PATH`, if the environment has it.
    pub search_path: Option<OsString>,
    /// The file this process runs.
    pub executable: Option<PathBuf>,
    /// The working folder.
    pub cwd: PathBuf,
}

/// Places a script may lie, best first: named by the environment, beside the
/// program as it was called, beside the file it turned out to be, at the root
/// of the repository or in the working folder.
pub(super) fn candidates(started: &Invocation) -> Vec<PathBuf> {
    let mut places: Vec<PathBuf> = started.named.iter().map(PathBuf::from).collect();
    places.extend(called(started).map(|program| beside(&program)));
    places.extend(started.executable.as_deref().map(beside));
    places.extend(
        started
            .cwd
            .ancestors()
            .take(folders_to_repository_root(&started.cwd))
            .map(|folder| folder.join(".scripted-agent.toml")),
    );
    places
}

/// The name the program was called by, such as `claude`.
pub(super) fn called_name(started: &Invocation) -> String {
    started
        .program
        .as_deref()
        .or(started.executable.as_deref())
        .and_then(Path::file_name)
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// `claude` → `claude.script.toml`.
pub(super) fn beside(program: &Path) -> PathBuf {
    with_suffix(program, ".script.toml")
}

/// `claude.script.toml` → `claude.starts.jsonl`.
pub(super) fn log_beside(script: &Path) -> PathBuf {
    let bare = script.with_extension("").with_extension("");
    with_suffix(&bare, ".starts.jsonl")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A program called without a folder was found on `PATH` by whoever called it.
fn called(started: &Invocation) -> Option<PathBuf> {
    let program = started.program.as_ref()?;
    if program.components().count() > 1 {
        return Some(started.cwd.join(program));
    }
    let search = started.search_path.as_deref().unwrap_or(OsStr::new(""));
    std::env::split_paths(search).map(|folder| folder.join(program)).find(|path| path.is_file())
}

fn folders_to_repository_root(cwd: &Path) -> usize {
    cwd.ancestors().position(|folder| folder.join(".git").exists()).map_or(1, |depth| depth + 1)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn without_any_environment_the_script_is_found_beside_the_program() {
        let started = Invocation {
            program: Some("/bin/dir/claude".into()),
            executable: Some("/build/scripted-agent".into()),
            cwd: "/nowhere".into(),
            ..Invocation::default()
        };
        assert_eq!(
            candidates(&started),
            [
                PathBuf::from("/bin/dir/claude.script.toml"),
                "/build/scripted-agent.script.toml".into(),
                "/nowhere/.scripted-agent.toml".into(),
            ]
        );
    }

    #[test]
    fn a_bare_name_is_looked_up_on_the_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("codex"), "").unwrap();
        let started = Invocation {
            program: Some("codex".into()),
            search_path: Some(std::env::join_paths(["/none".as_ref(), dir.path()]).unwrap()),
            cwd: "/nowhere".into(),
            ..Invocation::default()
        };
        assert_eq!(candidates(&started)[0], dir.path().join("codex.script.toml"));
    }

    #[test]
    fn a_script_in_the_repository_is_found_from_a_folder_below_but_not_from_above_it() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("repo");
        std::fs::create_dir_all(root.join(".git")).unwrap();
        std::fs::create_dir_all(root.join("src")).unwrap();
        let started = Invocation { cwd: root.join("src"), ..Invocation::default() };
        assert_eq!(
            candidates(&started),
            [root.join("src/.scripted-agent.toml"), root.join(".scripted-agent.toml")]
        );
    }

    #[test]
    fn the_log_lies_beside_the_script() {
        assert_eq!(log_beside(Path::new("/d/claude.script.toml")), Path::new("/d/claude.starts.jsonl"));
        assert_eq!(
            log_beside(Path::new("/d/.scripted-agent.toml")),
            Path::new("/d/.scripted-agent.starts.jsonl")
        );
    }
}
