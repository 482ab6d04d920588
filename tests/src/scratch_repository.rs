//! A git repository made for one test, untouched by the configuration of whoever runs it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A repository with one commit on `main`.
#[derive(Debug)]
pub struct ScratchRepository {
    path: PathBuf,
    home: PathBuf,
    /// Removes the folder at the end; absent where somebody else does.
    _folder: Option<TempDir>,
}

/// The same author and time in every run: commit ids do not change from run to run.
const IDENTITY: [(&str, &str); 6] = [
    ("GIT_AUTHOR_NAME", "Test"),
    ("GIT_AUTHOR_EMAIL", "test@example.invalid"),
    ("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z"),
    ("GIT_COMMITTER_NAME", "Test"),
    ("GIT_COMMITTER_EMAIL", "test@example.invalid"),
    ("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z"),
];

impl ScratchRepository {
    /// A repository in a temporary folder of its own.
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("cannot make a temporary folder");
        let (path, home) = (folder.path().join("repo"), folder.path().join("home"));
        Self::begin(path, home, Some(folder))
    }

    /// A repository in a folder somebody else removes.
    pub fn at(path: &Path, home: &Path) -> Self {
        Self::begin(path.to_owned(), home.to_owned(), None)
    }

    fn begin(path: PathBuf, home: PathBuf, folder: Option<TempDir>) -> Self {
        for folder in [&path, &home] {
            std::fs::create_dir_all(folder).expect("cannot make a folder for the repository");
        }
        let repository = Self { path, home, _folder: folder };
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository.write("README.md", "# Scratch\n");
        repository.commit("Begin");
        repository
    }

    /// Adds a bare repository beside it as `origin`, pushes `main`, and returns its path.
    pub fn add_origin(&self) -> PathBuf {
        let origin = self.path.with_extension("origin.git");
        let text = origin.to_string_lossy().into_owned();
        self.git(&["init", "--quiet", "--bare", "--initial-branch=main", &text]);
        self.git(&["remote", "add", "origin", &text]);
        self.git(&["push", "--quiet", "--set-upstream", "origin", "main"]);
        self.git(&["remote", "set-head", "origin", "main"]);
        origin
    }

    /// The working folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file, with its folders.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.path.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(&self.path))
            .expect("cannot make a folder in the repository");
        std::fs::write(path, text).expect("cannot write a file in the repository");
    }

    /// Reads a file of the working folder; `None` if it is not there.
    pub fn read(&self, path: &str) -> Option<String> {
        std::fs::read_to_string(self.path.join(path)).ok()
    }

    /// Commits everything and returns the commit's id.
    pub fn commit(&self, message: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
        self.revision("HEAD")
    }

    /// The commit a name stands for.
    pub fn revision(&self, name: &str) -> String {
        self.git(&["rev-parse", "--verify", name])
    }

    /// Names of all local branches, sorted.
    pub fn branches(&self) -> Vec<String> {
        self.git(&["for-each-ref", "--format=%(refname:short)", "refs/heads"])
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Adds a worktree on a new branch.
    pub fn add_worktree(&self, path: &Path, branch: &str) {
        let path = path.to_string_lossy();
        self.git(&["worktree", "add", "--quiet", "-b", branch, &path]);
    }

    /// Runs git in the working folder and returns what it printed, without the last line end.
    ///
    /// # Panics
    ///
    /// If git fails, with what it said.
    pub fn git(&self, args: &[&str]) -> String {
        let output = self.try_git(&self.path, args);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
        assert!(output.status.success(), "git {}: {}", args.join(" "), text(&output.stderr));
        text(&output.stdout)
    }

    /// Runs git in any folder, as this repository's user would.
    pub fn try_git(&self, folder: &Path, args: &[&str]) -> Output {
        Command::new("git")
            .args(args)
            .current_dir(folder)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("HOME", &self.home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .envs(IDENTITY)
            .output()
            .expect("cannot run git: is it installed?")
    }
}

impl Default for ScratchRepository {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn two_scratch_repositories_begin_with_the_same_commit() {
        let (one, two) = (ScratchRepository::new(), ScratchRepository::new());
        assert_eq!(one.revision("HEAD"), two.revision("HEAD"));
        assert_eq!(one.branches(), ["main"]);
    }

    #[test]
    fn what_is_committed_can_be_pushed_to_the_origin() {
        let repository = ScratchRepository::new();
        let origin = repository.add_origin();
        repository.write("deep/file", "text\n");
        let commit = repository.commit("Add a file");
        repository.git(&["push", "--quiet"]);
        let seen = repository.try_git(&origin, &["rev-parse", "main"]);
        assert_eq!(String::from_utf8(seen.stdout).unwrap().trim(), commit);
    }

    #[test]
    fn a_worktree_stands_on_a_branch_of_its_own() {
        let repository = ScratchRepository::new();
        let worktree = repository.path().with_extension("worktree");
        repository.add_worktree(&worktree, "task/one");
        assert_eq!(repository.branches(), ["main", "task/one"]);
        assert!(worktree.join("README.md").is_file());
    }
}
