//! What can be said about a plugin file without running it, also (and above all)
//! about a file that is refused.

use serde::Serialize;

use crate::admission::Admitted;
use crate::contract::{self, Kind};
use crate::digest::Digest;
use crate::manifest::Manifest;
use crate::refusal::Refusal;
use crate::surface::Surface;

/// What a plugin file shows. Derived from the binary, except for `manifest`, which
/// is what the plugin's author says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Inspection {
    /// SHA-256 of the file.
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
    /// Names of its exports.
    pub exports: Vec<String>,
    /// Everything it could call; empty for every plugin that can be loaded.
    pub imports: Vec<String>,
    /// The contract it was built against, as its exports name it.
    pub contract: Option<String>,
    /// What it is for; empty if it is refused for its exports.
    pub kinds: Vec<Kind>,
    /// The manifest, with the rights it asks for.
    pub manifest: Option<Manifest>,
    /// Why there is no manifest.
    pub manifest_error: Option<String>,
    /// Why this host would not load it.
    pub refusal: Option<String>,
}

/// Inspects the bytes of a file. Fails only if they are no component at all.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, Refusal> {
    let surface = Surface::read(bytes)?;
    let manifest = surface.manifest().and_then(|text| Ok(Manifest::parse(text)?));
    let (manifest, manifest_error) = match manifest {
        Ok(manifest) => (Some(manifest), None),
        Err(error) => (None, Some(error.to_string())),
    };
    Ok(Inspection {
        digest: Digest::of(bytes),
        size: bytes.len() as u64,
        contract: contract::named_contract(&surface.exports),
        kinds: contract::kinds(&surface.exports).unwrap_or_default(),
        refusal: Admitted::check(bytes).err().map(|refusal| refusal.to_string()),
        exports: surface.exports,
        imports: surface.imports,
        manifest,
        manifest_error,
    })
}
