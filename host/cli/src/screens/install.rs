//! `host plugin install` and what follows from it.

use std::fmt::Write;
use std::path::Path;

use hostler_daemon::installing::{Decision, Standing};

use crate::page::Page;
use crate::paint::Tone;
use crate::screens::run_words::quoted;
use crate::text::one_line;

/// A plugin that came in: id and version.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// The name it is installed under.
    pub id: &'a str,
    /// As its manifest says.
    pub version: &'a str,
}

/// What a newer build asks for beyond the current one.
pub fn draw_growth(page: &Page, plugin: Arrived<'_>, than: &str, more: &[String]) -> String {
    let title = format!("{} {} asks for more than {than}", plugin.id, one_line(plugin.version));
    let mut out = format!("{}\n", page.tone(Tone::Strong, &title));
    for line in more {
        let _ = writeln!(out, "{}", page.tone(Tone::Warning, &format!("  + {}", one_line(line))));
    }
    out
}

/// What became of a plugin that came in, in one sentence.
pub fn outcome_line(plugin: Arrived<'_>, standing: &Standing, decision: &Decision) -> String {
    let name = format!("{} {}", plugin.id, one_line(plugin.version));
    match (decision, standing) {
        (Decision::Keep, _) => waits(plugin, ""),
        (Decision::Use { .. }, Standing::CarriedOver { from, .. }) => {
            let from = one_line(from);
            format!("{name} is installed; it asks for no more than {from} was allowed, and is allowed that.")
        }
        (Decision::Use { grant: None }, Standing::New) => {
            format!("{name} is installed and not allowed yet: `host plugin allow {}`.", plugin.id)
        }
        (Decision::Use { .. }, _) => format!("{name} is installed and allowed."),
    }
}

/// A build that waits for a yes, beside the one that runs.
pub fn waits(plugin: Arrived<'_>, running: &str) -> String {
    let Arrived { id, version } = plugin;
    let running = if running.is_empty() { "the build before".to_owned() } else { one_line(running) };
    format!(
        "a newer version of {id}, {}, asks for more and waits; {running} keeps running: `host plugin allow {id}`",
        one_line(version)
    )
}

/// What to type where nobody can be asked.
pub fn nobody_to_ask(id: &str, source: &Path) -> String {
    let source = quoted(&source.display().to_string());
    format!(
        "nobody is there to be asked: look at {id} with `host plugin inspect {source}`, then run `host plugin install {source} --yes`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;

    const NEW: Arrived<'_> = Arrived { id: "demo", version: "0.2.0" };

    #[test]
    fn growth_is_shown_line_by_line() {
        let more = ["send POST requests to https://a.example/".to_owned()];
        insta::assert_snapshot!(draw_growth(&page(), NEW, "0.1.0", &more));
    }

    #[test]
    fn every_outcome_of_an_installation_is_one_sentence() {
        let carried = Standing::CarriedOver { from: "0.1.0".to_owned(), rights: Box::default() };
        let grown = Standing::AsksForMore { than: "0.1.0".to_owned(), more: Vec::new() };
        let granted = Decision::Use { grant: Some(Box::default()) };
        let lines = [
            outcome_line(NEW, &Standing::New, &granted),
            outcome_line(NEW, &carried, &granted),
            outcome_line(NEW, &Standing::New, &Decision::Use { grant: None }),
            outcome_line(NEW, &grown, &Decision::Keep),
            waits(NEW, "0.1.0"),
            nobody_to_ask("demo", Path::new("/my plugins/demo.wasm")),
        ];
        insta::assert_snapshot!(lines.join("\n"));
    }
}
