//! What an attempt's folder tells a later host about its start.

use std::io;
use std::path::{Path, PathBuf};

use hostler_components::Plugin;
use hostler_components::job::Job;
use serde::{Deserialize, Serialize};

/// File of an attempt's folder: the provider plugin that reads the attempt's output.
const ATTEMPT_FILE: &str = "attempt.json";

/// File of an attempt's folder: what the plugin was told at the start.
const JOB_FILE: &str = "job.json";

/// The provider plugin an attempt began with, which it stays with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginUsed {
    /// Its name.
    pub id: String,
    /// SHA-256 of its file, as 64 hexadecimal digits.
    pub digest: String,
}

impl PluginUsed {
    /// Names a loaded plugin.
    pub fn of(plugin: &Plugin) -> Self {
        Self { id: plugin.id().to_owned(), digest: plugin.digest().to_string() }
    }
}

/// What is written before an agent is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Records {
    /// Who reads its output.
    pub plugin: PluginUsed,
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
