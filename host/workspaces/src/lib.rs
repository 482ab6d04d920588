//! Git workspaces: where an agent works, what it changed, and when it may go.
//!
//! A [`Repository`] is the user's checkout. [`Repository::prepare`] turns an
//! [`Order`] into a [`Workspace`]: a git worktree with a branch of its own, or a clone
//! whose commits [`Repository::collect`] takes over.
//! [`Repository::changes`] and [`Repository::patch`] say what differs from the
//! commit it started from ([`Repository::review`] both at once),
//! [`Repository::preserve`] records work that was not
//! committed, [`Repository::land`] brings finished work to where it is wanted
//! (a remote, a pull request, another branch), [`Repository::look_at`] says what came
//! back from a pull request, [`Repository::fetch`] brings the
//! default branch up to date, and [`Repository::remove`] deletes the folder once a
//! [`RemovalProof`] holds.
//!
//! What this crate never does:
//! - run git with a git directory, configuration, hook, filter, attribute or
//!   index that an agent could have written. Each workspace has a private git
//!   directory under the host's state; the git program sees only that one. The
//!   real repository is touched only through libgit2, which starts no program,
//!   and by writing objects and worktree records;
//! - delete on doubt: a probe that fails means the workspace is kept;
//! - use the network itself: git and `gh` do, with the operator's own sign-in,
//!   and requests to a forge are handed to the caller.
//!
//! Every call blocks; the caller chooses the thread.

mod ancestry;
mod base;
mod branch;
mod cancel;
mod changes;
mod clone;
mod clone_refs;
mod collect;
mod collect_error;
mod commit;
mod deletion;
mod error;
mod exclude;
mod fetch;
mod files;
mod forge;
mod forge_api;
mod forge_repository;
mod gh;
mod git;
mod import;
mod incoming;
mod inventory;
mod landing;
mod landing_error;
mod linked;
mod lock;
mod look;
mod merge;
mod network;
mod object_id;
mod operator;
mod order;
mod prepare;
mod preserve;
mod private_gitdir;
mod process;
mod push;
mod put_away;
mod receipt;
mod remote_error;
mod remote_url;
mod remove;
mod repository;
mod restore;
mod safety;
mod snapshot;
mod tree_size;
mod untrusted;

pub use base::{Base, MIN_ID_DIGITS};
pub use branch::MAX_BRANCH_BYTES;
pub use cancel::Cancel;
pub use changes::{ChangeKind, Changes, FileChange, Lines, Patch};
#[doc(hidden)]
pub use clone_refs::{LeftRefs, left_refs};
pub use collect::Collected;
pub use collect_error::CollectError;
pub use commit::Committed;
pub use error::WorkspaceError;
pub use fetch::{FETCH_LIMIT, FETCH_REUSE, Fetch, Fetched};
pub use forge::ForgeError;
pub use forge_api::{ForgeAnswer, ForgeHttp, ForgeRequest};
pub use forge_repository::{ForgeHosts, ForgeKind, ForgeRepository};
pub use inventory::{Known, forget_removed, is_removed, known_workspaces};
pub use landing::{Landed, LandedKind, Landing, Means};
pub use landing_error::LandingError;
pub use linked::Linked;
pub use look::{LookError, MAX_PAGES};
pub use merge::Merged;
pub use object_id::{InvalidObjectId, ObjectId};
pub use operator::Operator;
pub use order::{Isolation, MAX_FOLDER_BYTES, Order, Place, Workspace};
pub use preserve::Preserved;
pub use push::{PUSH_LIMIT, Push, Pushed};
pub use remote_error::RemoteError;
pub use remote_url::RemoteUrl;
pub use remove::{Removal, RemovalProof};
pub use repository::{Condition, Repository};
pub use restore::Restored;
pub use snapshot::{MAX_FILE_BYTES, Omission, Omitted};
pub use untrusted::UntrustedError;
