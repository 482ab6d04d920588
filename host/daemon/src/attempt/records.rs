//! What an attempt's folder tells a later host about its start.

use std::io;
use std::path::{Path, PathBuf};

use hostler_components::job::Job;

use crate::plugins::store::{ATTEMPT_FILE, Build};

/// File of an attempt's folder: what the plugin was told at the start.
const JOB_FILE: &str = "job.json";

/// What is written before an agent is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    /// Who reads its output.
    pub plugin: Build,
    /// What it was told.
    pub job: Job,
}

/// Where the prompt of an attempt lies.
pub fn prompt_file(folder: &Path) -> PathBuf {
    folder.join("prompt.md")
}

impl Records {
    /// Writes them, and the prompt beside them.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        crate::home::make_private(folder)?;
        crate::files::note(&prompt_file(folder), self.job.prompt.as_bytes())?;
        crate::files::note(&folder.join(ATTEMPT_FILE), &serde_json::to_vec(&self.plugin)?)?;
        crate::files::note(&folder.join(JOB_FILE), &serde_json::to_vec(&self.job)?)
    }

    /// Reads them; `None` if they are not there, and then nothing was started.
    pub fn read(folder: &Path) -> Option<Self> {
        let read = |name: &str| std::fs::read(folder.join(name)).ok();
        Some(Self {
            plugin: serde_json::from_slice(&read(ATTEMPT_FILE)?).ok()?,
            job: serde_json::from_slice(&read(JOB_FILE)?).ok()?,
        })
    }
}
