//! Settings: flag > environment > the repository's file > your file > default, and
//! for each value where it came from.
//!
//! [`Layers`] holds what was said where, [`Configuration`] what follows from it,
//! [`fields`] does the same for the fields a plugin's manifest names. All of it is
//! pure, except for [`ConfigFile::read`].

pub mod configuration;
pub mod error;
pub mod fields;
pub mod file;
pub mod key;
pub mod layers;
pub mod origin;
pub mod value;

pub use configuration::Configuration;
pub use error::ConfigError;
pub use file::{ConfigFile, Whose};
pub use key::Key;
pub use layers::Layers;
pub use origin::Setting;

#[cfg(test)]
mod tests;
