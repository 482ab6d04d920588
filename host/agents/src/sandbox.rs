//! How far an agent is walled in: what it may write, what it does not see, and
//! how it reaches the network.

mod places;
mod plan;
mod spelling;

use std::path::PathBuf;

use hostler_engine::sandbox::Tier;

pub(crate) use places::Places;
pub(crate) use plan::Plan;
#[cfg(target_os = "linux")]
pub(crate) use plan::{Shows, View};

/// What holds one attempt besides the limits and its process tree.
///
/// An agent gets what is asked for here, or does not start. In every sandbox it
/// can gain no rights, has none of the capabilities of root (but see
/// [`Walls::nests`]), and is refused the system calls that look into other processes or load code into the kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sandbox {
    /// Nothing.
    #[default]
    None,
    /// It writes only where it may, and the rest of the machine's files are
    /// read-only; `/tmp`, `/dev` and the processes it sees are its own.
    Basic(Walls),
    /// Also a home, a `/run`, names and a network of its own.
    Contained(Walls, Network),
}

impl Sandbox {
    /// What it is called.
    pub const fn tier(&self) -> Tier {
        match self {
            Self::None => Tier::None,
            Self::Basic(_) => Tier::Basic,
            Self::Contained(..) => Tier::Contained,
        }
    }
}

/// Where the walls stand. All paths are absolute; a rule for a place counts more
/// than the rule for a folder above it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walls {
    /// What the agent may write: the workspace and little else. Each must be there.
    pub writable: Vec<PathBuf>,
    /// What it may not write inside of those, and inside of what of the home it may
    /// change. Each must be there, with no symbolic link on the way from the writable
    /// place: what is missing could be made. An agent that is root in a namespace of its
    /// own can still put another file there, which [`crate::Exit::exchanged`] tells.
    pub read_only: Vec<PathBuf>,
    /// What it does not see: other workspaces, the host's own state, keys. What is
    /// not there is no trouble.
    pub hidden: Vec<PathBuf>,
    /// What it reads, also where something of its own stands before it: below `/tmp` and
    /// below its home. What is not there is no trouble.
    pub readable: Vec<PathBuf>,
    /// What of the real home appears in the private one; in `contained` only. Who
    /// may change a place may do so however often it is also named as readable.
    pub home: Vec<HomePath>,
    /// A folder of this attempt, made if need be, for its `/tmp` and its home.
    pub private: PathBuf,
    /// The agent walls in what it runs by itself. One of root needs the right to hand
    /// its number on to a user namespace for that (`CAP_SETFCAP`), and keeps that one.
    pub nests: bool,
}

/// A file or folder of the real home that appears in the private one. One that is
/// not there does not appear.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomePath {
    /// Below the home, such as `.gitconfig`.
    pub path: PathBuf,
    /// What the agent may do with it.
    pub access: Access,
}

/// What may be done with a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Read it, and run what is in it.
    Read,
    /// Change it too.
    ReadWrite,
}

/// How a contained agent reaches the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// As everybody on this machine.
    Open,
    /// Not at all, but for a listener on this port of its own `127.0.0.1`, whose
    /// other side is the host's: see [`crate::Agent::listener`].
    OnlyThrough {
        /// From 1.
        port: u16,
    },
}

/// What the caller got wrong about the walls, or the disk does not allow.
#[derive(Debug, thiserror::Error)]
pub enum WallsError {
    /// A place cannot be found.
    #[error("`{}` cannot be part of the sandbox: {source}; make it, or leave it out", path.display())]
    Missing {
        /// The place.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Somebody could turn the link elsewhere.
    #[error("`{}` leads over a symbolic link, so it cannot be kept read-only; replace the link", path.display())]
    Link {
        /// The place.
        path: PathBuf,
    },
    /// Nothing would be left of the sandbox, or it would not be seen.
    #[error("`{}` is the whole disk, which can be neither a home nor writable in a sandbox; name a folder", path.display())]
    Everything {
        /// As it was named.
        path: PathBuf,
    },
    /// Nobody listens there.
    #[error("a contained agent cannot reach the network through port 0; choose one from 1 to 65535")]
    NoPort,
    /// It would be outside.
    #[error("`{}` is not a path below the home; name one without `..` that does not begin with `/`", path.display())]
    OutsideHome {
        /// The place.
        path: PathBuf,
    },
    /// It cannot be known what the private home would stand for.
    #[error("a contained agent needs `HOME` in its environment to get a private one; pass it")]
    NoHome,
}
