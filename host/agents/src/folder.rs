//! The files of one attempt's folder, and how they are written.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hostler_engine::sandbox::Tier;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::containment::ContainedBy;
use crate::exit::Exit;
use crate::limits::LimitedBy;
use crate::process::ProcessId;

/// What the agent wrote to its standard output, byte for byte.
pub const STDOUT_FILE: &str = "stdout.log";
/// What the agent wrote to its standard error, byte for byte.
pub const STDERR_FILE: &str = "stderr.log";
/// Who runs this attempt: an [`AgentRecord`].
pub const RECORD_FILE: &str = "agent.json";
/// How it ended: an [`Exit`]. Written last; if it is there, the attempt is over.
pub const EXIT_FILE: &str = "exit.json";
/// Where a later host speaks to the supervisor.
pub(crate) const SOCKET_FILE: &str = "shim.sock";

/// The processes of one attempt, on disk before the agent starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentRecord {
    /// The run it belongs to.
    pub run: String,
    /// Counts from 1.
    pub attempt: u32,
    /// The supervisor process.
    pub shim: ProcessId,
    /// The agent's main process; absent only while it is being started.
    pub agent: Option<ProcessId>,
    /// The version of the conversation that the supervisor speaks.
    pub protocol: u32,
    /// What keeps its processes together.
    pub containment: ContainedBy,
    /// The control group's folder, if that is what it is.
    #[serde(default)]
    pub cgroup: Option<PathBuf>,
    /// What holds it to its limits.
    pub limited_by: LimitedBy,
    /// How far it is walled in; nothing until it was done.
    #[serde(default)]
    pub sandbox: Tier,
    /// The port that is its only way to the network, if there is only one.
    #[serde(default)]
    pub listener: Option<u16>,
}

impl AgentRecord {
    /// The record in an attempt's folder; `None` if no supervisor was ever started.
    /// An error if it cannot be read, or is of another version.
    pub fn read(folder: &Path) -> io::Result<Option<Self>> {
        Folder::at(folder).record()
    }
}

/// One attempt's folder. Everything in it is for the owner's eyes only.
#[derive(Clone, Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn at(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn create(&self) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.0)
    }

    /// Creates one of the two logs; an error if it is there already.
    pub(crate) fn create_log(&self, name: &str) -> io::Result<File> {
        OpenOptions::new().append(true).create_new(true).mode(0o600).open(self.0.join(name))
    }

    pub(crate) fn record(&self) -> io::Result<Option<AgentRecord>> {
        self.read(RECORD_FILE)
    }

    pub(crate) fn write_record(&self, record: &AgentRecord) -> io::Result<()> {
        self.write(RECORD_FILE, record)
    }

    pub(crate) fn exit(&self) -> io::Result<Option<Exit>> {
        self.read(EXIT_FILE)
    }

    pub(crate) fn write_exit(&self, exit: &Exit) -> io::Result<()> {
        self.write(EXIT_FILE, exit)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        match fs::read(self.0.join(name)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whole or not at all, also over a power cut; that may take a file of the last
    /// moment away, but then it has ended every process it tells of, too.
    fn write<T: Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        let unfinished = self.0.join(format!("{name}.new"));
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(&serde_json::to_vec(value)?)?;
        file.sync_all()?;
        fs::rename(&unfinished, self.0.join(name))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn record() -> AgentRecord {
        let shim = ProcessId { pid: 1, started: "boot/2".into() };
        AgentRecord {
            run: "r".into(),
            attempt: 1,
            shim,
            agent: None,
            protocol: 1,
            containment: ContainedBy::default(),
            cgroup: None,
            limited_by: LimitedBy::default(),
            sandbox: Tier::None,
            listener: None,
        }
    }

    #[test]
    fn a_record_is_read_back_and_only_the_owner_may() {
        let home = tempfile::tempdir().unwrap();
        let folder = Folder::at(&home.path().join("runs/r/1"));
        folder.create().unwrap();
        assert_eq!(folder.record().unwrap(), None);
        folder.write_record(&record()).unwrap();
        assert_eq!(folder.record().unwrap(), Some(record()));

        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(folder.path()), 0o700);
        assert_eq!(mode(&folder.path().join(RECORD_FILE)), 0o600);
    }

    #[test]
    fn half_a_record_is_an_error_not_an_absence() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join(RECORD_FILE), "{\"run\":\"r").unwrap();
        assert!(Folder::at(home.path()).record().is_err());
    }
}
