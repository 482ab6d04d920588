//! `host explain`.

use std::fmt::Write;

use hostler_daemon::engine::time::Timestamp;
use hostler_daemon::explained::Explained;

use super::run_words::{looked, title};
use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw};
use crate::text::count;

/// Why a run is in its state, and what led there.
pub fn draw_explained(page: &Page, explained: &Explained) -> String {
    let (run, now) = (&explained.run, &explained.explanation);
    let mut out = title(page, run);
    let until = now.until.map(|until| {
        let left = until.since(page.now);
        let when = if until > page.now { format!("in {left}") } else { "due".to_owned() };
        format!("{} ({when})", page.moment(until.0))
    });
    let rows = [
        (
            "state",
            Some(format!("{} since {} ({})", now.state, page.moment(now.since.0), page.ago(now.since.0))),
        ),
        ("why", Some(now.why.clone())),
        ("waits for", now.waits_for.clone()),
        ("until", until),
        ("next", Some(now.next.clone())),
        ("follow-up", explained.pull_request.as_ref().map(|standing| looked(page, standing))),
    ];
    let rows: Vec<Vec<Cell>> = rows
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)))
        .map(|(name, value)| vec![Cell::new(name).tone(Tone::Quiet), Cell::new(value)])
        .collect();
    out += &draw(&rows, page.paint, None);
    out += &happened(page, explained);
    out
}

fn happened(page: &Page, explained: &Explained) -> String {
    if explained.happened.is_empty() {
        return String::new();
    }
    let mut out = format!("\n{}\n", page.tone(Tone::Strong, "What happened"));
    if explained.earlier > 0 {
        let earlier = count(explained.earlier as u64, "happening");
        let _ = writeln!(out, "  {}", page.tone(Tone::Quiet, &format!("{earlier} before these")));
    }
    let one_day = |at: Timestamp| page.now.since(at) < hostler_daemon::engine::time::Millis::minutes(24 * 60);
    let rows: Vec<Vec<Cell>> = explained
        .happened
        .iter()
        .map(|happening| {
            let at = happening.at;
            let when = if one_day(at) { page.clock(at.0) } else { page.moment(at.0) };
            vec![Cell::new(""), Cell::new(when).tone(Tone::Quiet), Cell::new(&happening.what)]
        })
        .collect();
    out + &draw(&rows, page.paint, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;
    use crate::screens::examples;
    use hostler_daemon::engine::explain::Explanation;
    use hostler_daemon::explained::Happening;

    #[test]
    fn a_waiting_run_tells_why_for_what_and_what_led_there() {
        let happening = |seq, at, what: &str| Happening { seq, at: Timestamp(at), what: what.to_owned() };
        let explained = Explained {
            run: examples::waiting(),
            explanation: Explanation {
                state: "waiting".to_owned(),
                since: Timestamp(1_779_999_940_000),
                why: "Attempt 1 failed: The model is overloaded.".to_owned(),
                waits_for: Some("the pause before the next attempt".to_owned()),
                until: Some(Timestamp(1_780_000_060_000)),
                next: "Attempt 2 starts.".to_owned(),
            },
            happened: vec![
                happening(7, 1_779_999_280_000, "folder gave the task"),
                happening(
                    19,
                    1_779_999_940_000,
                    "attempt 1 ended (overloaded): The model is \u{1b}[31moverloaded.",
                ),
            ],
            earlier: 3,
            pull_request: None,
        };
        insta::assert_snapshot!(draw_explained(&page(), &explained));
    }
}
