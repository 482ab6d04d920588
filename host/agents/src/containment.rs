//! What keeps an agent's processes together, so that ending it ends them all.

use serde::{Deserialize, Serialize};

/// What is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Containment {
    /// The strongest that changes nothing for the agent: a PID namespace where
    /// the host may make one, else a control group where one is delegated to
    /// the host, else the sweep.
    #[default]
    Auto,
    /// A PID namespace in a user namespace too, where the host may not make one
    /// without. Not the default: `sudo` does nothing inside, and programs that
    /// check who owns a file (ssh) may refuse to work.
    Namespace,
    /// The sweep, whatever else there is.
    Sweep,
}

/// What an agent was given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainedBy {
    /// The kernel ends every process of the namespace with its first, and that
    /// with the supervisor.
    PidNamespace,
    /// The kernel ends every process of the control group at once.
    Cgroup,
    /// The supervisor adopts what loses its parent, and kills until nothing is
    /// left.
    #[default]
    Sweep,
}
