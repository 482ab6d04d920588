//! Native code is reused, but only what this host wrote and nobody changed.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hostler_components::{CacheError, Limits, Runtime, RuntimeError, Settings};

use crate::guest::Guest;
use crate::guests::{Host, runtime};

fn cached(host: &Host) -> PathBuf {
    let mut files: Vec<_> =
        fs::read_dir(host.folder.path().join("cache")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    files.remove(0)
}

/// Loads the plugin once more, as a newly started host would, and calls it.
fn load_again(host: &Host) {
    let runtime = runtime(&host.folder.path().join("cache"));
    let plugin = runtime.load(&host.folder.path().join("plugin.wasm")).unwrap();
    assert_eq!(plugin.detect("1").unwrap().version, "1");
}

fn identity(path: &Path) -> (u64, SystemTime) {
    let found = fs::metadata(path).unwrap();
    (found.ino(), found.modified().unwrap())
}

#[test]
fn native_code_is_kept_privately_and_used_again() {
    let host = Host::new();
    host.load(&Guest::provider());
    let file = cached(&host);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(file.parent().unwrap()), 0o700);
    assert_eq!(mode(&file), 0o600);
    let before = identity(&file);
    load_again(&host);
    assert_eq!(identity(&file), before, "the file was written again");
}

#[test]
fn changed_native_code_is_not_used_but_made_again() {
    let changes: [fn(&mut Vec<u8>); 5] = [
        |bytes| bytes.truncate(bytes.len() - 1),
        |bytes| bytes.truncate(10),
        |bytes| bytes.clear(),
        |bytes| *bytes.last_mut().unwrap() ^= 1,
        |bytes| bytes[40] ^= 1,
    ];
    for change in changes {
        let host = Host::new();
        host.load(&Guest::provider());
        let file = cached(&host);
        let whole = fs::read(&file).unwrap();
        let mut damaged = whole.clone();
        change(&mut damaged);
        fs::write(&file, damaged).unwrap();
        load_again(&host);
        assert_eq!(fs::read(cached(&host)).unwrap(), whole);
    }
}

#[test]
fn native_code_that_others_could_write_or_that_is_a_link_is_made_again() {
    let host = Host::new();
    host.load(&Guest::provider());
    let file = cached(&host);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666)).unwrap();
    load_again(&host);
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let elsewhere = host.folder.path().join("elsewhere");
    fs::rename(&file, &elsewhere).unwrap();
    symlink(&elsewhere, &file).unwrap();
    load_again(&host);
    assert!(fs::symlink_metadata(&file).unwrap().is_file());
}

#[test]
fn native_code_of_another_version_and_unfinished_files_are_replaced() {
    let host = Host::new();
    host.load(&Guest::provider());
    let file = cached(&host);
    let name = file.file_name().unwrap().to_str().unwrap();
    let digest = name.split('-').next().unwrap();
    let outdated = file.with_file_name(format!("{digest}-0123456789abcdef-0.0.1.native"));
    fs::rename(&file, &outdated).unwrap();
    fs::write(file.with_file_name(format!("{name}.unfinished")), "").unwrap();
    load_again(&host);
    assert_eq!(cached(&host), file);
}

#[test]
fn a_folder_open_to_others_is_closed_and_a_link_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).unwrap();
    drop(runtime(&open));
    assert_eq!(fs::metadata(&open).unwrap().permissions().mode() & 0o777, 0o700);
    let link = folder.path().join("link");
    symlink(&open, &link).unwrap();
    let error = Runtime::new(Settings { cache: link, limits: Limits::default() }).err().unwrap();
    assert!(matches!(error, RuntimeError::Cache(CacheError::NotOurs(_))), "{error}");
}
