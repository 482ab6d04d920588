//! Puts the scripted agent on a test's `PATH` under a CLI's name.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::built;

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
}
