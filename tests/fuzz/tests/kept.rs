//! Every input that was worth keeping: the seeds that a fuzzer starts from, and what it
//! found when something was wrong.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use hostler_fuzz::TARGETS;

/// The inputs of a target in one of the folders, in order of their names.
fn kept(folder: &str, target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).join(target);
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn nothing_that_was_found_once_is_wrong_again() {
    for (name, check) in TARGETS {
        let seeds = kept("corpus", name);
        assert!(!seeds.is_empty(), "{name} has nothing to start from");
        for path in seeds.iter().chain(&kept("regressions", name)) {
            println!("{}", path.display());
            check(&std::fs::read(path).unwrap());
        }
    }
}

#[test]
fn whatever_is_cut_out_of_a_seed_is_read_without_harm() {
    for (name, check) in TARGETS {
        for path in kept("corpus", name) {
            let bytes = std::fs::read(&path).unwrap();
            // Longer ones have room for every kind of cut in far fewer places.
            let step = bytes.len() / 16 + 1;
            for end in (0..bytes.len()).step_by(step) {
                check(&bytes[..end]);
                check(&bytes[end..]);
            }
        }
    }
}

#[test]
fn nothing_lies_where_no_target_looks() {
    for folder in ["corpus", "regressions"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        for entry in std::fs::read_dir(path).into_iter().flatten() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            assert!(TARGETS.iter().any(|(target, _)| *target == name), "{folder}/{name} is no target");
        }
    }
}
