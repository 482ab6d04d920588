//! How a call into a plugin can fail.

use std::sync::Arc;
use std::time::Duration;

use crate::limits::{EFFECTS, HANDLES, INPUT_BYTES, SAVED_BYTES, SESSION_OUTPUTS};

/// A call into a plugin failed. The instance is gone with it; the host and all
/// other instances are not affected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{plugin}: `{call}` {fault}")]
pub struct CallError {
    /// Id of the plugin.
    pub plugin: Arc<str>,
    /// The function of the contract.
    pub call: &'static str,
    /// What happened.
    pub fault: Fault,
}

/// What went wrong in a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The guest gave up: a panic, mostly.
    #[error("crashed ({0}); report this to the plugin's author")]
    Trapped(String),
    /// It computed for too long.
    #[error("ran for longer than {} ms and was ended; report this to the plugin's author", limit.as_millis())]
    TimedOut {
        /// Processor time it was allowed.
        limit: Duration,
    },
    /// It wanted more memory than it may have, and crashed without.
    #[error(
        "needed {wanted} bytes of memory, more than its limit of {limit}; raise the limit if the plugin is right to need it"
    )]
    OutOfMemory {
        /// In bytes.
        limit: usize,
        /// Size it asked for, in bytes.
        wanted: usize,
    },
    /// It wanted a larger table than it may have, and crashed without.
    #[error(
        "needed a table of {wanted} elements, more than the limit of {limit}; report this to the plugin's author"
    )]
    TableTooLarge {
        /// In elements, all tables together.
        limit: usize,
        /// Size it asked for.
        wanted: usize,
    },
    /// It called itself too deeply.
    #[error("overflowed its stack; report this to the plugin's author")]
    StackOverflow,
    /// It answered too much. The host did not take it in, so nobody knows how much.
    #[error("answered more than its limit of {limit} bytes; report this to the plugin's author")]
    OutputTooLarge {
        /// In bytes.
        limit: usize,
    },
    /// It asked for too many effects at once.
    #[error(
        "asked for {0} effects at once, more than the limit of {EFFECTS}; report this to the plugin's author"
    )]
    TooManyEffects(usize),
    /// A session answered too many things at once.
    #[error(
        "answered {0} outputs at once, more than the limit of {SESSION_OUTPUTS}; report this to the plugin's author"
    )]
    TooManyOutputs(usize),
    /// It made resources and never gave them back.
    #[error("holds more than {HANDLES} resource handles; report this to the plugin's author")]
    TooManyHandles,
    /// It wants more kept than the contract allows.
    #[error(
        "wants {0} bytes saved, more than the limit of {SAVED_BYTES}; report this to the plugin's author"
    )]
    SavedTooLarge(usize),
    /// The host's own argument is too large to hand over.
    #[error("was not called: its argument has {0} bytes, more than the limit of {INPUT_BYTES}")]
    InputTooLarge(usize),
    /// Its answer is no value of the contract's types.
    #[error("answered something that is not of the contract ({0}); report this to the plugin's author")]
    Garbage(String),
    /// An earlier call failed, and the instance is gone.
    #[error("was not called: an earlier call failed; make a new instance")]
    Poisoned,
    /// The plugin does not export this interface.
    #[error("was not called: the plugin exports no {0}")]
    NotExported(&'static str),
    /// Its functions have other parameters or results than the contract's.
    #[error(
        "was not called: its functions are not those of the contract ({0}); rebuild it with hostler-sdk 0.1"
    )]
    WrongTypes(String),
    /// The system could not make an instance.
    #[error("was not called: no instance could be made ({0})")]
    NoInstance(String),
}
