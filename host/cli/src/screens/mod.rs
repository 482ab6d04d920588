//! What people see. Every screen is a pure function from a page and its subject to
//! text, and each has a snapshot test.

pub mod audit;
pub mod collection;
pub mod diff;
pub mod disk;
pub mod doctor;
pub mod events;
pub mod explain;
pub mod inspect;
pub mod install;
pub mod keys;
pub mod observed;
pub mod policy;
pub mod ready;
pub mod replay;
pub mod run_line;
pub mod run_words;
pub mod runs;
pub mod secrets;
pub mod settings;
pub mod setup;
pub mod show;
pub mod standing;
pub mod status;
pub mod supervision;
pub mod trial;
pub mod vouched;

#[cfg(test)]
pub mod examples;
