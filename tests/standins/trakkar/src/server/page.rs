//! The board as a page for people. Plain HTML that loads itself anew; no scripts.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;

use super::Shared;
use crate::board::{Board, Run, Runner, Task};
use crate::time::Time;

/// Seconds after which the page loads itself anew.
const REFRESH: u32 = 3;

/// So many of the latest lines of progress are shown of a run.
const SHOWN_EVENTS: usize = 6;

/// Each column's name, and the states of the last run that belong there.
const COLUMNS: [(&str, &[&str]); 4] = [
    ("Waiting", &["open", "waiting", "released", "superseded"]),
    ("In progress", &["claimed", "running", "disconnected"]),
    ("Needs a reply", &["failed", "verify_failed", "no_changes", "stopped", "runner_closed", "dry_run"]),
    ("Pull request", &["pr_opened"]),
];

const STYLE: &str = include_str!("page.css");

pub(super) async fn show(State(shared): State<Arc<Shared>>) -> Html<String> {
    let world = shared.world();
    Html(page(&world.board, world.now()))
}

/// The whole page.
fn page(board: &Board, now: Time) -> String {
    let columns: String = COLUMNS.iter().map(|(name, states)| column(board, name, states, now)).collect();
    let runners: String = board.runners().iter().map(|row| runner(row, now)).collect();
    let runners = if runners.is_empty() {
        "<p class=quiet>No runner has shown a sign of life yet.</p>".to_owned()
    } else {
        runners
    };
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content={REFRESH}>\
         <meta name=viewport content=\"width=device-width\"><title>Trakkar stand-in</title><style>{STYLE}</style>\
         <header><h1>Trakkar stand-in</h1><span>{}, {} runs so far</span></header>\
         <main class=columns>{columns}</main>\
         <section><h2>Runners</h2><div class=runtimes>{runners}</div></section></html>",
        now.iso(),
        board.runs().len(),
    )
}

fn column(board: &Board, name: &str, states: &[&str], now: Time) -> String {
    let tasks = board.tasks().iter().filter(|task| !task.deleted);
    let here = tasks.filter(|task| states.contains(&board.status_of(&task.id, now)));
    let cards: Vec<String> = here.map(|task| card(board, task, now)).collect();
    format!("<section><h2>{name} ({})</h2>{}</section>", cards.len(), cards.concat())
}

fn card(board: &Board, task: &Task, now: Time) -> String {
    let mut card = format!(
        "<article><span class=quiet>{}</span><h3>{}</h3>",
        escaped(&task.id),
        escaped(&task.text.title)
    );
    if let Some(url) = &task.pr_url {
        let _ = write!(card, "<div>{}</div>", escaped(url));
    }
    card.extend(board.runs_of(&task.id).map(|shown| run(shown, now)));
    for comment in &task.comments {
        let _ = write!(
            card,
            "<div class=comment><span class=quiet>{}</span><pre>{}</pre></div>",
            escaped(&comment.author),
            escaped(&comment.body)
        );
    }
    card + "</article>"
}

fn run(run: &Run, now: Time) -> String {
    let status = run.status(now);
    let mut shown = format!(
        "<div class=run><span class=\"mark {status}\">{status}</span><span class=quiet>{}</span></div>",
        escaped(&run.id)
    );
    let spared = run.events.len().saturating_sub(SHOWN_EVENTS);
    for event in run.events.iter().skip(spared) {
        let _ = write!(shown, "<div class=quiet>{}: {}</div>", escaped(&event.kind), escaped(&event.text));
    }
    if let Some(end) = run.ending() {
        let said = [Some(end.summary.as_str()), end.error.as_deref()];
        for text in said.into_iter().flatten().filter(|text| !text.is_empty()) {
            let _ = write!(shown, "<div class=comment><pre>{}</pre></div>", escaped(text));
        }
    }
    shown
}

fn runner(row: &Runner, now: Time) -> String {
    format!(
        "<div class=runtime><strong>{}</strong><div class=quiet>{} free slots<br>seen {} s ago</div></div>",
        escaped(&row.id),
        row.free_slots,
        now.since(row.seen).as_secs()
    )
}

/// Text that cannot be markup.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::board::{Agent, Event, Finish, NewTask, OUTCOMES, Progress};
    use crate::time::Clock;

    #[test]
    fn the_page_shows_tasks_progress_ends_and_runners_and_no_markup_of_theirs() {
        let now = Clock::fake().now();
        let mut board = Board::default();
        let (agent, _) = board.add_agent(Agent::default());
        let task = board.create_task(NewTask::titled("<script>alert(1)</script>"));
        board.create_task(NewTask::titled("untouched"));
        let run = board.delegate(&task, &agent, now).unwrap();
        board.claim(&agent, "<b>r</b>", 1, now);
        board.heartbeat(&agent, "<b>r</b>", &[], 2, now);
        let event = Event { kind: "tool".into(), text: "Bash npm test & more".into(), at: String::new() };
        board.progress(&agent, "<b>r</b>", &run, Progress { seq: 1, events: vec![event] }).unwrap();
        let finish = Finish { outcome: "failed", error: Some("exit-code: 1".into()), ..Finish::default() };
        board.finish(&agent, "<b>r</b>", &run, finish, now).unwrap();
        let page = page(&board, now);
        for part in
            ["Needs a reply (1)", "Waiting (1)", "npm test &amp; more", "exit-code: 1", "2 free slots"]
        {
            assert!(page.contains(part), "{part} is missing in {page}");
        }
        assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
    }

    #[test]
    fn every_outcome_has_a_column() {
        for outcome in OUTCOMES {
            assert!(COLUMNS.iter().any(|(_, states)| states.contains(&outcome)), "{outcome}");
        }
    }
}
