//! Puts the scripted agent on a test's `PATH` under a CLI's name.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::built;
use crate::waiting::{PATIENCE, wait_until};

use super::locate;
use super::script::Script;
use super::starts::{Start, StartsError, read_starts};

/// An installed agent.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The program.
    pub program: PathBuf,
    log: PathBuf,
}

/// Why an agent could not be installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The program to install is not built.
    #[error(transparent)]
    NotBuilt(#[from] built::BuildError),
    /// A file could not be written.
    #[error("cannot install the scripted agent as {}: {source}", path.display())]
    Io {
        /// Where to.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The script cannot be written as TOML.
    #[error("cannot write the script: {0}")]
    Script(#[from] toml::ser::Error),
}

/// Installs the agent in `folder` as `name`, playing `script`. Installing again
/// under the same name exchanges the script and keeps the log.
pub fn install(folder: &Path, name: &str, script: &Script) -> Result<Installed, InstallError> {
    let program = folder.join(name);
    let failed = |source| InstallError::Io { path: program.clone(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    if !program.exists() {
        place(&built::program("scripted-agent")?, &program).map_err(failed)?;
    }
    let path = locate::beside(&program);
    std::fs::write(&path, toml::to_string(script)?).map_err(failed)?;
    let log = match &script.log {
        Some(log) => folder.join(log),
        None => locate::log_beside(&path),
    };
    Ok(Installed { program, log })
}

/// The path of a recorded transcript of this repository, such as `claude-success`.
pub fn transcript(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/transcripts").join(format!("{name}.jsonl"))
}

/// A hard link keeps the agent's own path as its executable even where the
/// caller resolves links. Where it is impossible, another process copies: a copy
/// made here could still be open for writing in a child forked at that moment,
/// and starting it would fail with "text file busy".
fn place(built: &Path, program: &Path) -> io::Result<()> {
    if std::fs::hard_link(built, program).is_ok() {
        return Ok(());
    }
    let status = Command::new("cp").arg(built).arg(program).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("cp ended with {status}"))) }
}

impl Installed {
    /// All starts so far, in order.
    pub fn starts(&self) -> Result<Vec<Start>, StartsError> {
        read_starts(&self.log)
    }

    /// A file shared with the script, whose steps `wait-for` and `mark` name it alike.
    pub fn shared(&self, file: &str) -> PathBuf {
        self.program.with_file_name(file)
    }

    /// Makes the file a `wait-for` step waits for.
    pub fn let_go(&self, file: &str) -> io::Result<()> {
        std::fs::write(self.shared(file), "")
    }

    /// Waits until the agent has started so often, and returns the last of these starts.
    ///
    /// # Panics
    ///
    /// After [`PATIENCE`], with what is in the log.
    pub fn wait_for_start(&self, number: usize) -> Start {
        wait_until(PATIENCE, &format!("start {number}"), || match self.starts() {
            Ok(mut starts) if starts.len() >= number && number > 0 => Ok(starts.swap_remove(number - 1)),
            other => Err(format!("{other:?}")),
        })
    }

    /// Waits until the agent has played a `mark` step.
    ///
    /// # Panics
    ///
    /// After [`PATIENCE`], with what is in the log.
    pub fn wait_for_mark(&self, file: &str) {
        let path = self.shared(file);
        wait_until(PATIENCE, &format!("{} is there", path.display()), || {
            if path.exists() { Ok(()) } else { Err(format!("{:?}", self.starts())) }
        });
    }
}
