//! The `host` program from the outside: real git repositories, real processes, the
//! bundled plugins, and agents that do what a script says.

#![allow(clippy::unwrap_used)]

#[path = "../../../host/components/tests/plugins/guest.rs"]
mod guest;
mod stage;

mod abuse;
mod audit;
mod chaos;
mod clones;
mod collection;
mod conversation;
mod crashes;
mod damage;
mod denials;
mod exchanges;
mod failures;
mod full_disk;
mod hostile_agent;
mod hostile_plugins;
mod install;
mod landing;
mod main_job;
mod network;
mod policy;
mod providers;
mod read_only_disk;
mod real_claude;
mod record;
mod refusals;
mod repositories;
mod sandbox;
mod secrets;
mod signatures;
mod slots;
mod stopping;
mod tale;
mod trakkar;
mod walk;
