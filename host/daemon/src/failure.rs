//! What can keep a host from starting or going on, in sentences for people, and
//! the kind that decides the exit code.

use std::path::PathBuf;

use hostler_broker::GateError;
use hostler_components::{CallError, LoadError, RuntimeError, SigningKeyError};
use hostler_engine::command::TemplateError;
use hostler_engine::problem::Problem;
use hostler_journal::JournalError;
use hostler_journal::audit::AuditError;
use hostler_policy::{Line, PolicyError};
use hostler_workspaces::{RemoteError, WorkspaceError};

use crate::plugins::grants::GrantError;
use crate::plugins::keys::KeyError;
use crate::plugins::lockfile::LockFileError;
use crate::plugins::permit::Withdrawn;
use crate::plugins::proving::ProofError;
use crate::plugins::vouching::NotVouched;

/// What kind of failure; decides the exit code of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// A setting is missing or wrong.
    Configuration,
    /// A plugin cannot be used.
    Plugin,
    /// A grant is missing.
    Grant,
    /// A repository cannot be used.
    Repository,
    /// A program is missing.
    Program,
    /// Another host runs on the same state.
    Busy,
    /// The record cannot be read or written.
    Record,
    /// There is no such run.
    Absent,
    /// Anything else.
    Internal,
}

/// Why a host does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Another host runs here.
    #[error(
        "another host{} runs on {}: stop it first, or give this one a state folder of its own with XDG_STATE_HOME",
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
        state.display()
    )]
    Busy {
        /// Its process, if it said so.
        pid: Option<u32>,
        /// The state folder.
        state: PathBuf,
    },
    /// A folder or file of the host cannot be used.
    #[error("{} cannot be used: {source}; check that it exists, is writable, and that the disk has room", path.display())]
    Folder {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The record cannot be read or written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The audit log cannot be read or written.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// An entry of the record cannot be understood.
    #[error("entry {seq} of {} cannot be understood ({problem}): it was written by another version of Hostler; use that one, or {remedy}", path.display())]
    Entry {
        /// Which entry.
        seq: String,
        /// The journal.
        path: PathBuf,
        /// What was wrong.
        problem: String,
        /// What else can be done.
        remedy: String,
    },
    /// The plugin runtime does not work here.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A plugin file cannot be used.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A plugin is not what it is used as.
    #[error("{} is no {wanted} plugin: {remedy}", file.display())]
    WrongKind {
        /// The file.
        file: PathBuf,
        /// `tracker` or `provider`.
        wanted: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// A plugin file was replaced while it was loaded.
    #[error("the plugin {} was replaced while it was loaded: start again", file.display())]
    PluginChanged {
        /// The file.
        file: PathBuf,
    },
    /// An installed plugin is not what was installed.
    #[error("the plugin `{id}` ({}) has changed since it was installed: install it again with `host plugin install FILE`, or go back with `host plugin rollback {id}`", file.display())]
    PluginNotAsInstalled {
        /// The plugin.
        id: String,
        /// The file.
        file: PathBuf,
    },
    /// Somebody else installs or removes a plugin.
    #[error("another `host plugin` command changes the plugins in {} just now: try again when it has ended", folder.display())]
    InstallUnderWay {
        /// The folder of plugins.
        folder: PathBuf,
    },
    /// What is installed cannot be told or changed.
    #[error(transparent)]
    LockFile(#[from] LockFileError),
    /// A plugin could not be compiled or tried out.
    #[error(transparent)]
    Proof(#[from] ProofError),
    /// No run is called so.
    #[error("no run matches `{0}`, or more than one does: `host runs` lists them")]
    NoSuchRun(String),
    /// No provider at all.
    #[error(
        "no coding CLI is chosen: name a provider plugin with --provider, for example `--provider claude-code`"
    )]
    NoProvider,
    /// A grant is missing.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// A grant was taken back while it was used.
    #[error(transparent)]
    Withdrawn(#[from] Withdrawn),
    /// The organisation does not allow it.
    #[error(
        "your organisation's policy does not allow {what} ({by}): \
         `host policy check` tells what it allows, and whoever keeps it can change it"
    )]
    Ceiling {
        /// What is not allowed.
        what: String,
        /// What stands against it.
        by: Line,
    },
    /// A policy of the organisation cannot be used.
    #[error("{0}; until then nothing is allowed, and no work is begun")]
    Policy(PolicyError),
    /// The keys of signers cannot be used.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A plugin cannot be signed.
    #[error(transparent)]
    Signing(#[from] SigningKeyError),
    /// A plugin has no good signature, and needs one.
    #[error("{0}; without a good signature nothing runs here (`signatures = \"require\"`)")]
    NotVouched(#[from] NotVouched),
    /// A grant cannot be used as configured.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A setting of a plugin is wrong.
    #[error("{0}")]
    Setting(String),
    /// The command of the `command` provider.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A repository cannot be used.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// The tracker works with a remote that a repository does not have.
    #[error("{tracker} starts from the remote of a repository and brings work there: {problem}")]
    Remote {
        /// Which one.
        tracker: String,
        /// What is missing.
        problem: RemoteError,
    },
    /// The same for a folder that is in no repository.
    #[error("{tracker} starts from the remote of a repository and brings work there: {} is in no git repository; start `host` inside one, or name one with --repo", path.display())]
    NoRepository {
        /// Which one.
        tracker: String,
        /// The folder.
        path: PathBuf,
    },
    /// The program of a provider is missing.
    #[error("{0}")]
    Program(String),
    /// A plugin crashed while it was set up.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The tracker does not want us.
    #[error("{tracker}: {problem}")]
    Tracker {
        /// Which one.
        tracker: String,
        /// What it said.
        problem: Problem,
    },
    /// The control socket cannot be opened.
    #[error("the control socket {} cannot be opened: {source}", path.display())]
    Socket {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A part of the host ended unexpectedly.
    #[error("a part of the host ended unexpectedly ({0}); this is a bug, please report it")]
    Internal(String),
}

impl Failure {
    /// What kind it is.
    pub const fn kind(&self) -> FailureKind {
        match self {
            Self::Busy { .. } | Self::InstallUnderWay { .. } => FailureKind::Busy,
            Self::Journal(_) | Self::Audit(_) | Self::Entry { .. } | Self::Folder { .. } => {
                FailureKind::Record
            }
            Self::Load(_)
            | Self::WrongKind { .. }
            | Self::PluginChanged { .. }
            | Self::PluginNotAsInstalled { .. }
            | Self::LockFile(_)
            | Self::Proof(_)
            | Self::NotVouched(_)
            | Self::Call(_) => FailureKind::Plugin,
            Self::NoSuchRun(_) => FailureKind::Absent,
            Self::Grant(_) | Self::Withdrawn(_) | Self::Ceiling { .. } => FailureKind::Grant,
            Self::Policy(_)
            | Self::Keys(_)
            | Self::Gate(_)
            | Self::Setting(_)
            | Self::Template(_)
            | Self::NoProvider => FailureKind::Configuration,
            Self::Workspace(WorkspaceError::GitMissing { .. } | WorkspaceError::GitTooOld { .. }) => {
                FailureKind::Program
            }
            Self::Workspace(_) | Self::Remote { .. } | Self::NoRepository { .. } => FailureKind::Repository,
            Self::Program(_) => FailureKind::Program,
            Self::Signing(_)
            | Self::Runtime(_)
            | Self::Tracker { .. }
            | Self::Socket { .. }
            | Self::Internal(_) => FailureKind::Internal,
        }
    }

    /// Makes a folder error from an I/O error.
    pub fn folder(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Folder { path, source }
    }
}
