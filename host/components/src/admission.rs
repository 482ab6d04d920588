//! Whether a file is a plugin at all: every check that needs neither the compiler
//! nor an instance.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::contract::{self, Kind};
use crate::digest::Digest;
use crate::limits::FILE_BYTES;
use crate::manifest::Manifest;
use crate::refusal::Refusal;
use crate::surface::Surface;

/// A file that may be compiled.
#[derive(Debug)]
pub(crate) struct Admitted {
    pub(crate) digest: Digest,
    pub(crate) kinds: Vec<Kind>,
    pub(crate) manifest: Manifest,
}

impl Admitted {
    /// Checks a file, and reports the first reason against it.
    pub(crate) fn check(bytes: &[u8]) -> Result<Self, Refusal> {
        let surface = Surface::read(bytes)?;
        if !surface.imports.is_empty() {
            return Err(Refusal::Imports(surface.imports));
        }
        let kinds = contract::kinds(&surface.exports)?;
        let manifest = Manifest::parse(surface.manifest()?)?;
        check_honesty(&manifest, &kinds)?;
        Ok(Self { digest: Digest::of(bytes), kinds, manifest })
    }
}

/// A manifest may only ask for what its interfaces can use: people read it as a
/// description of the plugin.
fn check_honesty(manifest: &Manifest, kinds: &[Kind]) -> Result<(), Refusal> {
    let rights = &manifest.rights;
    let asks_as_tracker = !(rights.http.is_empty() && rights.files.is_empty() && rights.secret.is_empty());
    let lie = match (kinds.contains(&Kind::Tracker), kinds.contains(&Kind::Provider)) {
        (_, false) if rights.program.is_some() => "it asks to start a program, but exports no provider",
        (_, true) if rights.program.is_none() => "it exports a provider, but has no `[program]` to start",
        (false, _) if asks_as_tracker => "it asks for http, files or a secret, but exports no tracker",
        _ => return Ok(()),
    };
    Err(Refusal::ManifestLies(lie))
}

/// Reads a file that is no longer than a plugin may be.
pub fn read_file(path: &Path) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Refusal::Unreadable)?;
    let length = file.metadata().map_err(Refusal::Unreadable)?.len();
    if length > FILE_BYTES {
        return Err(Refusal::TooLarge(length));
    }
    // A file that grows while it is read is caught by the check of its content.
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(Refusal::Unreadable)?;
    Ok(bytes)
}
