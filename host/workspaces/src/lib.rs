//! Git workspaces: where an agent works, what it changed, and when it may go.
//!
//! A [`Repository`] is the user's checkout. [`Repository::prepare`] turns an
//! [`Order`] into a [`Workspace`]: a git worktree with a branch of its own.
//! [`Repository::changes`] and [`Repository::patch`] say what differs from the
//! commit it started from ([`Repository::review`] both at once),
//! [`Repository::preserve`] records work that was not
//! committed, and [`Repository::remove`] deletes the folder once a
//! [`RemovalProof`] holds.
//!
//! What this crate never does:
//! - run git with a git directory, configuration, hook, filter, attribute or
//!   index that an agent could have written. Each workspace has a private git
//!   directory under the host's state; the git program sees only that one. The
//!   real repository is touched only through libgit2, which starts no program,
//!   and by writing objects and worktree records;
//! - delete on doubt: a probe that fails means the workspace is kept;
//! - use the network.
//!
//! Every call blocks; the caller chooses the thread.

mod base;
mod branch;
mod changes;
mod error;
mod files;
mod git;
mod inventory;
mod lock;
mod object_id;
mod order;
mod prepare;
mod preserve;
mod private_gitdir;
mod receipt;
mod remove;
mod repository;
mod safety;
mod snapshot;

pub use base::{Base, MIN_ID_DIGITS};
pub use branch::MAX_BRANCH_BYTES;
pub use changes::{ChangeKind, Changes, FileChange, Lines, Patch};
pub use error::WorkspaceError;
pub use inventory::{Known, forget_removed, is_removed, known_workspaces};
pub use object_id::{InvalidObjectId, ObjectId};
pub use order::{MAX_FOLDER_BYTES, Order, Workspace};
pub use preserve::Preserved;
pub use remove::{Removal, RemovalProof};
pub use repository::{Condition, Repository};
pub use snapshot::{MAX_FILE_BYTES, Omission, Omitted};
