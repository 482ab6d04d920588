//! The contract as Rust: generated, checked in, never edited.
//!
//! Checked in because the generator is some forty crates and half a minute of
//! building, and a plugin should build in a second. `src/bindings/wit` holds the
//! WIT these files were made from; a test fails when it differs from the
//! contract. After changing the contract run `sdk/rust/regenerate.sh`, which
//! needs `cargo install wit-bindgen-cli --version 0.61.1`.
//!
//! Each world has bindings of its own so that a plugin exports what it has and
//! no more; both share the types of `hostler:plugin/types`.

#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used, reason = "generated code")]
pub mod provider;
#[allow(missing_docs, clippy::all, clippy::pedantic, clippy::unwrap_used, reason = "generated code")]
pub mod tracker;
