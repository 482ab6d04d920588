//! `host plugin diff`.

use std::fmt::Write;

use hostler_daemon::plugins::Difference;
use serde::Serialize;

use crate::page::Page;
use crate::paint::Tone;
use crate::text::{one_line, short_digest};

/// One side of the comparison.
#[derive(Clone, Debug, Serialize)]
pub struct Build {
    /// Its file.
    pub file: String,
    /// SHA-256 of it.
    pub digest: String,
}

/// What one build asks for beyond another, in plain words.
pub fn draw_difference(page: &Page, old: &Build, new: &Build, found: &Difference) -> String {
    let mut out = format!("{}{}\n", side("old", old), side("new", new));
    for (name, change) in [("plugin", &found.id), ("version", &found.version)] {
        if let Some(change) = change {
            let _ = writeln!(out, "{name}: {} → {}", one_line(&change.old), one_line(&change.new));
        }
    }
    if let Some(change) = &found.contract {
        let word = |contract: &Option<String>| one_line(contract.as_deref().unwrap_or("none"));
        let _ = writeln!(out, "contract: {} → {}", word(&change.old), word(&change.new));
    }
    list(page, &mut out, "Asks for more", '+', Tone::Warning, &found.gained);
    list(page, &mut out, "Asks no longer", '-', Tone::Good, &found.given_up);
    list(page, &mut out, "Imports more", '+', Tone::Bad, &found.imports_added);
    list(page, &mut out, "Imports no longer", '-', Tone::Good, &found.imports_removed);
    list(page, &mut out, "Exports more", '+', Tone::Quiet, &found.exports_added);
    list(page, &mut out, "Exports no longer", '-', Tone::Quiet, &found.exports_removed);
    let (verdict, tone) = if found.grows() {
        ("The new build could do more than the old one.", Tone::Warning)
    } else if found.given_up.is_empty() && found.imports_removed.is_empty() {
        ("The new build asks for the same.", Tone::Good)
    } else {
        ("The new build asks for less.", Tone::Good)
    };
    let _ = writeln!(out, "{}", page.tone(tone, verdict));
    out
}

fn side(name: &str, build: &Build) -> String {
    format!("{name}  {}  {}\n", short_digest(&build.digest), one_line(&build.file))
}

fn list(page: &Page, out: &mut String, title: &str, sign: char, tone: Tone, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = writeln!(out, "{}", page.tone(Tone::Strong, title));
    for line in lines {
        let _ = writeln!(out, "{}", page.tone(tone, &format!("  {sign} {}", one_line(line))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;
    use hostler_daemon::plugins::Change;

    fn build(name: &str, digit: &str) -> Build {
        Build { file: format!("/p/{name}.wasm"), digest: digit.repeat(64) }
    }

    fn same() -> Difference {
        Difference {
            id: None,
            version: None,
            contract: None,
            gained: Vec::new(),
            given_up: Vec::new(),
            imports_added: Vec::new(),
            imports_removed: Vec::new(),
            exports_added: Vec::new(),
            exports_removed: Vec::new(),
        }
    }

    #[test]
    fn growth_and_shrinking_are_told_apart() {
        let text = |text: &str| text.to_owned();
        let found = Difference {
            version: Some(Change { old: text("1.0.0"), new: text("1.1.0") }),
            contract: Some(Change { old: Some(text("hostler:plugin@0.1.0")), new: None }),
            gained: vec![text("send POST requests to https://a.example/")],
            given_up: vec![text("read files in the folder set by `path`")],
            imports_added: vec![text("wasi:cli/run@0.2.0")],
            exports_added: vec![text("hostler:plugin/tracker@0.2.0")],
            exports_removed: vec![text("hostler:plugin/tracker@0.1.0")],
            ..same()
        };
        insta::assert_snapshot!(draw_difference(&page(), &build("old", "a"), &build("new", "b"), &found));
        let less = Difference { given_up: vec![text("read files in the folder set by `path`")], ..same() };
        insta::assert_snapshot!(draw_difference(&page(), &build("old", "a"), &build("new", "b"), &less));
        insta::assert_snapshot!(draw_difference(&page(), &build("old", "a"), &build("new", "b"), &same()));
    }
}
