//! Manifests: what a plugin says about itself.

use std::path::Path;

use hostler_components::{Digest, Manifest};
use hostler_daemon::grants::Grants;

/// Any text is a manifest or refused. What one asks for can be allowed, survives the
/// file of grants, and is then covered.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(manifest) = Manifest::parse(text) else { return };
    let digest = Digest::of(data);
    let file = Path::new("plugin.wasm");
    let mut grants = Grants::default();
    assert!(grants.check(&manifest, &digest, file).is_err(), "allowed without a grant");
    grants.allow(&manifest, &digest);
    let written = grants.text().unwrap_or_else(|error| panic!("cannot be written down: {error}"));
    let read = Grants::parse(Path::new("grants.toml"), &written)
        .unwrap_or_else(|error| panic!("cannot be read again: {error}\n{written}"));
    assert_eq!(read, grants, "changed by writing it down:\n{written}");
    let rights = read.check(&manifest, &digest, file);
    assert!(rights.is_ok(), "not covered by what was allowed: {rights:?}\n{written}");
}
