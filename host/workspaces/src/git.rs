//! The one place where the git program is started.
//!
//! The child gets an environment built from nothing, a process group of its
//! own, a time limit and a bound on its output. A [`Scope`] says which git
//! directory it works with; only `private_gitdir` makes one.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::WorkspaceError;
use crate::object_id::ObjectId;

/// `--attr-source`, which keeps attributes an agent wrote out of the diff,
/// came with 2.41.
const MINIMUM_VERSION: (u32, u32) = (2, 41);

/// Listing and comparing 50,000 files takes about two seconds; a hundred times
/// that on a busy disk is still a sign of trouble.
pub(crate) const INSPECTION_LIMIT: Duration = Duration::from_mins(3);

/// Checkouts of very large repositories on slow disks take minutes.
pub(crate) const CHECKOUT_LIMIT: Duration = Duration::from_mins(15);

/// About a million paths; more than that is not a workspace a person reviews.
pub(crate) const MAX_LISTING_BYTES: usize = 128 * 1024 * 1024;

/// Enough of an error message to act on.
const MAX_MESSAGE_BYTES: usize = 4096;

/// How long to wait between looks at a child that has closed its output.
const EXIT_POLL: Duration = Duration::from_millis(1);

/// A git program that is new enough.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    program: PathBuf,
    search_path: OsString,
    home: PathBuf,
}

/// What a git command works with. Every path is absolute.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) git_dir: PathBuf,
    pub(crate) work_tree: PathBuf,
    pub(crate) index: PathBuf,
    /// Where new objects go; the git directory's own store if `None`.
    pub(crate) objects: Option<PathBuf>,
    /// Attributes are read from this commit, never from files.
    pub(crate) attributes: ObjectId,
}

/// Bounds and input of one command.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) input: &'a [u8],
    pub(crate) time_limit: Duration,
    pub(crate) max_output: usize,
}

impl Default for Call<'_> {
    fn default() -> Self {
        Self { input: &[], time_limit: INSPECTION_LIMIT, max_output: MAX_LISTING_BYTES }
    }
}

/// What a command wrote and how it ended.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) stdout: Vec<u8>,
    /// There was more; the child was ended.
    pub(crate) truncated: bool,
    status: ExitStatus,
    message: String,
}

impl Git {
    /// Looks for git in `search_path` and checks its version. `home` is an
    /// empty directory of the host's.
    ///
    /// Relative entries are dropped: they would find a program in whatever
    /// directory git happens to stand in.
    pub(crate) fn find(search_path: Option<OsString>, home: &Path) -> Result<Self, WorkspaceError> {
        let folders: Vec<PathBuf> = std::env::split_paths(&search_path.unwrap_or_default())
            .filter(|folder| folder.is_absolute())
            .collect();
        let program = folders
            .iter()
            .map(|folder| folder.join("git"))
            .find(|candidate| candidate.is_file())
            .ok_or_else(|| WorkspaceError::GitMissing { minimum: minimum_version() })?;
        let git = Self {
            program,
            search_path: std::env::join_paths(folders).unwrap_or_default(),
            home: home.to_owned(),
        };
        let output = git.execute(git.command(&["version"]), "version", &Call::default())?;
        check_version(&String::from_utf8_lossy(&output.stdout))?;
        Ok(git)
    }

    /// Runs a git command that must succeed and stay within its output bound.
    pub(crate) fn run<S: AsRef<OsStr>>(
        &self,
        scope: &Scope,
        arguments: &[S],
        call: &Call<'_>,
    ) -> Result<Vec<u8>, WorkspaceError> {
        let (stdout, _) = self.run_with_warnings(scope, arguments, call)?;
        Ok(stdout)
    }

    /// Like `run`, and gives back what a command that succeeded complained of.
    pub(crate) fn run_with_warnings<S: AsRef<OsStr>>(
        &self,
        scope: &Scope,
        arguments: &[S],
        call: &Call<'_>,
    ) -> Result<(Vec<u8>, String), WorkspaceError> {
        let name = subcommand(arguments);
        let output = self.output(scope, arguments, call)?;
        if output.truncated {
            return Err(WorkspaceError::TooMuchOutput { command: name, limit: call.max_output });
        }
        let warnings = output.message.clone();
        Ok((output.success(&name)?, warnings))
    }

    /// Runs a git command whose output may be cut at the bound.
    pub(crate) fn run_truncating<S: AsRef<OsStr>>(
        &self,
        scope: &Scope,
        arguments: &[S],
        call: &Call<'_>,
    ) -> Result<(Vec<u8>, bool), WorkspaceError> {
        let output = self.output(scope, arguments, call)?;
        if output.truncated {
            return Ok((output.stdout, true));
        }
        Ok((output.success(&subcommand(arguments))?, false))
    }

    /// Runs a git command that answers a question by its exit code: 0 is yes,
    /// 1 is no, anything else is an error.
    pub(crate) fn ask<S: AsRef<OsStr>>(
        &self,
        scope: &Scope,
        arguments: &[S],
    ) -> Result<bool, WorkspaceError> {
        let output = self.output(scope, arguments, &Call::default())?;
        if output.status.code() == Some(1) {
            return Ok(false);
        }
        output.success(&subcommand(arguments)).map(|_| true)
    }

    fn output<S: AsRef<OsStr>>(
        &self,
        scope: &Scope,
        arguments: &[S],
        call: &Call<'_>,
    ) -> Result<Output, WorkspaceError> {
        let mut command = self.command(arguments);
        command
            .env("GIT_DIR", &scope.git_dir)
            .env("GIT_WORK_TREE", &scope.work_tree)
            .env("GIT_INDEX_FILE", &scope.index)
            .env("GIT_ATTR_SOURCE", scope.attributes.to_string());
        if let Some(objects) = &scope.objects {
            command.env("GIT_OBJECT_DIRECTORY", objects);
        }
        self.execute(command, &subcommand(arguments), call)
    }

    fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(&self.home)
            .env_clear()
            .env("PATH", &self.search_path)
            .env("HOME", &self.home)
            .env("XDG_CONFIG_HOME", &self.home)
            .env("LC_ALL", "C")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_SYSTEM", "/dev/null")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_LITERAL_PATHSPECS", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_PAGER", "cat")
            .env("GIT_EDITOR", "false")
            .env("GIT_ASKPASS", "false")
            .env("SSH_ASKPASS", "false")
            .env("GIT_ALLOW_PROTOCOL", "none")
            .env("GIT_AUTHOR_NAME", "Hostler")
            .env("GIT_AUTHOR_EMAIL", "hostler@localhost")
            .env("GIT_COMMITTER_NAME", "Hostler")
            .env("GIT_COMMITTER_EMAIL", "hostler@localhost");
        command
    }

    fn execute(&self, mut command: Command, name: &str, call: &Call<'_>) -> Result<Output, WorkspaceError> {
        let deadline = Instant::now() + call.time_limit;
        let mut child = command
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(WorkspaceError::io("start", &self.program))?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (end, stdout, message) = thread::scope(|scope| {
            let (finished, reports) = mpsc::channel();
            let failed = finished.clone();
            // A child that stops reading its input says why on standard error.
            scope.spawn(move || stdin.map(|mut pipe| pipe.write_all(call.input)));
            let out = scope.spawn(move || {
                let bytes = read_up_to(stdout, call.max_output.saturating_add(1));
                let _ = finished.send(bytes.len() > call.max_output);
                bytes
            });
            let err = scope.spawn(move || {
                let bytes = read_message(stderr);
                drop(failed);
                bytes
            });
            let end = watch(&mut child, &reports, deadline);
            let stdout = out.join().unwrap_or_default();
            (end, stdout, err.join().unwrap_or_default())
        });
        let (status, truncated) = match end {
            End::Exited(status) => (status, false),
            End::Overflowed(status) => (status, true),
            End::TimedOut => {
                return Err(WorkspaceError::TimedOut {
                    command: name.to_owned(),
                    seconds: call.time_limit.as_secs(),
                });
            }
        };
        let status = status.map_err(WorkspaceError::io("wait for", &self.program))?;
        let mut stdout = stdout;
        stdout.truncate(call.max_output);
        Ok(Output { stdout, truncated, status, message })
    }
}

impl Output {
    fn success(self, command: &str) -> Result<Vec<u8>, WorkspaceError> {
        if self.status.success() {
            return Ok(self.stdout);
        }
        Err(WorkspaceError::Git {
            command: command.to_owned(),
            status: self.status.to_string(),
            message: self.message,
        })
    }
}

/// How a child came to its end.
enum End {
    Exited(io::Result<ExitStatus>),
    Overflowed(io::Result<ExitStatus>),
    TimedOut,
}

/// Waits until the child has closed its output and exited, or ends it.
///
/// `reports` says whether standard output overflowed, and is disconnected once
/// both output streams are closed.
fn watch(child: &mut Child, reports: &mpsc::Receiver<bool>, deadline: Instant) -> End {
    loop {
        match reports.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(false) => {}
            Ok(true) => {
                return End::Overflowed(end_group(child));
            }
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let _ = end_group(child);
                return End::TimedOut;
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
        }
    }
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return End::Exited(Ok(status)),
            Ok(None) if Instant::now() < deadline => thread::sleep(EXIT_POLL),
            Ok(None) => {
                let _ = end_group(child);
                return End::TimedOut;
            }
            Err(error) => return End::Exited(Err(error)),
        }
    }
}

/// Kills the child and the helpers git started, and reaps the child. It is not
/// reaped before, so the process group id is still its own.
fn end_group(child: &mut Child) -> io::Result<ExitStatus> {
    let group = rustix::process::Pid::from_child(child);
    if rustix::process::kill_process_group(group, rustix::process::Signal::KILL).is_err() {
        child.kill()?;
    }
    child.wait()
}

fn read_up_to(stream: Option<impl Read>, limit: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(stream) = stream {
        // What arrived before an error still counts; the exit status tells the rest.
        let _ = stream.take(u64::try_from(limit).unwrap_or(u64::MAX)).read_to_end(&mut bytes);
    }
    bytes
}

/// Reads to the end, so that the child never blocks, but keeps only the start.
fn read_message(stream: Option<impl Read>) -> String {
    let Some(mut stream) = stream else {
        return String::new();
    };
    let bytes = read_up_to(Some(&mut stream), MAX_MESSAGE_BYTES);
    let _ = io::copy(&mut stream, &mut io::sink());
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

fn subcommand<S: AsRef<OsStr>>(arguments: &[S]) -> String {
    arguments.first().map(|first| first.as_ref().to_string_lossy().into_owned()).unwrap_or_default()
}

fn minimum_version() -> String {
    format!("{}.{}", MINIMUM_VERSION.0, MINIMUM_VERSION.1)
}

/// Reads `git version 2.47.3 (Apple Git-1)`.
fn check_version(text: &str) -> Result<(), WorkspaceError> {
    let found = text.split_whitespace().nth(2).unwrap_or("(unknown)");
    let mut parts = found.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let version = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    if version >= MINIMUM_VERSION {
        return Ok(());
    }
    Err(WorkspaceError::GitTooOld { found: found.to_owned(), minimum: minimum_version() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A "git" that answers `version` and otherwise runs `script`.
    fn scripted(folder: &Path, script: &str) -> Git {
        let program = folder.join("git");
        let text =
            format!("#!/bin/sh\nif [ \"$1\" = version ]; then echo git version 2.47.3; exit; fi\n{script}\n");
        fs::write(&program, text).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let search = std::env::join_paths([folder, Path::new("/bin"), Path::new("/usr/bin")]);
        Git::find(Some(search.unwrap()), folder).unwrap()
    }

    fn scope(folder: &Path) -> Scope {
        Scope {
            git_dir: folder.to_owned(),
            work_tree: folder.to_owned(),
            index: folder.join("index"),
            objects: None,
            attributes: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
        }
    }

    #[test]
    fn versions_are_compared_by_number() {
        assert!(check_version("git version 2.41.0").is_ok());
        assert!(check_version("git version 2.100.1 (Apple Git-154)").is_ok());
        assert!(check_version("git version 3.0").is_ok());
        for old in ["git version 2.40.9", "git version 1.99", "", "what"] {
            assert!(check_version(old).is_err(), "{old}");
        }
    }

    #[test]
    fn no_git_in_the_search_path_is_an_error_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let found = Git::find(Some(folder.path().into()), folder.path());
        assert!(matches!(found, Err(WorkspaceError::GitMissing { .. })));
        assert!(matches!(
            Git::find(Some("bin:.".into()), folder.path()),
            Err(WorkspaceError::GitMissing { .. })
        ));
    }

    #[test]
    fn the_child_sees_only_the_environment_made_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let git = scripted(folder.path(), "env | sort");
        let output = git.run(&scope(folder.path()), &["any"], &Call::default()).unwrap();
        let text = String::from_utf8(output).unwrap();
        let foreign: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split('=').next())
            .filter(|name| {
                !name.starts_with("GIT_")
                    && ![
                        "HOME",
                        "PATH",
                        "LC_ALL",
                        "XDG_CONFIG_HOME",
                        "SSH_ASKPASS",
                        "PWD",
                        "_",
                        "SHLVL",
                        "OLDPWD",
                    ]
                    .contains(name)
            })
            .collect();
        assert!(foreign.is_empty(), "{foreign:?}");
        assert!(text.contains("GIT_CONFIG_GLOBAL=/dev/null"));
    }

    #[test]
    fn output_at_the_limit_passes_and_one_byte_more_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let git = scripted(folder.path(), "printf 12345678");
        let call = |max_output| Call { max_output, ..Call::default() };
        let scope = scope(folder.path());
        assert_eq!(git.run(&scope, &["any"], &call(8)).unwrap(), b"12345678");
        assert!(matches!(
            git.run(&scope, &["any"], &call(7)),
            Err(WorkspaceError::TooMuchOutput { limit: 7, .. })
        ));
        let (cut, truncated) = git.run_truncating(&scope, &["any"], &call(7)).unwrap();
        assert_eq!((cut.as_slice(), truncated), (b"1234567".as_slice(), true));
    }

    #[test]
    fn a_command_that_hangs_is_ended_with_its_helpers() {
        let folder = tempfile::tempdir().unwrap();
        let git = scripted(folder.path(), "sleep 60 & sleep 60");
        let begun = Instant::now();
        let call = Call { time_limit: Duration::from_millis(200), ..Call::default() };
        assert!(matches!(
            git.run(&scope(folder.path()), &["any"], &call),
            Err(WorkspaceError::TimedOut { .. })
        ));
        assert!(begun.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn endless_output_and_unread_input_do_not_block() {
        let folder = tempfile::tempdir().unwrap();
        let git = scripted(folder.path(), "exec yes");
        let input = vec![b'x'; 1 << 20];
        let call = Call { input: &input, max_output: 1000, ..Call::default() };
        let (cut, truncated) = git.run_truncating(&scope(folder.path()), &["any"], &call).unwrap();
        assert!(truncated);
        assert_eq!(cut.len(), 1000);
    }

    #[test]
    fn an_error_carries_what_git_said() {
        let folder = tempfile::tempdir().unwrap();
        let git = scripted(folder.path(), "echo no such thing >&2; exit 128");
        let error = git.run(&scope(folder.path()), &["any"], &Call::default()).unwrap_err().to_string();
        assert!(error.contains("`git any` failed") && error.contains("no such thing"), "{error}");
    }

    #[test]
    fn a_question_is_answered_by_the_exit_code() {
        let folder = tempfile::tempdir().unwrap();
        let git = scripted(folder.path(), "exit $2");
        let scope = scope(folder.path());
        assert!(git.ask(&scope, &["any", "0"]).unwrap());
        assert!(!git.ask(&scope, &["any", "1"]).unwrap());
        assert!(git.ask(&scope, &["any", "128"]).is_err());
    }
}
