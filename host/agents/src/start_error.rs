//! Why an agent could not be started, told so that a person can mend it.

use std::io;
use std::path::{Path, PathBuf};

use hostler_engine::redaction::RedactionError;
use hostler_engine::sandbox::Tier;
use rustix::io::Errno;

use crate::control::{Orders, Step};
use crate::program::ProgramError;
use crate::sandbox::WallsError;

/// Why an agent could not be started. Nothing of it runs.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no such program, or it may not be run.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The file is there, but the system cannot run it.
    #[error(
        "the system cannot run `{}`: {source}; check that it is made for this machine, \
         and that the interpreter in its first line is installed",
        program.display()
    )]
    NotRunnable {
        /// Full path of the program.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is nowhere to work in.
    #[error("`{}` is not a folder to start the agent in; prepare the workspace again", cwd.display())]
    NoFolderToWorkIn {
        /// The folder asked for.
        cwd: PathBuf,
    },
    /// More than the system passes to a program.
    #[error(
        "the command line and environment of `{}` are too long for the system ({bytes} bytes); \
         give the prompt on standard input or in a file",
        program.display()
    )]
    ArgumentsTooLong {
        /// Full path of the program.
        program: PathBuf,
        /// Arguments and environment together.
        bytes: usize,
    },
    /// The walls of its sandbox cannot stand where they are wanted.
    #[error(transparent)]
    Walls(#[from] WallsError),
    /// The system does not let us wall it in.
    #[error(
        "the agent cannot be put into the sandbox `{tier}`: {doing}: {source}; \
         `host doctor` says what this machine lacks"
    )]
    Sandbox {
        /// What was asked for.
        tier: Tier,
        /// What failed.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// The program and its folder are on the machine, but the agent does not see them.
    #[error(
        "`{}`, or the folder `{}` it is to work in, does not appear in the sandbox; add the program's \
         folder, and what its links lead to, to what of the home appears there, or install it elsewhere",
        program.display(), cwd.display()
    )]
    NotInSandbox {
        /// Full path of the program.
        program: PathBuf,
        /// The folder asked for.
        cwd: PathBuf,
    },
    /// More than can be kept out of the logs.
    #[error(transparent)]
    Secrets(#[from] RedactionError),
    /// The attempt's folder holds another start already.
    #[error("`{}` holds an attempt that was started before; reap that one and start a new attempt", folder.display())]
    StartedBefore {
        /// The attempt's folder.
        folder: PathBuf,
    },
    /// No space for the logs.
    #[error("the disk is full, `{}` cannot be written; free some space", folder.display())]
    DiskFull {
        /// The attempt's folder.
        folder: PathBuf,
    },
    /// The logs or records cannot be written.
    #[error("`{}` cannot be written: {source}; check its owner and permissions", folder.display())]
    FolderNotWritable {
        /// The attempt's folder.
        folder: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no room for another process.
    #[error(
        "the system cannot start another process: {source}; run fewer agents at a time or raise the limit"
    )]
    TooManyProcesses {
        /// What the system said.
        source: io::Error,
    },
    /// The supervisor itself failed.
    #[error("the supervisor `{}` failed: {source}; check that the host's own program is still in its place", shim.display())]
    Shim {
        /// The program that was to supervise.
        shim: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StartError {
    /// A failure to write into the attempt's folder.
    pub(crate) fn folder(folder: &Path, source: io::Error) -> Self {
        let folder = folder.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { folder },
            io::ErrorKind::AlreadyExists => Self::StartedBefore { folder },
            _ => Self::FolderNotWritable { folder, source },
        }
    }

    pub(crate) fn too_long(orders: &Orders) -> Self {
        Self::ArgumentsTooLong { program: PathBuf::from(orders.program.as_ref()), bytes: orders.size() }
    }

    /// What the shim reported, read with what is true now about the files.
    pub(crate) fn from_shim(step: Step, errno: i32, orders: &Orders, shim: &Path) -> Self {
        let source = io::Error::from_raw_os_error(errno);
        let cwd = Path::new(orders.cwd.as_ref());
        match (step, Errno::from_raw_os_error(errno)) {
            (Step::Record, _) => Self::folder(Path::new(orders.folder.as_ref()), source),
            (Step::Supervise, _) => Self::Shim { shim: shim.to_owned(), source },
            (Step::Sandbox { doing }, _) => {
                let tier = orders.sandbox.as_ref().map_or(Tier::None, |plan| plan.tier);
                Self::Sandbox { tier, doing, source }
            }
            (Step::Exec, Errno::TOOBIG) => Self::too_long(orders),
            (Step::Exec, Errno::AGAIN | Errno::NOMEM | Errno::MFILE | Errno::NFILE) => {
                Self::TooManyProcesses { source }
            }
            (Step::Exec, _) if !cwd.is_dir() => Self::NoFolderToWorkIn { cwd: cwd.to_owned() },
            (Step::Exec, Errno::NOENT) if orders.sandbox.is_some() => {
                Self::NotInSandbox { program: PathBuf::from(orders.program.as_ref()), cwd: cwd.to_owned() }
            }
            (Step::Exec, _) => Self::NotRunnable { program: PathBuf::from(orders.program.as_ref()), source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::byte_text::Word;
    use crate::containment::Containment;
    use crate::limits::Limits;
    use crate::sandbox::Plan;
    use crate::stdin::Stdin;

    fn word(text: &str) -> Word {
        std::ffi::OsString::from(text).into()
    }

    fn told(step: Step, errno: Errno) -> String {
        told_in(None, step, errno)
    }

    fn told_in(sandbox: Option<Plan>, step: Step, errno: Errno) -> String {
        let orders = Orders {
            run: "r".into(),
            attempt: 1,
            folder: word("/runs/1"),
            program: word("/bin/tool"),
            args: vec![word("abc")],
            env: vec![(word("A"), word("b"))],
            cwd: word("/"),
            stdin: Stdin::Closed,
            limits: Limits::default(),
            containment: Containment::default(),
            sandbox,
        };
        StartError::from_shim(step, errno.raw_os_error(), &orders, Path::new("/bin/host")).to_string()
    }

    #[test]
    fn each_kind_of_failure_says_what_to_do() {
        assert!(told(Step::Exec, Errno::TOOBIG).contains("(8 bytes); give the prompt on standard input"));
        assert!(told(Step::Exec, Errno::NOENT).contains("the interpreter in its first line"));
        assert!(told(Step::Exec, Errno::AGAIN).contains("run fewer agents at a time"));
        assert!(told(Step::Record, Errno::NOSPC).contains("the disk is full, `/runs/1`"));
        assert!(told(Step::Record, Errno::ACCESS).contains("check its owner"));
        assert!(told(Step::Supervise, Errno::PERM).contains("the supervisor `/bin/host` failed"));
        let plan = Plan { tier: Tier::Basic, views: Vec::new(), kept: Vec::new(), port: None, nests: false };
        let step = Step::Sandbox { doing: "mounting `/proc`".into() };
        let refused = told_in(Some(plan.clone()), step, Errno::PERM);
        assert!(
            refused.contains("the sandbox `basic`: mounting `/proc`: Operation not permitted"),
            "{refused}"
        );
        assert!(told_in(Some(plan), Step::Exec, Errno::NOENT).contains("does not appear in the sandbox"));
    }
}
