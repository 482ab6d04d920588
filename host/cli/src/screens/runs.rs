//! `host runs`.

use hostler_daemon::view::RunView;

use super::run_words::{cost, elapsed, short_id, sign, state, tone, why};
use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, heading};
use crate::text::short_number;

/// A table, or what to do if there is nothing to show.
pub fn draw_runs(page: &Page, runs: &[RunView], open_only: bool) -> String {
    if runs.is_empty() {
        let word = if open_only { "No open runs." } else { "No runs yet." };
        return format!("{word} `host run` takes tasks and works on them.\n");
    }
    let names = ["", "RUN", "TASK", "STATE", "AGE", "TOOK", "TOKENS", "COST", "TITLE"];
    let rows = std::iter::once(heading(&names)).chain(runs.iter().map(|run| row(page, run)));
    draw(&rows.collect::<Vec<_>>(), page.paint, page.width)
}

fn row(page: &Page, run: &RunView) -> Vec<Cell> {
    let tokens = run.usage.tokens();
    let tokens = if tokens == 0 { String::new() } else { short_number(tokens) };
    let age = page.now.since(hostler_daemon::engine::time::Timestamp(run.created));
    let detail = if run.why.is_empty() { run.title.clone() } else { why(page, run) };
    vec![
        Cell::new(sign(run)).tone(tone(run)),
        Cell::new(short_id(run)).tone(Tone::Quiet),
        Cell::new(&run.task_key).tone(Tone::Strong),
        Cell::new(state(run)).tone(tone(run)),
        Cell::new(age.to_string()).right(),
        Cell::new(elapsed(run, page.now).to_string()).right(),
        Cell::new(tokens).right(),
        Cell::new(cost(&run.usage).unwrap_or_default()).right(),
        Cell::new(detail),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;
    use crate::screens::examples;

    #[test]
    fn no_runs_say_what_to_do() {
        insta::assert_snapshot!(draw_runs(&page(), &[], false) + &draw_runs(&page(), &[], true));
    }

    #[test]
    fn runs_are_a_calm_table() {
        let runs = [examples::running(), examples::waiting(), examples::succeeded(), examples::failed()];
        insta::assert_snapshot!(draw_runs(&page(), &runs, false));
        let narrow = Page { width: Some(100), ..page() };
        insta::assert_snapshot!(draw_runs(&narrow, &runs, false));
    }
}
