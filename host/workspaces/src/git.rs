//! The one place where the git program is started.
//!
//! The child gets an environment built from nothing and the bounds of
//! [`process`]. A [`Scope`] says which git directory it works with; only
//! `private_gitdir` makes one. Commands that use the network get a [`Link`]
//! instead; only `network` makes one.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::WorkspaceError;
use crate::object_id::ObjectId;
use crate::operator::Operator;
use crate::process::{self, Broken, Call, Output};

/// `--attr-source`, which keeps attributes an agent wrote out of the diff,
/// came with 2.41.
const MINIMUM_VERSION: (u32, u32) = (2, 41);

/// Transports that start no program of the repository's choice.
const REMOTE_PROTOCOLS: &str = "https:http:ssh:git:file";

/// Checkouts of very large repositories on slow disks take minutes.
pub(crate) const CHECKOUT_LIMIT: Duration = Duration::from_mins(15);

/// A git program that is new enough.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    program: PathBuf,
    search_path: OsString,
    home: PathBuf,
}

/// What a git command that talks to a remote works with. It has no work tree,
/// no index, and reads the operator's own configuration, never a repository's.
#[derive(Debug)]
pub(crate) struct Link<'a> {
    pub(crate) git_dir: PathBuf,
    /// Where objects are found and stored.
    pub(crate) objects: PathBuf,
    pub(crate) operator: &'a Operator,
    /// Settings that win over every configuration file.
    pub(crate) settings: Vec<(String, String)>,
    /// How ssh is started.
    pub(crate) ssh: Option<String>,
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
    /// Most bytes of memory that git may ask for at once, where an agent's objects say
    /// how much it is.
    pub(crate) max_allocation: Option<u64>,
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

    /// An empty folder of the host's, in no repository.
    pub(crate) fn home(&self) -> &Path {
        &self.home
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
        Ok((success(output, &name)?, warnings))
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
        Ok((success(output, &subcommand(arguments))?, false))
    }

    /// Runs a git command that answers a question by its exit code: 0 is yes,
    /// 1 is no, anything else is an error.
    pub(crate) fn ask<S: AsRef<OsStr>>(
        &self,
        scope: &Scope,
        arguments: &[S],
    ) -> Result<bool, WorkspaceError> {
        self.answer(scope, arguments).map(|(yes, _)| yes)
    }

    /// Like `ask`, and gives back what the command wrote.
    pub(crate) fn answer<S: AsRef<OsStr>>(
        &self,
        scope: &Scope,
        arguments: &[S],
    ) -> Result<(bool, Vec<u8>), WorkspaceError> {
        let name = subcommand(arguments);
        let call = Call::default();
        let output = self.output(scope, arguments, &call)?;
        if output.truncated {
            return Err(WorkspaceError::TooMuchOutput { command: name, limit: call.max_output });
        }
        if output.status.code() == Some(1) {
            return Ok((false, output.stdout));
        }
        success(output, &name).map(|stdout| (true, stdout))
    }

    /// Runs a git command that talks to a remote; how it ended is for the caller
    /// to read.
    pub(crate) fn reach(
        &self,
        link: &Link<'_>,
        arguments: &[&str],
        call: &Call<'_>,
    ) -> Result<Output, Broken> {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .current_dir(&self.home)
            .env_clear()
            .envs(link.operator.variables())
            .env("PATH", &self.search_path)
            .env("LC_ALL", "C")
            .env("GIT_DIR", &link.git_dir)
            .env("GIT_OBJECT_DIRECTORY", &link.objects)
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "")
            .env("SSH_ASKPASS", "")
            .env("GIT_PAGER", "cat")
            .env("GIT_EDITOR", "false")
            .env("GIT_ALLOW_PROTOCOL", REMOTE_PROTOCOLS)
            .env("GIT_CONFIG_COUNT", link.settings.len().to_string());
        for (number, (key, value)) in link.settings.iter().enumerate() {
            command
                .env(format!("GIT_CONFIG_KEY_{number}"), key)
                .env(format!("GIT_CONFIG_VALUE_{number}"), value);
        }
        if let Some(ssh) = &link.ssh {
            command.env("GIT_SSH_COMMAND", ssh);
        }
        process::execute(command, call)
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
        if let Some(bytes) = scope.max_allocation {
            command.env("GIT_ALLOC_LIMIT", bytes.to_string());
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

    fn execute(&self, command: Command, name: &str, call: &Call<'_>) -> Result<Output, WorkspaceError> {
        process::execute(command, call).map_err(|broken| match broken {
            Broken::Start(source) => WorkspaceError::io("start", &self.program)(source),
            Broken::Wait(source) => WorkspaceError::io("wait for", &self.program)(source),
            Broken::TimedOut => {
                WorkspaceError::TimedOut { command: name.to_owned(), seconds: call.time_limit.as_secs() }
            }
            Broken::Cancelled => WorkspaceError::Cancelled { command: name.to_owned() },
        })
    }
}

/// What a command that must succeed wrote.
fn success(output: Output, command: &str) -> Result<Vec<u8>, WorkspaceError> {
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(WorkspaceError::Git {
        command: command.to_owned(),
        status: output.status.to_string(),
        message: output.message,
    })
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
    use std::time::Instant;

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
            max_allocation: None,
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
