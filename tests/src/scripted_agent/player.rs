//! Plays steps one after the other.

use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::children::{self, LONGEST_LIFE, linger};
use super::ending::{self, Ending, READER_GONE};
use super::output;
use super::signals;
use super::starts::{StartLog, StartsError};
use super::step::{ChildKind, Step};

/// One start in progress.
#[derive(Debug, Clone)]
pub(super) struct Player {
    /// Folder of the script: transcripts and files shared with the test.
    pub shared: PathBuf,
    /// The agent's working folder.
    pub cwd: PathBuf,
    pub log: StartLog,
}

/// Why a step could not be played.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// The system refused something.
    #[error("a step failed: {0}")]
    Io(#[from] io::Error),
    /// A file named by a step could not be used.
    #[error("cannot use {} named by a step: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The log could not be written.
    #[error(transparent)]
    Log(#[from] StartsError),
    /// A program run by a step failed.
    #[error("`{command}` ended with {status}")]
    Command {
        /// As run.
        command: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// The test never made the file.
    #[error("nobody made {} for {} seconds", path.display(), LONGEST_LIFE.as_secs())]
    NobodyCame {
        /// The file.
        path: PathBuf,
    },
    /// A process left behind did not come up.
    #[error("the {kind:?} process to leave behind did not get ready")]
    ChildNotReady {
        /// Which one.
        kind: ChildKind,
    },
    /// A script cannot wait for ever: a broken test would leave its agents behind.
    #[error("nobody ended this hanging agent for {} seconds, or its test is over", LONGEST_LIFE.as_secs())]
    HungTooLong,
}

impl Player {
    /// Plays the steps; `None` if none of them ends the process.
    pub fn play(&self, steps: &[Step]) -> Result<Option<Ending>, PlayError> {
        for step in steps {
            match self.step(step) {
                Ok(None) => {}
                Ok(ending) => return Ok(ending),
                Err(PlayError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Ok(Some(Ending::Exit(READER_GONE)));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    fn step(&self, step: &Step) -> Result<Option<Ending>, PlayError> {
        match step {
            Step::Exit { code } => return Ok(Some(Ending::Exit(*code))),
            Step::Die { signal } => return Ok(Some(Ending::Signal(*signal))),
            Step::Repeat { times, steps } => return self.repeat(*times, steps),
            Step::Transcript { .. } | Step::Text { .. } | Step::Bytes { .. } | Step::LongLine { .. } => {
                self.print(step)?;
            }
            Step::Write { .. }
            | Step::Delete { .. }
            | Step::Link { .. }
            | Step::Commit { .. }
            | Step::Run { .. }
            | Step::Plant { .. } => self.work(step)?,
            Step::ReadStdin { patience_ms } => self.read_stdin(*patience_ms)?,
            Step::ReadLine {} => self.read_line()?,
            Step::WaitFor { path } => wait_for(&self.shared.join(path))?,
            Step::Mark { path } => write_file(&self.shared.join(path), b"", false)?,
            Step::Pause { ms } => std::thread::sleep(Duration::from_millis(*ms)),
            Step::Hang {} => {
                linger(self.log.path(), LONGEST_LIFE);
                return Err(PlayError::HungTooLong);
            }
            Step::Spawn { kind, holds_stdout, ignores_term } => {
                children::leave_behind(&self.log, *kind, *holds_stdout, *ignores_term)?;
            }
            Step::OnSignal { signal, then } => {
                let (player, then) = (self.clone(), then.clone());
                signals::on_signal(*signal, move || player.react(&then))?;
            }
        }
        Ok(None)
    }

    /// Plays the reaction to a signal; ends the process if the steps say so.
    fn react(&self, steps: &[Step]) {
        match self.play(steps) {
            Ok(None) => {}
            Ok(Some(ending)) => ending.carry_out(&self.log),
            Err(error) => ending::fail(Some(&self.log), &error),
        }
    }

    fn repeat(&self, times: u64, steps: &[Step]) -> Result<Option<Ending>, PlayError> {
        for _ in 0..times {
            if let Some(ending) = self.play(steps)? {
                return Ok(Some(ending));
            }
        }
        Ok(None)
    }

    fn print(&self, step: &Step) -> Result<(), PlayError> {
        match step {
            Step::Transcript { file, lines, pace, stream, replace } => {
                let path = self.shared.join(file);
                let bytes = std::fs::read(&path).map_err(|source| file_error(&path, source))?;
                let recorded = output::first_lines(&bytes, *lines);
                output::print_transcript(*stream, &recorded, *pace, replace, &self.cwd)?;
            }
            Step::Text { text, stream, newline } => output::print_text(*stream, text, *newline)?,
            Step::Bytes { pieces, pause_ms, stream } => {
                output::print_pieces(*stream, pieces, Duration::from_millis(*pause_ms))?;
            }
            Step::LongLine { bytes, newline } => output::print_long_line(*bytes, *newline)?,
            _ => {}
        }
        Ok(())
    }

    /// Changes the working folder.
    fn work(&self, step: &Step) -> Result<(), PlayError> {
        match step {
            Step::Write { path, text, append } => write_file(&self.cwd.join(path), text.as_bytes(), *append),
            Step::Delete { path } => {
                let path = self.cwd.join(path);
                remove(&path).map_err(|source| file_error(&path, source))
            }
            Step::Link { path, target } => {
                let path = self.cwd.join(path);
                if path.symlink_metadata().is_ok() {
                    remove(&path).map_err(|source| file_error(&path, source))?;
                }
                std::os::unix::fs::symlink(target, &path).map_err(|source| file_error(&path, source))
            }
            Step::Commit { message } => self.commit(message),
            Step::Run { argv } => self.run(argv),
            Step::Plant { trick, canary } => Ok(trick.plant(&self.cwd, canary)?),
            _ => Ok(()),
        }
    }

    fn commit(&self, message: &str) -> Result<(), PlayError> {
        self.run(&["git", "add", "--all"])?;
        // The agent has no identity of its own: the host gives it no home.
        self.run(&[
            "git",
            "-c",
            "user.name=Scripted Agent",
            "-c",
            "user.email=agent@example.invalid",
            "-c",
            "commit.gpgsign=false",
            "commit",
            "--quiet",
            "--message",
            message,
        ])
    }

    fn run(&self, command: &[impl AsRef<str>]) -> Result<(), PlayError> {
        let words: Vec<&str> = command.iter().map(AsRef::as_ref).collect();
        let [program, args @ ..] = words.as_slice() else {
            return Err(io::Error::other("the step `run` names no program").into());
        };
        let output = Command::new(program)
            .args(args)
            .current_dir(&self.cwd)
            .stdin(Stdio::null())
            .output()
            .map_err(|source| file_error(Path::new(program), source))?;
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        output::print(super::step::Stream::Stderr, &said)?;
        if output.status.success() {
            return Ok(());
        }
        Err(PlayError::Command { command: words.join(" "), status: output.status })
    }

    fn read_stdin(&self, patience_ms: Option<u64>) -> Result<(), PlayError> {
        let Some(patience) = patience_ms else {
            let mut bytes = Vec::new();
            io::stdin().lock().read_to_end(&mut bytes)?;
            return Ok(self.log.stdin(lossy(&bytes))?);
        };
        let (sender, chunks) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 8192];
            while let Ok(count @ 1..) = io::stdin().lock().read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        let until = Instant::now() + Duration::from_millis(patience);
        let mut bytes = Vec::new();
        while let Ok(chunk) = chunks.recv_timeout(until.saturating_duration_since(Instant::now())) {
            bytes.extend(chunk);
        }
        Ok(self.log.stdin(lossy(&bytes))?)
    }

    fn read_line(&self) -> Result<(), PlayError> {
        let mut bytes = Vec::new();
        io::stdin().lock().read_until(b'\n', &mut bytes)?;
        Ok(self.log.stdin(lossy(&bytes))?)
    }
}

fn wait_for(path: &Path) -> Result<(), PlayError> {
    let since = Instant::now();
    while !path.exists() {
        if since.elapsed() > LONGEST_LIFE {
            let path = path.to_owned();
            return Err(PlayError::NobodyCame { path });
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn file_error(path: &Path, source: io::Error) -> PlayError {
    PlayError::File { path: path.to_owned(), source }
}

fn write_file(path: &Path, bytes: &[u8], append: bool) -> Result<(), PlayError> {
    let write = || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = std::fs::OpenOptions::new();
        options.create(true).append(append).write(true).truncate(!append);
        io::Write::write_all(&mut options.open(path)?, bytes)
    };
    write().map_err(|source| file_error(path, source))
}

fn remove(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }
}
