//! Settings: flag > environment > the repository's file > your file > an earlier
//! program's file > default, and for each value where it came from. Secret fields of
//! plugins may also stand in [`SecretsFile`], which comes before your file.
//!
//! [`Layers`] holds what was said where, [`Configuration`] what follows from it,
//! [`fields`] does the same for the fields a plugin's manifest names. All of it is
//! pure, except for reading files. [`edit`] changes the text of a file and leaves the
//! rest of it alone.

pub mod agents;
pub mod configuration;
pub mod edit;
pub mod error;
pub mod fields;
pub mod file;
pub mod forges;
pub mod key;
pub mod layers;
pub mod network;
pub mod origin;
pub mod retention;
pub mod secret_field;
pub mod secrets;
pub mod signatures;
pub mod tale_daemon;
pub mod value;

pub use configuration::Configuration;
pub use error::ConfigError;
pub use file::{ConfigFile, Whose};
pub use key::Key;
pub use layers::Layers;
pub use network::NetworkConfiguration;
pub use origin::{Origin, Setting};
pub use secrets::SecretsFile;
pub use signatures::Signatures;

#[cfg(test)]
mod tests;
