//! The tracker plugin for Trakkar: this host takes the place of a Trakkar runner.
//!
//! A person delegates a task to an AI agent in Trakkar. This plugin claims it, says
//! what its run should look like, streams progress into the task, hears Stop, and
//! reports the pull request that the host opened.
//!
//! It never sends code, a diff, a path of this machine or a token to the server, and
//! never wishes that anything is merged.
//!
//! Main types: [`Trakkar`], the tracker; [`Assignment`](assignment::Assignment), what
//! it remembers of a claimed run; [`Ending`](ending::Ending), what it reports.

mod agent;
pub mod assignment;
pub mod ending;
mod feed;
mod judgement;
mod pace;
mod redact;
mod runs;
mod server;
mod settings;
mod text;
mod tracker;

pub use tracker::Trakkar;

hostler_sdk::tracker!(Trakkar);
