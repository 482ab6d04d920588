//! The contract as Rust types, generated from `wit/`. Only [`crate::convert`] and
//! the calls themselves know them; the rest of the host speaks the engine's
//! vocabulary.

#![allow(missing_docs, clippy::pedantic)]

// One world with both interfaces, so that they share their types. A plugin may
// export only one of them: each is looked up for itself.
wasmtime::component::bindgen!({
    path: "../../wit",
    world: "tracker-and-provider-plugin",
});

pub(crate) use exports::hostler::plugin::{provider, tracker};
pub(crate) use hostler::plugin::{effects, types};
