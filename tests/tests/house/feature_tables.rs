//! A table of features names for each the tests that prove it, and those are there.

use std::collections::BTreeSet;

use crate::sources::{Source, sources};
use crate::{assert_none, root};

/// Plugins whose tables leave no feature to the rooms of the host, but name a test for each.
const COMPLETE: [&str; 2] = ["tale", "trakkar"];

/// A feature and the tests that its row names, as `module::test`.
#[derive(Debug, PartialEq)]
struct Row<'a> {
    number: usize,
    tests: Vec<&'a str>,
}

/// The rows of a README's table: those that begin with the number of a feature.
fn rows(markdown: &str) -> Vec<Row<'_>> {
    markdown.lines().filter_map(row).collect()
}

fn row(line: &str) -> Option<Row<'_>> {
    let (feature, proof) = line.strip_prefix("| F")?.split_once('|')?;
    let number = feature.split_whitespace().next()?.parse().ok()?;
    let tests = proof.split('`').skip(1).step_by(2).filter(|quoted| quoted.contains("::")).collect();
    Some(Row { number, tests })
}

/// The names of the modules that a file's path stands for: its own and its folders'.
fn modules(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').map(|part| part.strip_suffix(".rs").unwrap_or(part))
}

/// The names of the tests in a file.
fn tests(text: &str) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let is_test = |number: &usize| {
        let attributes = lines[..*number].iter().rev().take_while(|line| line.starts_with("#["));
        attributes.into_iter().any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"))
    };
    let named: Vec<&str> = (0..lines.len())
        .filter(is_test)
        .filter_map(|number| {
            lines[number].trim_start_matches("async ").strip_prefix("fn ")?.split('(').next()
        })
        .collect();
    named.into_iter()
}

/// Every `module::test` there is.
fn known(sources: &[Source]) -> BTreeSet<String> {
    let of = |source: &Source| {
        let modules: Vec<String> = modules(&source.path).map(str::to_owned).collect();
        let named = tests(&source.text).map(str::to_owned).collect::<Vec<_>>();
        named.into_iter().flat_map(move |test| {
            modules.iter().map(|module| format!("{module}::{test}")).collect::<Vec<_>>()
        })
    };
    sources.iter().flat_map(of).collect()
}

#[test]
fn every_test_that_a_table_of_features_names_is_there_and_every_feature_of_a_complete_one_has_one() {
    let known = known(&sources());
    let (mut wrong, mut complete) = (Vec::new(), 0);
    for plugin in std::fs::read_dir(root().join("plugins")).unwrap().map(Result::unwrap) {
        let path = plugin.path().join("README.md");
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let rows = rows(&text);
        let is_complete = COMPLETE.iter().any(|name| plugin.file_name() == *name);
        complete += usize::from(is_complete && !rows.is_empty());
        for (place, row) in rows.iter().enumerate() {
            let at = format!("{} F{}", path.display(), row.number);
            if row.number != place + 1 {
                wrong.push(format!("{at}: F{} should stand here", place + 1));
            }
            if is_complete && row.tests.is_empty() {
                wrong.push(format!("{at}: no test is named"));
            }
            let missing = row.tests.iter().filter(|test| !known.contains(**test));
            wrong.extend(missing.map(|test| format!("{at}: there is no test {test}")));
        }
    }
    assert_eq!(complete, COMPLETE.len(), "a table of features was not found");
    assert_none("a feature is proved by a test that exists:", &wrong);
}

#[test]
fn a_row_is_read_with_its_number_and_its_tests_only() {
    let line = "| F12 keys, never `paths` | `one::is_so`; the rest by `two::is_so`, see `plugin.toml` |";
    assert_eq!(rows(line), [Row { number: 12, tests: vec!["one::is_so", "two::is_so"] }]);
    assert_eq!(rows("| feature | proof |\n|---|---|\nF1 in a text"), []);
}

#[test]
fn a_function_counts_only_if_it_is_a_test() {
    let text = "#[test]\nfn one() {\n#[tokio::test]\n#[cfg(unix)]\nasync fn two() {\nfn three() {\n";
    assert_eq!(tests(text).collect::<Vec<_>>(), ["one", "two"]);
    let source = Source { path: "a/tests/b.rs".to_owned(), text: text.to_owned() };
    let known = known(&[source]);
    assert!(known.contains("b::one") && known.contains("a::two") && !known.contains("b::three"));
}
