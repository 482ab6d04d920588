//! Runs the real `host` program with a home, configuration and state of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use tempfile::TempDir;

use crate::host_process::HostProcess;
use crate::scratch_repository::ScratchRepository;
use crate::scripted_agent::{Installed, Script, install};
use crate::{built, processes};

/// Environment variable by which the processes of one sandbox are told apart.
pub const MARKER: &str = "HOSTLER_TEST_MARKER";

/// A machine for one test. Whatever still runs in it when it is dropped is killed.
#[derive(Debug)]
pub struct HostSandbox {
    folder: TempDir,
    marker: String,
    program: PathBuf,
    variables: Vec<(String, String)>,
    standing: PathBuf,
}

/// What a finished `host` command left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl HostSandbox {
    /// A sandbox for the `host` program of this repository.
    pub fn new() -> Self {
        Self::with_program(built::host().unwrap_or_else(|error| panic!("{error}")))
    }

    /// A sandbox for another program in the place of `host`.
    pub fn with_program(program: PathBuf) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder =
            tempfile::Builder::new().prefix("hostler-").tempdir().expect("cannot make a temporary folder");
        let name = folder.path().file_name().unwrap_or_default().to_string_lossy();
        let marker = format!("{name}-{}-{count}", std::process::id());
        for part in ["home", "config", "state", "data", "cache", "run", "bin"] {
            std::fs::create_dir(folder.path().join(part)).expect("cannot make a folder");
        }
        private(&folder.path().join("run"));
        let standing = folder.path().join("home");
        // What agents write beside their work is how most tests see them; the tests of
        // sandboxes ask for one.
        let variables = vec![("HOSTLER_SANDBOX".to_owned(), "none".to_owned())];
        Self { folder, marker, program, variables, standing }
    }

    /// Starts every later `host` in this folder instead of the home folder.
    pub fn stand_in(&mut self, folder: &Path) {
        folder.clone_into(&mut self.standing);
    }

    /// Adds an environment variable for every later `host`.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The folder that holds everything.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The host's configuration file.
    pub fn config_file(&self) -> PathBuf {
        self.folder().join("config/hostler/config.toml")
    }

    /// The host's state folder.
    pub fn state_folder(&self) -> PathBuf {
        self.folder().join("state/hostler")
    }

    /// The folder that comes first on `PATH`.
    pub fn bin_folder(&self) -> PathBuf {
        self.folder().join("bin")
    }

    /// The value of [`MARKER`] that every `host` of this sandbox carries.
    pub fn marker(&self) -> &str {
        &self.marker
    }

    /// Writes the host's configuration file.
    pub fn configure(&self, toml: &str) {
        let path = self.config_file();
        std::fs::create_dir_all(path.parent().unwrap_or(self.folder()))
            .expect("cannot make the configuration folder");
        std::fs::write(path, toml).expect("cannot write the configuration");
    }

    /// Installs the scripted agent on `PATH` under a CLI's name.
    pub fn install_agent(&self, name: &str, script: &Script) -> Installed {
        install(&self.bin_folder(), name, script).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Makes a repository in the sandbox.
    pub fn repository(&self, name: &str) -> ScratchRepository {
        let folder = self.folder().join("repositories").join(name);
        ScratchRepository::at(&folder, &self.folder().join("home"))
    }

    /// Runs a `host` command to its end.
    pub fn host(&self, args: &[&str]) -> Output {
        let output = self
            .command(args)
            .output()
            .unwrap_or_else(|error| panic!("cannot run {}: {error}", self.program.display()));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Output { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// Starts a `host` command that goes on, such as `host run`.
    pub fn spawn_host(&self, args: &[&str]) -> HostProcess {
        HostProcess::spawn(self.command(args), self.folder())
    }

    /// Living processes that belong to this sandbox.
    pub fn processes(&self) -> Vec<processes::Process> {
        let mut found = processes::with_env(MARKER, &self.marker);
        for process in processes::under(self.folder()) {
            if !found.iter().any(|known| known.pid == process.pid) {
                found.push(process);
            }
        }
        found
    }

    /// `host` with nothing of the environment of whoever runs the test but `PATH`.
    pub fn command(&self, args: &[&str]) -> Command {
        let folder = |name: &str| self.folder().join(name);
        let search = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(self.bin_folder()).chain(std::env::split_paths(&search));
        let path = std::env::join_paths(path).unwrap_or(search.clone());
        let mut command = Command::new(&self.program);
        command
            .args(args)
            .current_dir(&self.standing)
            .env_clear()
            .env("PATH", path)
            .env("HOME", folder("home"))
            .env("XDG_CONFIG_HOME", folder("config"))
            .env("XDG_STATE_HOME", folder("state"))
            .env("XDG_DATA_HOME", folder("data"))
            .env("XDG_CACHE_HOME", folder("cache"))
            .env("XDG_RUNTIME_DIR", folder("run"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .env(MARKER, &self.marker)
            .envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

impl Default for HostSandbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for HostSandbox {
    fn drop(&mut self) {
        processes::end_all(|| self.processes());
    }
}

/// Programs refuse a runtime folder that others may enter.
fn private(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, PermissionsExt::from_mode(0o700)).expect("cannot make a folder private");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::waiting::{PATIENCE, wait_until};

    fn sandbox() -> HostSandbox {
        HostSandbox::with_program("/bin/sh".into())
    }

    #[test]
    fn a_command_sees_only_the_sandbox_and_its_answer_comes_back() {
        let sandbox = sandbox().variable("EXTRA", "yes");
        let output = sandbox.host(&["-c", "env; echo oops >&2; exit 3"]);
        assert_eq!((output.code, output.stderr.as_str()), (Some(3), "oops\n"));
        let value = |name: &str| {
            let prefix = format!("{name}=");
            let line = output.stdout.lines().find(|line| line.starts_with(&prefix));
            line.map(|line| line[prefix.len()..].to_owned())
        };
        assert_eq!(value("EXTRA").as_deref(), Some("yes"));
        assert_eq!(value("XDG_STATE_HOME").unwrap(), sandbox.folder().join("state").to_string_lossy());
        assert_eq!(value("CARGO_MANIFEST_DIR"), None);
    }

    #[test]
    fn dropping_the_sandbox_ends_what_still_runs_in_it() {
        let sandbox = sandbox();
        let folder = sandbox.folder().to_owned();
        let marker = sandbox.marker().to_owned();
        let process = sandbox.spawn_host(&["-c", "env -i sleep 300 & echo ready; wait"]);
        process.wait_for_stdout("ready", PATIENCE);
        wait_until(PATIENCE, "shell and sleep run", || match sandbox.processes().len() {
            2 => Ok(()),
            other => Err(other),
        });
        drop(sandbox);
        assert_eq!(processes::with_env(MARKER, &marker), []);
        wait_until(PATIENCE, "nothing stands in its folder", || {
            let left = processes::under(&folder);
            if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
        });
    }
}
