//! The tracker plugin for Tale: this host takes the place of a Tale daemon.
//!
//! Agents on a Tale board can be bound to a runtime, that is, to a coding CLI on
//! somebody's machine. This plugin registers the host as such a runtime, claims the
//! runs that are dispatched to it, keeps their leases alive and reports their ends.
//!
//! It never pushes, never sends a path of this machine to the server, never sees the
//! API key, and never writes an agent's environment down.
//!
//! Main types: [`Tale`], the tracker; [`Assignment`](assignment::Assignment), what it
//! remembers of a claimed run; [`Ending`](ending::Ending), what it reports.

pub mod assignment;
mod diff_stat;
pub mod ending;
mod identity;
mod judgement;
mod pace;
mod runs;
mod server;
mod settings;
mod signs_of_life;
mod text;
mod tracker;

pub use tracker::Tale;

hostler_sdk::tracker!(Tale);
