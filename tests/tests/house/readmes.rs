//! Each room explains itself under the same four headings.

use crate::arrows::OUTSIDE;
use crate::{assert_none, packages};

const HEADINGS: [&str; 4] = ["Invariants", "Code map", "Tests", "Known limits"];

/// The headings of the second level, outside of code blocks.
fn headings(markdown: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut found = Vec::new();
    for line in markdown.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if let (false, Some(heading)) = (in_code, line.strip_prefix("## ")) {
            found.push(heading.trim());
        }
    }
    found
}

#[test]
fn every_room_has_a_readme_with_exactly_the_four_headings() {
    let mut wrong = Vec::new();
    for package in packages().into_iter().filter(|package| !OUTSIDE.contains(&package.name.as_str())) {
        let path = package.manifest_path.with_file_name("README.md");
        match std::fs::read_to_string(&path) {
            Ok(text) if headings(&text) == HEADINGS => {}
            Ok(text) => wrong.push(format!("{path}: has {:?}", headings(&text))),
            Err(error) => wrong.push(format!("{path}: {error}")),
        }
    }
    assert_none(&format!("each README.md must have the headings {HEADINGS:?}:"), &wrong);
}

#[test]
fn headings_inside_code_and_of_other_levels_do_not_count() {
    let text = "# Title\n## One\ntext\n```markdown\n## Not one\n```\n### Below\n##Neither\n## Two\n";
    assert_eq!(headings(text), ["One", "Two"]);
}
