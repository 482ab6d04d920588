//! What every source file keeps to.

use std::path::{Path, PathBuf};

use crate::{assert_none, root};

/// A file longer than this wants to be two things.
const LONGEST: usize = 600;

/// Folders nobody writes by hand.
const GENERATED: [&str; 1] = ["sdk/rust/src/bindings"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "misc", "shared", "stuff"];

/// One source file: its path below the root, and its text.
pub struct Source {
    pub path: String,
    pub text: String,
}

/// Every source file that somebody wrote.
pub fn sources() -> Vec<Source> {
    let root = root();
    let mut paths = Vec::new();
    for folder in ["host", "plugins", "sdk", "tests", "xtask", "wit"] {
        collect(&root.join(folder), &mut paths);
    }
    let generated = |path: &String| GENERATED.iter().any(|folder| path.starts_with(folder));
    paths
        .into_iter()
        .map(|path| (path.strip_prefix(&root).unwrap().to_string_lossy().into_owned(), path))
        .filter(|(name, _)| !generated(name))
        .map(|(name, path)| Source { path: name, text: std::fs::read_to_string(path).unwrap() })
        .collect()
}

/// All Rust and WIT files below a folder, but for those of builds.
fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            if entry.file_name() != "target" {
                collect(&path, paths);
            }
        } else if path.extension().is_some_and(|end| end == "rs" || end == "wit") {
            paths.push(path);
        }
    }
}

fn is_too_long(lines: usize) -> bool {
    lines > LONGEST
}

/// Whether a file's name, or a folder's on the way to it, says nothing.
fn has_empty_name(path: &str) -> bool {
    let mut parts = path.split('/').map(|part| part.split_once('.').map_or(part, |(stem, _)| stem));
    parts.any(|part| EMPTY_NAMES.contains(&part))
}

/// The name of a module written inside its parent's file.
fn inline_module(line: &str) -> Option<&str> {
    let declared = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
    let (name, _) = declared.strip_prefix("mod ")?.split_once(" {")?;
    Some(name)
}

/// Numbers of the lines that are unsafe without a word on why that is sound. An
/// attribute is none of them: it names a symbol or section, and runs nothing.
fn unexplained_unsafe(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    let is_unsafe = |line: &str| {
        let words = ["unsafe {", "unsafe fn ", "unsafe impl", "unsafe trait ", "unsafe extern "];
        let line = code(line);
        words.iter().any(|word| line.match_indices(word).any(|(at, _)| at == 0 || !is_quoted(&line, at)))
    };
    let explained = |number: usize| {
        let above = lines[..number].iter().rev();
        let mut comment = above.take_while(|line| line.trim_start().starts_with("//"));
        comment.any(|line| line.contains("SAFETY:"))
    };
    let numbers = (0..lines.len()).filter(|&number| is_unsafe(lines[number]) && !explained(number));
    numbers.map(|number| number + 1).collect()
}

/// Whether a place of a line is inside a string.
fn is_quoted(line: &str, at: usize) -> bool {
    line[..at].matches('"').count() % 2 == 1
}

#[test]
fn no_source_file_is_too_long() {
    let lengths = sources().into_iter().map(|source| (source.text.lines().count(), source.path));
    let wrong: Vec<String> = lengths
        .filter(|(lines, _)| is_too_long(*lines))
        .map(|(lines, path)| format!("{path}: {lines} lines, at most {LONGEST}"))
        .collect();
    assert_none("files that want to be two things:", &wrong);
}

#[test]
fn a_file_of_the_longest_length_fits_and_one_line_more_does_not() {
    assert!(!is_too_long(LONGEST));
    assert!(is_too_long(LONGEST + 1));
}

#[test]
fn no_module_has_a_name_that_says_nothing() {
    let mut wrong = Vec::new();
    for source in sources() {
        if has_empty_name(&source.path) {
            wrong.push(source.path.clone());
        }
        let inline = source.text.lines().filter_map(inline_module);
        wrong.extend(
            inline.filter(|name| EMPTY_NAMES.contains(name)).map(|name| format!("{}: {name}", source.path)),
        );
    }
    assert_none("names that say nothing about what is inside:", &wrong);
}

#[test]
fn every_unsafe_says_why_it_is_sound() {
    let mut wrong = Vec::new();
    for source in sources() {
        let lines = unexplained_unsafe(&source.text);
        wrong.extend(lines.into_iter().map(|line| format!("{}:{line}", source.path)));
    }
    assert_none("unsafe code without a `// SAFETY:` comment right above it:", &wrong);
}

#[test]
fn the_check_for_names_knows_files_folders_and_modules() {
    for wrong in ["host/x/src/utils.rs", "host/x/src/misc/mod.rs", "tests/tests/common.rs"] {
        assert!(has_empty_name(wrong), "{wrong}");
    }
    assert!(!has_empty_name("host/x/src/commons_law.rs"));
    assert_eq!(inline_module("    pub(crate) mod helpers {"), Some("helpers"));
    assert_eq!(inline_module("mod helpers;"), None);
}

#[test]
fn the_check_for_unsafe_wants_the_comment_right_above() {
    let said = "// SAFETY: it lives as long\n// as we do.\nlet x = unsafe { *p };\n";
    assert_eq!(unexplained_unsafe(said), [0; 0]);
    let silent = "// SAFETY: of something else\nlet y = 1;\nlet x = unsafe { *p };\n";
    assert_eq!(unexplained_unsafe(silent), [3]);
    let only_words =
        "// unsafe { x }\nlet text = \"unsafe { x }\";\nfn is_unsafe() {}\n#[unsafe(no_mangle)]\n";
    assert_eq!(unexplained_unsafe(only_words), [0; 0]);
    assert_eq!(unexplained_unsafe("unsafe impl Send for X {}\n"), [1]);
}
