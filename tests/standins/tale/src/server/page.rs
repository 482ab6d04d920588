//! The board as a page for people. Plain HTML that loads itself anew; no scripts.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Html;

use super::Shared;
use crate::board::{Author, Board, Comment, Run, Runtime, RuntimeStatus, Task, TaskStatus};
use crate::time::Time;

/// Seconds after which the page loads itself anew.
const REFRESH: u32 = 3;

const COLUMNS: [TaskStatus; 4] =
    [TaskStatus::Todo, TaskStatus::InProgress, TaskStatus::InReview, TaskStatus::Done];

const STYLE: &str = include_str!("page.css");

pub(super) async fn show(State(shared): State<Arc<Shared>>) -> Html<String> {
    let mut world = shared.world();
    let now = world.now();
    Html(page(&world.board, now))
}

/// The whole page.
fn page(board: &Board, now: Time) -> String {
    let columns: String = COLUMNS.iter().map(|status| column(board, *status)).collect();
    let runtimes: String = board.runtimes().iter().map(|row| runtime(row, now)).collect();
    let runtimes = if runtimes.is_empty() {
        "<p class=quiet>No host has registered yet.</p>".to_owned()
    } else {
        runtimes
    };
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta http-equiv=refresh content={REFRESH}>\
         <meta name=viewport content=\"width=device-width\"><title>Tale stand-in</title><style>{STYLE}</style>\
         <header><h1>Tale stand-in</h1><span>{} UTC, {} runs so far</span></header>\
         <main class=columns>{columns}</main>\
         <section><h2>Runtimes</h2><div class=runtimes>{runtimes}</div></section></html>",
        now.clock_face(),
        board.runs().len(),
    )
}

fn column(board: &Board, status: TaskStatus) -> String {
    let tasks = board.tasks().iter().filter(|task| task.status == status && !task.archived);
    let cards: Vec<String> = tasks.map(|task| card(board, task)).collect();
    format!("<section><h2>{} ({})</h2>{}</section>", status.label(), cards.len(), cards.concat())
}

fn card(board: &Board, task: &Task) -> String {
    let mut card = format!(
        "<article><span class=quiet>{}</span><h3>{}</h3>",
        escaped(&task.key()),
        escaped(&task.title)
    );
    if let Some(assignee) = &task.assignee {
        let _ = write!(card, "<div class=quiet>@{}</div>", escaped(assignee));
    }
    card.extend(board.runs_of(&task.id).map(run));
    if let Some(latest) = task.activity.iter().rev().find(|line| line.kind == "run_progress") {
        let _ = write!(card, "<div class=quiet>{}</div>", escaped(&latest.text));
    }
    card.extend(task.comments.iter().map(comment));
    card + "</article>"
}

fn run(run: &Run) -> String {
    let status = run.state.name();
    let attempt = if run.attempts > 1 { format!(", attempt {}", run.attempts) } else { String::new() };
    let spent = run.usage.input_tokens + run.usage.output_tokens;
    let spent =
        if spent > 0 { format!(", {spent} tokens, {} ¢", run.usage.cost_cents) } else { String::new() };
    format!(
        "<div class=run><span class=\"mark {status}\">{status}</span><span class=quiet>{}{attempt}{spent}</span></div>",
        escaped(&run.adapter_type),
    )
}

fn comment(comment: &Comment) -> String {
    let author = match &comment.author {
        Author::User(name) | Author::Agent(name) => name,
        Author::Automation => "Tale",
    };
    format!(
        "<div class=comment><span class=quiet>{}, {}</span><pre>{}</pre></div>",
        escaped(author),
        comment.at.clock_face(),
        escaped(&comment.body)
    )
}

fn runtime(row: &Runtime, now: Time) -> String {
    let status = match row.status(now) {
        RuntimeStatus::Active => "active",
        RuntimeStatus::Degraded => "degraded",
        RuntimeStatus::Offline => "offline",
    };
    format!(
        "<div class=runtime><div class=run><span class=\"mark {status}\">{status}</span>\
         <strong>{}</strong></div><div>{} {}</div><div class=quiet>{}<br>workspaces: {}<br>seen {} s ago</div></div>",
        escaped(row.name.as_deref().unwrap_or("unnamed")),
        escaped(&row.adapter.adapter_type),
        escaped(row.adapter.version.as_deref().unwrap_or_default()),
        escaped(&row.daemon_id),
        escaped(&row.workspace_keys.join(", ")),
        now.since(row.last_seen).as_secs(),
    )
}

/// Text that cannot become markup.
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
    use crate::board::{Adapter, Agent, Completion, NewTask, Organization, Registration, Rules};
    use crate::limits;
    use crate::time::Clock;

    #[test]
    fn the_page_shows_columns_runs_comments_and_runtimes_and_no_markup_of_theirs() {
        let now = Clock::fake().now();
        let mut board = Board::new(1, Rules::default());
        board.put_organization(Organization::new("studio"));
        board.put_agent(Agent::bound("coder", "codex"));
        let adapter = Adapter { adapter_type: "codex".to_owned(), version: None, capabilities: Vec::new() };
        let registration = Registration {
            daemon_id: "daemon_1".to_owned(),
            name: Some("<b>laptop</b>".to_owned()),
            adapters: vec![adapter],
            workspace_keys: vec!["api".to_owned()],
        };
        board.register("studio", registration, now);
        let task = board.create_task(NewTask::titled("<script>alert(1)</script>"), now);
        board.assign(&task, "coder", now).unwrap();
        let run = board.claim("studio", "daemon_1", &["codex".to_owned()], now).unwrap().external_run_id;
        let completion = Completion {
            summary: "Done & dusted".to_owned(),
            diff_stat: Some("a.rs | 1 +".to_owned()),
            ..Completion::default()
        };
        board.complete("studio", &run, "daemon_1", completion, now).unwrap();
        let page = page(&board, now.plus(limits::DEGRADED_WITHIN));
        for part in ["In review (1)", "To do (0)", "Done &amp; dusted", "a.rs | 1 +", "degraded", "completed"]
        {
            assert!(page.contains(part), "{part} is missing in {page}");
        }
        assert!(!page.contains("<script>") && !page.contains("<b>"), "{page}");
    }
}
