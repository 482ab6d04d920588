//! What a component's binary says about itself: its imports, its exports and its
//! manifest, read without running or compiling anything.

use wasmparser::component_types::{ComponentAnyTypeId, ComponentEntityType};
use wasmparser::types::Types;
use wasmparser::{Parser, Payload, ValidPayload, Validator};
use wasmtime::Engine;

use crate::limits::{FILE_BYTES, MANIFEST_BYTES};
use crate::refusal::Refusal;

/// Name of the custom section that holds the manifest.
const MANIFEST_SECTION: &str = "hostler:manifest";

/// What a component shows to the outside.
pub(crate) struct Surface<'a> {
    /// Everything it wants to call or be given. Types alone are not in it: a
    /// component that uses a shared record "imports" it, but cannot do anything
    /// with that.
    pub(crate) imports: Vec<String>,
    /// Names of its exports.
    pub(crate) exports: Vec<String>,
    /// Contents of all manifest sections, at whatever depth.
    manifests: Vec<&'a [u8]>,
}

impl<'a> Surface<'a> {
    /// Reads a component. Function bodies are not looked at: the compiler checks
    /// them before it makes anything of them.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Refusal> {
        check_header(bytes)?;
        let mut validator = Validator::new();
        let mut depth = 0_usize;
        let mut types: Option<Types> = None;
        let mut imports = Vec::new();
        let mut exports = Vec::new();
        let mut manifests = Vec::new();
        for payload in Parser::new(0).parse_all(bytes) {
            let payload = payload.map_err(invalid)?;
            if let ValidPayload::End(found) = validator.payload(&payload).map_err(invalid)? {
                // The last end is that of the outermost component.
                types = Some(found);
            }
            match payload {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        imports.push(import.map_err(invalid)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        exports.push(export.map_err(invalid)?.name.name.to_owned());
                    }
                }
                Payload::CustomSection(section) if section.name() == MANIFEST_SECTION => {
                    manifests.push(section.data());
                }
                _ => {}
            }
        }
        let Some(types) = types else {
            return Err(Refusal::Invalid("the file ends too early".to_owned()));
        };
        imports.retain(|name| {
            types.component_item_for_import(name).is_none_or(|item| !is_only_types(&types, item.ty))
        });
        Ok(Self { imports, exports, manifests })
    }

    /// The text of the one manifest.
    pub(crate) fn manifest(&self) -> Result<&'a str, Refusal> {
        match self.manifests.as_slice() {
            [] => Err(Refusal::ManifestMissing),
            [bytes] if bytes.len() > MANIFEST_BYTES => Err(Refusal::ManifestTooLarge(bytes.len())),
            [bytes] => std::str::from_utf8(bytes).map_err(|_| crate::manifest::ManifestError::NotText.into()),
            several => Err(Refusal::ManifestRepeated(several.len())),
        }
    }
}

/// Tells what a file is by its first bytes.
fn check_header(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.len() as u64 > FILE_BYTES {
        return Err(Refusal::TooLarge(bytes.len() as u64));
    }
    if Engine::detect_precompiled(bytes).is_some() {
        return Err(Refusal::NativeCode);
    }
    if Parser::is_core_wasm(bytes) {
        return Err(Refusal::CoreModule);
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(Refusal::NotWasm);
    }
    Ok(())
}

/// Whether this is a type, or an instance of nothing but types.
fn is_only_types(types: &Types, entity: ComponentEntityType) -> bool {
    match entity {
        // A resource is a type whose values the importer is given by somebody.
        ComponentEntityType::Type { referenced, .. } => {
            !matches!(referenced, ComponentAnyTypeId::Resource(_))
        }
        ComponentEntityType::Instance(id) => {
            types[id].exports.values().all(|item| is_only_types(types, item.ty))
        }
        _ => false,
    }
}

#[allow(clippy::needless_pass_by_value)] // is handed to `map_err`
fn invalid(error: wasmparser::Error) -> Refusal {
    Refusal::Invalid(error.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn surface_of(text: &str) -> (Vec<String>, Vec<String>) {
        let bytes = wat::parse_str(text).unwrap();
        let surface = Surface::read(&bytes).unwrap();
        (surface.imports, surface.exports)
    }

    #[test]
    fn an_import_of_nothing_but_types_is_no_import() {
        let (imports, _) = surface_of(
            r#"(component
                (import "hostler:plugin/types@0.1.0" (instance
                    (type $r (record (field "a" u32)))
                    (export "r" (type (eq $r))))))"#,
        );
        assert_eq!(imports, [""; 0]);
    }

    #[test]
    fn functions_and_resources_are_imports_however_deep_they_hide() {
        let (imports, exports) = surface_of(
            r#"(component
                (import "a:b/function@1.0.0" (instance (export "f" (func))))
                (import "a:b/resource@1.0.0" (instance (export "r" (type (sub resource)))))
                (import "plain" (func))
                (component (import "inner" (func)))
                (import "a:b/deep@1.0.0" (instance
                    (export "inside" (instance (export "f" (func)))))))"#,
        );
        assert_eq!(imports, ["a:b/function@1.0.0", "a:b/resource@1.0.0", "plain", "a:b/deep@1.0.0"]);
        assert_eq!(exports, [""; 0]);
    }

    #[test]
    fn the_manifest_is_found_in_the_component_and_in_its_modules() {
        for text in [
            r#"(component (@custom "hostler:manifest" "text"))"#,
            r#"(component (core module (@custom "hostler:manifest" "text")))"#,
        ] {
            let bytes = wat::parse_str(text).unwrap();
            assert_eq!(Surface::read(&bytes).unwrap().manifest().unwrap(), "text");
        }
    }

    #[test]
    fn no_manifest_and_two_manifests_are_refused() {
        let none = wat::parse_str("(component)").unwrap();
        let two = wat::parse_str(
            r#"(component (@custom "hostler:manifest" "a")
                (core module (@custom "hostler:manifest" "b")))"#,
        )
        .unwrap();
        let refusal = |bytes: &[u8]| Surface::read(bytes).unwrap().manifest().unwrap_err();
        assert!(matches!(refusal(&none), Refusal::ManifestMissing));
        assert!(matches!(refusal(&two), Refusal::ManifestRepeated(2)));
    }

    #[test]
    fn a_manifest_may_have_256_kib_and_not_one_byte_more() {
        let component = |length: usize| {
            let text = "#".repeat(length);
            wat::parse_str(format!(r#"(component (@custom "hostler:manifest" "{text}"))"#)).unwrap()
        };
        let (fits, too_large) = (component(MANIFEST_BYTES), component(MANIFEST_BYTES + 1));
        assert!(Surface::read(&fits).unwrap().manifest().is_ok());
        let error = Surface::read(&too_large).unwrap().manifest().unwrap_err();
        assert!(matches!(error, Refusal::ManifestTooLarge(262_145)));
    }

    #[test]
    fn every_other_kind_of_file_is_told_apart() {
        let refusal = |bytes: &[u8]| Surface::read(bytes).err().unwrap();
        assert!(matches!(
            refusal(
                b"#!/bin/sh
"
            ),
            Refusal::NotWasm
        ));
        assert!(matches!(refusal(b""), Refusal::NotWasm));
        let module = wat::parse_str("(module)").unwrap();
        assert!(matches!(refusal(&module), Refusal::CoreModule));
        let component = wat::parse_str("(component (core module (func)))").unwrap();
        let truncated = &component[..component.len() - 3];
        assert!(matches!(refusal(truncated), Refusal::Invalid(_)));
        let native = Engine::default().precompile_component(&component).unwrap();
        assert!(matches!(refusal(&native), Refusal::NativeCode));
    }
}
