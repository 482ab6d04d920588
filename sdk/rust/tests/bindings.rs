//! The checked-in bindings belong to the contract.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

fn wit_files(folder: &str) -> BTreeMap<String, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = BTreeMap::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        files.insert(name, fs::read_to_string(&path).unwrap());
    }
    files
}

#[test]
fn the_bindings_were_made_from_the_contract_as_it_is_now() {
    let (contract, used) = (wit_files("../../wit"), wit_files("src/bindings/wit"));
    assert!(!contract.is_empty());
    for (name, text) in &contract {
        assert_eq!(used.get(name), Some(text), "{name} has changed: run sdk/rust/regenerate.sh");
    }
    assert_eq!(used.len(), contract.len(), "a file of the contract is gone: run sdk/rust/regenerate.sh");
}
