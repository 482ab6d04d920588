//! Files that are offered as plugins, and signatures beside them.

use hostler_components::{PublicKey, Signature, inspect};

/// Any bytes can be inspected. What shows an import, or no interface of ours, is
/// refused; what is not refused has a manifest. No signature is taken for good by being read.
pub fn check(data: &[u8]) {
    let _ = Signature::parse(data);
    let _ = std::str::from_utf8(data).map(PublicKey::parse);
    let Ok(found) = inspect(data) else { return };
    if found.refusal.is_none() {
        assert!(found.imports.is_empty(), "it imports {:?}", found.imports);
        assert!(!found.kinds.is_empty(), "it is for nothing");
        assert!(found.manifest.is_some(), "it has no manifest");
    }
}
