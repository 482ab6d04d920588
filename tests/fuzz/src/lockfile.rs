//! The list of installed plugins, by which files are found and believed.

use hostler_daemon::lockfile::LockFile;

/// Any text is a list or refused. One that is read can be written and read again
/// unchanged, and no name in it leads out of the folder of plugins.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(list) = LockFile::parse(text) else { return };
    let written = list.text().unwrap_or_else(|error| panic!("cannot be written: {error}"));
    assert_eq!(LockFile::parse(&written).as_ref(), Ok(&list), "changed by writing it down:\n{written}");
    for (id, slot) in list.all() {
        assert!(!id.contains(['/', '.', '\\', '\0']) && !id.is_empty(), "{id:?}");
        for build in slot.builds() {
            assert_eq!(build.digest.to_string().len(), 64, "{id}");
        }
    }
}
