//! What a built plugin says it wants is what stands beside its source.

use std::path::Path;

use wasmparser::{Parser, Payload};

use crate::{assert_none, root};

/// The custom section that carries a plugin's manifest.
const SECTION: &str = "hostler:manifest";

/// Set where a missing plugin must not pass for a good one.
const REQUIRED: &str = "HOSTLER_REQUIRE_PLUGINS";

/// The manifests packed into a component, however deep.
fn packed(component: &[u8]) -> Vec<Vec<u8>> {
    let payloads = Parser::new(0).parse_all(component).map(Result::unwrap);
    payloads
        .filter_map(|payload| match payload {
            Payload::CustomSection(section) if section.name() == SECTION => Some(section.data().to_vec()),
            _ => None,
        })
        .collect()
}

/// The folders of plugins, by name.
fn plugins(root: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(root.join("plugins")).unwrap().map(Result::unwrap);
    let folders = entries.filter(|entry| entry.path().join("plugin.toml").is_file());
    folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn the_manifest_in_each_built_plugin_is_its_plugin_toml() {
    let root = root();
    let names = plugins(&root);
    assert!(names.contains(&"folder".to_owned()), "{names:?}");
    let mut wrong = Vec::new();
    for name in names {
        let built = root.join("target/plugins").join(&name).with_extension("wasm");
        let Ok(component) = std::fs::read(&built) else {
            let message = format!("{name}: not built, run `cargo xtask plugins`");
            assert!(std::env::var_os(REQUIRED).is_none(), "{message}");
            eprintln!("skipped {message}");
            continue;
        };
        let beside = std::fs::read(root.join("plugins").join(&name).join("plugin.toml")).unwrap();
        if packed(&component) != [beside] {
            wrong.push(format!("{name}: run `cargo xtask plugins`"));
        }
    }
    assert_none("built plugins whose manifest is not that of their plugin.toml:", &wrong);
}
