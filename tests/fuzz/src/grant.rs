//! The operator's grants, which people edit.

use std::path::Path;

use hostler_daemon::grants::Grants;
use hostler_engine::rights::Rights;

/// Any text is a file of grants or refused. One that is read can be written and read
/// again unchanged; a grant covers itself, and nothing is beyond it in nothing.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let path = Path::new("grants.toml");
    let Ok(grants) = Grants::parse(path, text) else { return };
    let written = grants.text().unwrap_or_else(|error| panic!("cannot be written: {error}"));
    let read = Grants::parse(path, &written)
        .unwrap_or_else(|error| panic!("cannot be read again: {error}\n{written}"));
    assert_eq!(read, grants, "changed by writing it down:\n{written}");
    for grant in grants.all() {
        assert_eq!(Rights::default().beyond(&grant.rights), [""; 0], "nothing asks for something");
    }
}
