//! A `host` that runs beside the test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::waiting::wait_until;

/// A running program whose output goes to files, so that nobody has to read it
/// for it to go on. Killed when dropped.
#[derive(Debug)]
pub struct HostProcess {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl HostProcess {
    /// Starts a command with its output in new files of `folder`.
    pub(crate) fn spawn(mut command: Command, folder: &Path) -> Self {
        let keep = |end: &str| {
            let file = tempfile::Builder::new()
                .prefix("host-")
                .suffix(end)
                .tempfile_in(folder)
                .expect("cannot make a file for output");
            file.keep().expect("cannot keep a file for output")
        };
        let ((stdout_file, stdout), (stderr_file, stderr)): ((File, _), (File, _)) =
            (keep(".stdout"), keep(".stderr"));
        let child = command
            .stdin(Stdio::null())
            .stdout(stdout_file)
            .stderr(stderr_file)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { child, stdout, stderr }
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Everything printed on standard output so far.
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// Everything printed on standard error so far.
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Waits until standard output contains a text.
    ///
    /// # Panics
    ///
    /// After `within`, with all output so far.
    pub fn wait_for_stdout(&self, text: &str, within: Duration) {
        wait_until(within, &format!("stdout has {text:?}"), || {
            if self.stdout().contains(text) {
                Ok(())
            } else {
                Err(format!("stdout: {}\nstderr: {}", self.stdout(), self.stderr()))
            }
        });
    }

    /// Kills it as a power cut would, and waits until it is gone.
    pub fn kill_9(&mut self) -> ExitStatus {
        // Fails only where it has ended already, and then `wait` says how.
        let _ = self.child.kill();
        self.child.wait().expect("cannot wait for a child")
    }

    /// Asks it to end, with SIGTERM.
    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Sends it a signal. Its id stays its own until it is waited for.
    pub fn signal(&self, signal: rustix::process::Signal) {
        if let Some(pid) = rustix::process::Pid::from_raw(self.pid()) {
            // Fails only where it has ended already.
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// After `within`, with all output so far.
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        let (stdout, stderr) = (self.stdout.clone(), self.stderr.clone());
        wait_until(within, "the host ends", || match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            other => Err(format!("{other:?}\nstdout: {}\nstderr: {}", read(&stdout), read(&stderr))),
        })
    }
}

impl Drop for HostProcess {
    fn drop(&mut self) {
        self.kill_9();
    }
}

fn read(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}
