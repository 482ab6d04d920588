//! What is written down about an installed plugin, so that any change of it shows: of
//! its bytes, of what it says about itself, and of what it could do.

use crate::admission::Admitted;
use crate::contract;
use crate::digest::Digest;
use crate::refusal::Refusal;
use crate::surface::Surface;

/// Three digests of one plugin file, and the contract it was built against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint {
    /// Of the whole file.
    pub file: Digest,
    /// Of the text of its manifest.
    pub manifest: Digest,
    /// Of its exports, its imports and the rights it asks for: two builds with the same
    /// one could do the same, however they were built.
    pub surface: Digest,
    /// As its exports name it.
    pub contract: String,
}

impl Fingerprint {
    /// The fingerprint of a file that could be loaded.
    pub fn of(bytes: &[u8]) -> Result<Self, Refusal> {
        let admitted = Admitted::check(bytes)?;
        let mut surface = Surface::read(bytes)?;
        surface.exports.sort();
        surface.imports.sort();
        let described = (&surface.exports, &surface.imports, &admitted.manifest.rights);
        let described =
            serde_json::to_vec(&described).map_err(|error| Refusal::Invalid(error.to_string()))?;
        Ok(Self {
            file: admitted.digest,
            manifest: Digest::of(surface.manifest()?.as_bytes()),
            surface: Digest::of(&described),
            contract: contract::named_contract(&surface.exports).unwrap_or_default(),
        })
    }
}
