//! `host plugin try`.

use hostler_daemon::engine::outcome::Outcome;

use super::run_words::usage;
use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw};
use crate::text::one_line;
use hostler_daemon::trial::Trial;

/// What a plugin made of recorded output.
pub fn draw_trial(page: &Page, trial: &Trial) -> String {
    let mut out = format!("{}\n", page.tone(Tone::Strong, "Events"));
    for event in &trial.events {
        let line = event.headline().unwrap_or_else(|| quiet_name(event).to_owned());
        out += "  ";
        out += &one_line(&line);
        out.push('\n');
    }
    if trial.events.is_empty() {
        out += "  none\n";
    }
    out + &format!("\n{}\n{}", page.tone(Tone::Strong, "Outcome"), outcome(page, &trial.outcome))
}

const fn quiet_name(event: &hostler_daemon::engine::event::Event) -> &'static str {
    use hostler_daemon::engine::event::Event;
    match event {
        Event::Usage { .. } => "(usage)",
        Event::Tool { .. } => "(a tool is done)",
        Event::Text { .. } => "(empty text)",
        _ => "(other)",
    }
}

fn outcome(page: &Page, outcome: &Outcome) -> String {
    let state = if outcome.succeeded() {
        Cell::new("succeeded").tone(Tone::Good)
    } else {
        Cell::new(format!("failed: {} ({})", outcome.reason, outcome.class.name())).tone(Tone::Bad)
    };
    let text = |name: &str, value: &str| (name.to_owned(), Cell::new(value), value.is_empty());
    let session = outcome.session.clone().unwrap_or_default();
    let rows = [
        ("state".to_owned(), state, false),
        text("message", &outcome.message),
        text("summary", &outcome.summary),
        text("session", &session),
        text("usage", &usage(&outcome.usage)),
    ];
    let rows = rows.into_iter().filter(|(_, _, empty)| !empty);
    let rows: Vec<_> =
        rows.map(|(name, value, _)| vec![Cell::new(""), Cell::new(name).tone(Tone::Quiet), value]).collect();
    draw(&rows, page.paint, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;
    use hostler_daemon::engine::event::Event;
    use hostler_daemon::engine::outcome::Class;

    #[test]
    fn a_trial_shows_every_event_and_the_outcome() {
        let events =
            vec![Event::Started { session: None, model: None }, Event::Text { text: "Hello".to_owned() }];
        let outcome = Outcome::failed("quota", Class::Quota, "The allowance is used up.");
        insta::assert_snapshot!(draw_trial(&page(), &Trial { events, outcome }));
    }
}
