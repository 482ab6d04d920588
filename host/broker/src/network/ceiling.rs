//! Whoever stands above the operator: asked about every request, at the moment of use.

use std::fmt;

use hostler_engine::rights::Origin;
use hostler_engine::sandbox::Endpoint;

/// Cuts down what grants allow. It never adds to them.
pub trait Ceiling: fmt::Debug + Send + Sync {
    /// Whether requests may go to an origin; the error names what stands against it, such
    /// as a line of a file.
    fn admits(&self, origin: &Origin) -> Result<(), String>;

    /// Whether contained agents may connect to a place; the error names what stands
    /// against it.
    fn connects(&self, to: &Endpoint) -> Result<(), String>;
}

/// Nobody stands above the operator.
#[derive(Clone, Copy, Debug)]
pub struct NoCeiling;

impl Ceiling for NoCeiling {
    fn admits(&self, _: &Origin) -> Result<(), String> {
        Ok(())
    }

    fn connects(&self, _: &Endpoint) -> Result<(), String> {
        Ok(())
    }
}
