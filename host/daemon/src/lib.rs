//! Wires the engine to the rooms: one loop, effect in, result back; and the
//! control socket.
//!
//! The daemon decides nothing about runs (the engine does) and does nothing itself
//! (the rooms do). It carries effects from one to the other, in the order: decide,
//! write down, act.
//!
//! - [`Host`] is a running host; [`Settings`] is what it is started with.
//! - [`view`] is how runs look from outside, [`history`] reads them without a host,
//!   [`control`] asks a running one.
//! - [`grants`] and [`plugins`] are about what plugins may do and where they are, [`keys`]
//!   and [`vouching`] about who signed them.

mod attempt;
mod attempts;
mod blocking;
mod builds;
pub mod calls;
mod carry_out;
mod ceiling_notice;
pub mod clock;
pub mod collection;
mod conceal;
pub mod control;
mod copying;
mod core;
mod environments;
pub mod events;
pub mod explained;
mod failure;
mod files;
mod forge;
pub mod grants;
mod heartbeat;
pub mod history;
pub mod home;
mod host;
mod json_lines;
mod judgement;
pub mod keys;
mod land;
mod lease_thread;
mod lock;
mod message;
pub mod permit;
mod place;
pub mod plugins;
mod poll;
mod progress;
mod projection;
pub mod providers;
mod reading;
mod recovery;
mod remote_check;
pub mod replay;
mod revocation;
mod rooms;
mod settings;
pub mod store;
pub mod supervision;
mod tidy;
mod told;
mod tracker;
pub mod trial;
mod verify;
pub mod view;
pub mod vouching;
pub mod word;

pub use crate::core::Summary;
pub use failure::{Failure, FailureKind};
pub use forge::ForgeSettings;
pub use host::{Host, Ready, Stopper};
pub use hostler_agents::{
    ContainedBy, Containment, CpuLimiter, LimitedBy, MemoryLimiter, StartError, Survivor, TreeProof,
    shim_main,
};
pub use hostler_broker::Secret;
pub use hostler_engine as engine;
pub use hostler_workspaces::{Condition, ForgeKind, Repository, WorkspaceError};
pub use settings::{PluginSettings, RepositorySettings, Settings};
