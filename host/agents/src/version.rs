//! Asking a program for its version, with patience for neither time nor talk.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

/// How long a program may think about its version: the slowest CLI known takes
/// three seconds on a cold disk.
pub const VERSION_LIMIT: Duration = Duration::from_secs(10);

/// How much it may say, in bytes: a version is a line, a help text a few pages.
pub const VERSION_OUTPUT_LIMIT: usize = 64 * 1024;

/// How often the program is looked at while it runs.
const LOOK: Duration = Duration::from_millis(5);

/// How long the last words of a program that has ended may take to arrive.
const DRAIN: Duration = Duration::from_millis(200);

/// Why the version of a program is not known.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// It could not be started.
    #[error("`{}` could not be started to ask its version: {source}; check its path and permissions", program.display())]
    NotStarted {
        /// Full path of the program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It did not end in time.
    #[error("`{}` did not tell its version within {} ms; run it by hand to see what it waits for", program.display(), limit.as_millis())]
    TimedOut {
        /// Full path of the program.
        program: PathBuf,
        /// What it was given.
        limit: Duration,
    },
    /// It said more than a version.
    #[error("`{}` printed more than {VERSION_OUTPUT_LIMIT} bytes when asked its version; check that it is the right program", program.display())]
    TooMuch {
        /// Full path of the program.
        program: PathBuf,
    },
}

/// Runs `program args…` and gives what it printed, trimmed: its standard output,
/// or its standard error if that is empty, whatever its exit code. Its input is
/// closed, its folder is `/`, its environment is `env` and nothing else. Its
/// process group is gone when this returns or is dropped.
pub async fn version(
    program: &Path,
    args: &[OsString],
    env: &[(OsString, OsString)],
    limit: Duration,
) -> Result<String, VersionError> {
    let not_started = |source| VersionError::NotStarted { program: program.to_owned(), source };
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .envs(env.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(not_started)?;
    let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    let Some(pid) = pid else { return Err(not_started(io::ErrorKind::NotFound.into())) };
    let group = Group(pid);

    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut said, mut complained) = (Vec::new(), Vec::new());
    let finished = {
        let reading = async { tokio::join!(read(stdout, &mut said), read(stderr, &mut complained)) };
        tokio::pin!(reading);
        timeout(limit, async {
            tokio::select! {
                (short, also_short) = &mut reading => if short && also_short { group.leader_ended().await },
                () = group.leader_ended() => {
                    group.kill();
                    let _ = timeout(DRAIN, &mut reading).await;
                }
            }
        })
        .await
    };
    drop(group);
    let _ = child.wait().await;
    if said.len() > VERSION_OUTPUT_LIMIT || complained.len() > VERSION_OUTPUT_LIMIT {
        return Err(VersionError::TooMuch { program: program.to_owned() });
    }
    if finished.is_err() {
        return Err(VersionError::TimedOut { program: program.to_owned(), limit });
    }
    let said = if said.trim_ascii().is_empty() { complained } else { said };
    Ok(String::from_utf8_lossy(said.trim_ascii()).into_owned())
}

/// Reads to the end, or to one byte past the limit; tells whether it was the end.
async fn read(pipe: Option<impl AsyncRead + Unpin>, into: &mut Vec<u8>) -> bool {
    if let Some(pipe) = pipe {
        // What came before an error is what there is.
        let _ = pipe.take(VERSION_OUTPUT_LIMIT as u64 + 1).read_to_end(into).await;
    }
    into.len() <= VERSION_OUTPUT_LIMIT
}

/// The program's process group. Valid while its leader is not reaped, because
/// until then its number belongs to nobody else.
struct Group(Pid);

impl Group {
    /// Waits for the leader's end without reaping it.
    async fn leader_ended(&self) {
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        while matches!(rustix::process::waitid(WaitId::Pid(self.0), look), Ok(None)) {
            sleep(LOOK).await;
        }
    }

    fn kill(&self) {
        // It fails only if nobody is left.
        let _ = rustix::process::kill_process_group(self.0, Signal::KILL);
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Instant;

    use super::*;

    async fn ask(script: &str, limit: Duration) -> Result<String, VersionError> {
        let env = [("PATH".into(), "/usr/bin:/bin".into())];
        version(Path::new("/bin/sh"), &["-c".into(), script.into()], &env, limit).await
    }

    #[tokio::test]
    async fn standard_output_counts_first() {
        assert_eq!(ask("echo tool 1.2; echo noise >&2", VERSION_LIMIT).await.unwrap(), "tool 1.2");
        assert_eq!(ask("echo tool 1.2 >&2; exit 3", VERSION_LIMIT).await.unwrap(), "tool 1.2");
    }

    #[tokio::test]
    async fn nothing_is_to_be_read_and_nothing_inherited() {
        assert_eq!(ask("cat; env | grep -c CARGO", VERSION_LIMIT).await.unwrap(), "0");
    }

    #[tokio::test]
    async fn a_program_that_hangs_is_killed_with_its_group() {
        let home = tempfile::tempdir().unwrap();
        let pid_file = home.path().join("pid");
        let script = format!("sleep 100 & echo $! > {}; wait", pid_file.display());
        let error = ask(&script, Duration::from_millis(500)).await.unwrap_err();
        assert!(error.to_string().contains("did not tell its version within 500 ms"));
        let sleeper: i32 = std::fs::read_to_string(pid_file).unwrap().trim().parse().unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        while crate::process::look(sleeper).is_some_and(|seen| !seen.ended) {
            assert!(Instant::now() < deadline, "the sleeper is still there");
            sleep(LOOK).await;
        }
    }

    #[tokio::test]
    async fn a_helper_that_keeps_the_pipe_does_not_hold_up_the_answer() {
        let asked = Instant::now();
        assert_eq!(ask("sleep 100 & echo 1.0", VERSION_LIMIT).await.unwrap(), "1.0");
        assert!(asked.elapsed() < Duration::from_secs(5));
    }

    #[tokio::test]
    async fn output_at_the_limit_is_taken_and_one_byte_more_is_refused() {
        let text =
            ask(&format!("head -c {VERSION_OUTPUT_LIMIT} /dev/zero | tr '\\0' x"), VERSION_LIMIT).await;
        assert_eq!(text.unwrap().len(), VERSION_OUTPUT_LIMIT);
        let more = VERSION_OUTPUT_LIMIT + 1;
        let error = ask(&format!("head -c {more} /dev/zero | tr '\\0' x"), VERSION_LIMIT).await.unwrap_err();
        assert!(matches!(error, VersionError::TooMuch { .. }));
        assert!(matches!(ask("cat /dev/zero", VERSION_LIMIT).await, Err(VersionError::TooMuch { .. })));
    }
}
