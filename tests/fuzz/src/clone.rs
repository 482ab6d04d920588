//! Git directories that agents leave, from which their commits are taken.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use hostler_workspaces::{LeftRefs, left_refs};
use tempfile::TempDir;

/// Between two files.
const BETWEEN: &str = "\n---\n";

/// Digits of an object's name.
const DIGITS: usize = 40;

thread_local! {
    static PLACE: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// The pieces are files, each a path in a line and its content. `HEAD` is on a commit
/// only if a file says so, and each ref that is read is one that was written.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let files: BTreeMap<&str, &str> = text
        .split(BETWEEN)
        .filter_map(|file| file.split_once('\n').or(Some((file, ""))))
        .filter(|(path, _)| is_tame(path))
        .collect();
    PLACE.with_borrow_mut(|place| {
        let place = place.get_or_insert_with(|| TempDir::new().unwrap_or_else(|error| panic!("{error}")));
        let folder = place.path().join("git");
        let written = write(&folder, &files);
        let read = left_refs(&folder);
        fs::remove_dir_all(&folder).unwrap_or_else(|error| panic!("{error}"));
        let Ok(LeftRefs { head, all: refs }) = read else { return };
        let said: BTreeMap<String, String> =
            refs.iter().map(|(name, id)| (name.clone(), id.to_string())).collect();
        for (name, id) in &said {
            let loose = written.get(name.as_str()).copied().and_then(id_of);
            let packed = written.get("packed-refs").is_some_and(|text| is_packed(text, name, id));
            assert!(loose.map_or(packed, |loose| loose == *id), "{name} is not on {id}");
        }
        if let Ok(Some(id)) = head {
            let on = written.get("HEAD").copied().unwrap_or_default().trim_ascii_end();
            let named = on.strip_prefix("ref:").map(str::trim_ascii_start);
            let expected = named.map_or_else(|| id_of(on), |name| said.get(name).cloned());
            assert_eq!(Some(id.to_string()), expected, "HEAD says {on:?}");
            let inside = named.is_none_or(|name| name.starts_with("refs/") && !name.contains(".."));
            assert!(inside, "HEAD leads out: {on:?}");
        }
    });
}

/// A path that stays below the folder it is written in, and is no other file there.
fn is_tame(path: &str) -> bool {
    let tame = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_ .@{~".contains(&byte);
    let name = |name: &str| !name.is_empty() && name.len() < 64 && name != "." && name != "..";
    path.len() < 256 && path.bytes().all(tame) && path.split('/').all(name)
}

/// Writes what can be written together; gives that.
fn write<'a>(folder: &Path, files: &BTreeMap<&'a str, &'a str>) -> BTreeMap<&'a str, &'a str> {
    fs::create_dir_all(folder).unwrap_or_else(|error| panic!("{error}"));
    let mut written = BTreeMap::new();
    for (path, content) in files {
        let target = folder.join(path);
        let parent = target.parent().unwrap_or(folder);
        if fs::create_dir_all(parent).and_then(|()| fs::write(&target, content)).is_ok() {
            written.insert(*path, *content);
        }
    }
    written
}

fn id_of(text: &str) -> Option<String> {
    let text = text.trim_ascii_end();
    let digits = text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    digits.then(|| text.to_ascii_lowercase())
}

fn is_packed(text: &str, name: &str, id: &str) -> bool {
    text.lines().any(|line| {
        let at = line.get(..DIGITS).zip(line.get(DIGITS + 1..));
        at.is_some_and(|(own, rest)| own.eq_ignore_ascii_case(id) && rest.trim_end() == name)
    })
}
