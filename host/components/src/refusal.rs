//! Why a file is not loaded as a plugin.

use std::path::PathBuf;

use crate::call_error::CallError;
use crate::contract::CONTRACT;
use crate::limits::{FILE_BYTES, MANIFEST_BYTES};
use crate::manifest::ManifestError;

/// A file was not loaded.
#[derive(Debug, thiserror::Error)]
#[error("plugin {}: {refusal}", path.display())]
pub struct LoadError {
    /// Which file.
    pub path: PathBuf,
    /// Why.
    #[source]
    pub refusal: Refusal,
}

/// Why a file is not loaded.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It cannot be read.
    #[error("the file cannot be read ({0}); check the path and its permissions")]
    Unreadable(#[source] std::io::Error),
    /// It is too large to be a plugin.
    #[error("the file has {0} bytes, more than the limit of {FILE_BYTES}; strip debug information from it")]
    TooLarge(u64),
    /// Its first bytes say that it is something else.
    #[error("the file is not WebAssembly; give the `.wasm` file that the plugin's build made")]
    NotWasm,
    /// A module is what a compiler makes before a component is made of it.
    #[error(
        "the file is a WebAssembly module, not a component; build it with hostler-sdk or `wasm-tools component new`"
    )]
    CoreModule,
    /// Native code would run outside of the sandbox, so it is only ever made here.
    #[error(
        "the file holds native code, which is never accepted from outside; give the WebAssembly component it was made from"
    )]
    NativeCode,
    /// Truncated, damaged, or newer than this host knows.
    #[error("the component is damaged or uses unknown features ({0}); download or build it again")]
    Invalid(String),
    /// It wants to call something.
    #[error("the component imports {}, but plugins import nothing; build it with hostler-sdk for wasm32-unknown-unknown", quoted(.0))]
    Imports(Vec<String>),
    /// It is a component, but not for Hostler.
    #[error("the component exports neither a tracker nor a provider of {CONTRACT} (it exports {}); it is not a plugin for Hostler", quoted(.0))]
    NoInterface(Vec<String>),
    /// It was built against another contract.
    #[error("the component exports {}, but this host has {CONTRACT}; rebuild it with hostler-sdk 0.1", quoted(.0))]
    WrongContract(Vec<String>),
    /// The name of the interface is right, its functions are not.
    #[error("the component's functions are not those of {CONTRACT} ({0}); rebuild it with hostler-sdk 0.1")]
    WrongTypes(String),
    /// Nothing says what it is and wants.
    #[error(
        "the component has no manifest; build it with `cargo xtask plugins`, which packs `plugin.toml` into it"
    )]
    ManifestMissing,
    /// Which one counts would be a guess.
    #[error("the component has {0} manifests, but exactly one is allowed; build it again from clean sources")]
    ManifestRepeated(usize),
    /// Far more than a manifest needs.
    #[error("the manifest has {0} bytes, more than the limit of {MANIFEST_BYTES}; shorten `plugin.toml`")]
    ManifestTooLarge(usize),
    /// It cannot be understood.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Manifest and component contradict each other.
    #[error("the manifest does not fit the component: {0}")]
    ManifestLies(&'static str),
    /// The compiler gave up.
    #[error("the component cannot be compiled ({0}); report this to the plugin's author")]
    Compile(String),
    /// Neither the pool nor the slow way of making instances takes it.
    #[error("the component needs more memories, tables or instances than plugins may have ({0})")]
    Shape(String),
    /// It failed before its first call.
    #[error("the plugin cannot be started: {0}")]
    Start(#[source] CallError),
}

impl Refusal {
    /// The same with the file's name.
    pub(crate) fn of(self, path: impl Into<PathBuf>) -> LoadError {
        LoadError { path: path.into(), refusal: self }
    }
}

/// How many names an error shows.
const SHOWN_NAMES: usize = 5;

/// The names in backquotes, the first few of them.
fn quoted(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    let shown: Vec<String> = names.iter().take(SHOWN_NAMES).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(SHOWN_NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
