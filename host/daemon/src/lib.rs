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
mod blocking;
mod carry_out;
mod ceiling_notice;
pub mod clock;
pub mod collection;
mod conceal;
pub mod control;
mod core;
mod failure;
mod files;
mod finishing;
mod follow_up;
pub mod home;
mod host;
mod lock;
mod message;
pub mod organisation;
mod place;
pub mod plugins;
mod record;
mod refusal;
mod remote_check;
mod revocation;
mod rooms;
pub mod sandbox;
mod settings;
mod tracker;
pub mod view;

pub use crate::core::Summary;
pub use attempt::{supervision, word};
pub use failure::{Failure, FailureKind};
pub use finishing::forge::ForgeSettings;
pub use follow_up::standing;
pub use host::{Host, Ready, Stopper};
pub use hostler_agents::{
    ContainedBy, Containment, CpuLimiter, LimitedBy, MemoryLimiter, StartError, Survivor, TreeProof,
    shim_main,
};
pub use hostler_broker::{GateError, Inside, Proxy, ProxyError, Secret};
pub use hostler_engine as engine;
pub use hostler_policy as policy;
pub use hostler_workspaces::{Condition, ForgeKind, Isolation, Repository, WorkspaceError};
pub use plugins::admission::Candidate;
pub use plugins::{
    consent, effective, grants, install_folder, install_state, installing, keys, lockfile, permit, providers,
    proving, store, trial, vouching,
};
pub use record::{audit, calls, events, explained, history, replay};
pub use settings::{NetworkSettings, PluginSettings, RepositorySettings, Settings};
