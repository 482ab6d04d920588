//! Chooses the deliberate fault of the engine, where it was built with them.

use hostler_engine::mutation::Mutation;

/// From now on, on this thread, the engine has this fault.
#[cfg(feature = "mutations")]
pub fn choose(mutation: Option<Mutation>) {
    hostler_engine::mutation::choose(mutation);
}

/// An engine without deliberate faults has nothing to choose from.
#[cfg(not(feature = "mutations"))]
pub fn choose(mutation: Option<Mutation>) {
    assert!(mutation.is_none(), "built without the feature `mutations`");
}
