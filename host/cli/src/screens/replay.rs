//! `host replay`.

use std::fmt::Write;

use hostler_daemon::replay::{Compared, Comparison, Difference, Replay};
use hostler_daemon::view::RunView;

use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, heading};
use crate::text::{count, cut, one_line, short_digest};

/// Columns of a recorded answer that are shown around the first difference.
const SHOWN: usize = 160;

/// What was replayed, and how it compares.
pub fn draw_replay(page: &Page, run: &RunView, replay: &Replay) -> String {
    let rows = replay.parts.iter().map(|part| {
        let (word, tone) = match &part.result {
            Compared::Equal => ("equal".to_owned(), Tone::Good),
            Compared::Differs(difference) => (format!("differs at {}", difference.place), Tone::Bad),
            Compared::Impossible(why) => (format!("cannot be told: {why}"), Tone::Warning),
        };
        let by = part.plugin.as_ref().map_or_else(
            || "engine".to_owned(),
            |build| format!("{} {}", build.id, short_digest(&build.digest)),
        );
        vec![
            Cell::new(&part.what),
            Cell::new(by).tone(Tone::Quiet),
            Cell::new(part.count.to_string()).right(),
            Cell::new(word).tone(tone),
        ]
    });
    let head = heading(&["WHAT", "BY", "DECISIONS", "AGAIN"]);
    let table: Vec<_> = std::iter::once(head).chain(rows).collect();
    let mut out = format!("{}\n", draw(&table, page.paint, None));
    for part in &replay.parts {
        if let Compared::Differs(difference) = &part.result {
            out += &first_difference(page, difference);
        }
    }
    let key = one_line(&run.task_key);
    let equal = replay.parts.iter().filter(|part| part.result == Compared::Equal);
    let total: usize = equal.map(|part| part.count).sum();
    let _ = if replay.differs() {
        writeln!(out, "{key} was not decided the same way again.")
    } else {
        writeln!(out, "{} about {key} came out the same, byte for byte.", count(total as u64, "decision"))
    };
    out
}

fn first_difference(page: &Page, difference: &Difference) -> String {
    let at = first_differing(&difference.recorded, &difference.replayed);
    format!(
        "{}, from byte {at} on\n  recorded  {}\n  replayed  {}\n\n",
        page.tone(Tone::Strong, &difference.place),
        from(&difference.recorded, at),
        from(&difference.replayed, at)
    )
}

/// The first byte in which two texts differ; where one goes on, the end of the shorter.
fn first_differing(one: &str, other: &str) -> usize {
    let differing = one.bytes().zip(other.bytes()).position(|(one, other)| one != other);
    differing.unwrap_or_else(|| one.len().min(other.len()))
}

/// The text around a byte, on one line.
fn from(text: &str, at: usize) -> String {
    let start = text.floor_char_boundary(at.saturating_sub(SHOWN / 4));
    let dots = if start > 0 { "…" } else { "" };
    format!("{dots}{}", cut(&one_line(&text[start..]), SHOWN))
}

/// What another version of a plugin would have decided, call by call.
pub fn draw_comparison(page: &Page, run: &RunView, file: &str, compared: &[Comparison]) -> String {
    let key = one_line(&run.task_key);
    if compared.is_empty() {
        return format!("No recorded decision about {key} was made by a plugin of this name.\n");
    }
    let mut out = String::new();
    for comparison in compared {
        if comparison.same {
            let _ = writeln!(out, "{}  {}", comparison.what, page.tone(Tone::Quiet, "the same"));
            continue;
        }
        let (old, new) = (&comparison.old, &comparison.new);
        let at = first_differing(old, new);
        let _ = writeln!(
            out,
            "{}  {}\n  old  {}\n  new  {}",
            page.tone(Tone::Strong, &comparison.what),
            page.tone(Tone::Warning, "differs"),
            from(old, at),
            from(new, at)
        );
    }
    let other = compared.iter().filter(|comparison| !comparison.same).count();
    let _ = writeln!(
        out,
        "\n{} would decide {other} of {} about {key} differently.",
        one_line(file),
        count(compared.len() as u64, "decision")
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;
    use crate::screens::examples;
    use hostler_daemon::replay::Part;
    use hostler_daemon::store::Build;

    fn part(what: &str, plugin: &str, count: usize, result: Compared) -> Part {
        let build = Build { id: plugin.to_owned(), digest: "8f2c1de09b7a4c55".repeat(4) };
        let plugin = Some(build).filter(|build| !build.id.is_empty());
        Part { what: what.to_owned(), plugin, count, result }
    }

    #[test]
    fn a_replay_is_a_calm_table() {
        let parts = vec![
            part("plan", "folder", 1, Compared::Equal),
            part("output of attempt 1", "claude-code", 42, Compared::Equal),
            part("engine", "", 118, Compared::Impossible("entries of its time were pruned".to_owned())),
        ];
        let replay = Replay { run: "r".to_owned(), parts };
        insta::assert_snapshot!(draw_replay(&page(), &examples::succeeded(), &replay));
    }

    #[test]
    fn the_first_difference_is_shown_side_by_side() {
        let difference = Difference {
            place: "prompt number 2".to_owned(),
            recorded: format!("{}old\u{1b}[31m ending", "x".repeat(200)),
            replayed: format!("{}new ending", "x".repeat(200)),
        };
        let parts = vec![part("prompt", "folder", 2, Compared::Differs(difference))];
        let replay = Replay { run: "r".to_owned(), parts };
        insta::assert_snapshot!(draw_replay(&page(), &examples::succeeded(), &replay));
    }

    #[test]
    fn a_text_that_goes_on_differs_where_the_other_ends() {
        assert_eq!(first_differing("abc", "abd"), 2);
        assert_eq!(first_differing("abc", "abcd"), 3);
        let long = "x".repeat(1000);
        let comparison =
            Comparison { what: "prompt".to_owned(), same: false, old: long.clone(), new: long + "end" };
        let drawn = draw_comparison(&page(), &examples::succeeded(), "./new.wasm", &[comparison]);
        assert!(drawn.contains("xend"), "{drawn}");
    }

    #[test]
    fn another_version_is_compared_call_by_call() {
        let comparison = |what: &str, old: &str, new: &str| Comparison {
            what: what.to_owned(),
            same: old == new,
            old: old.to_owned(),
            new: new.to_owned(),
        };
        let compared = [
            comparison("plan", r#"{"ok":{"model":null}}"#, r#"{"ok":{"model":"sonnet"}}"#),
            comparison("prompt", "[]", "[]"),
        ];
        let run = examples::succeeded();
        insta::assert_snapshot!(draw_comparison(&page(), &run, "./new.wasm", &compared));
    }
}
