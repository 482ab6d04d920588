//! The lines of `host run`: what is under way, what is over, how it all ended.

use hostler_daemon::Summary;
use hostler_daemon::view::RunView;

use super::run_words::{elapsed, files, sign, state, tone, usage, why};
use crate::page::Page;
use crate::paint::Tone;
use crate::text::{count, cut, one_line};

/// Columns for the task's key, so that lines stand below each other.
const KEY_COLUMNS: usize = 16;

/// A run that is not over: its key, state, time, last event, tokens and cost.
pub fn open_line(page: &Page, run: &RunView, last_event: Option<&str>) -> String {
    let why = why(page, run);
    let doing = match (last_event, why.as_str()) {
        (Some(event), "") => one_line(event),
        (None, "") => String::new(),
        (_, why) => why.to_owned(),
    };
    let attempt = if run.attempt > 1 { format!("attempt {}", run.attempt) } else { String::new() };
    let used = usage(&run.usage);
    let time = elapsed(run, page.now).to_string();
    let facts = join(&[&time, &attempt, &used]);
    let state = page.tone(tone(run), &format!("{:<10}", one_line(state(run))));
    let line = format!("{} {state} {facts}", key(page, run));
    if doing.is_empty() { line } else { format!("{line}  {}", page.tone(Tone::Quiet, &doing)) }
}

/// A run that is over: sign, key, time, branch, files, usage, pull request, reason.
pub fn closed_line(page: &Page, run: &RunView) -> String {
    let branch = run.branch.as_deref().filter(|_| !run.files.is_empty()).map(one_line).unwrap_or_default();
    let changed = files(run);
    let used = usage(&run.usage);
    let why = why(page, run);
    let time = elapsed(run, page.now).to_string();
    let landed =
        run.landed.as_ref().and_then(|landed| landed.url.as_deref()).map(one_line).unwrap_or_default();
    let said = join(&[&time, &branch, &changed, &used, &landed, &why]);
    let ending = page.tone(tone(run), &format!("{:<10}", one_line(state(run))));
    format!("{} {} {ending} {said}", page.tone(tone(run), sign(run)), key(page, run))
}

/// Whether the line of a run changed in a way worth a new line where lines stay:
/// the short steps on the way are not.
pub fn tells_more(before: Option<&RunView>, now: &RunView) -> bool {
    let entered = before.is_none_or(|before| before.state != now.state);
    let lasts = match now.state.as_str() {
        "running" | "waiting" | "parked" | "blocked" | "ending" => true,
        // Only news after the first try is: that it did not work.
        "reporting" | "releasing" => !entered,
        _ => false,
    };
    lasts
        && before.is_none_or(|before| {
            (&before.state, &before.result, before.attempt, &before.why)
                != (&now.state, &now.result, now.attempt, &now.why)
        })
}

/// A line that stays, with the time before it.
pub fn stamped(page: &Page, line: &str) -> String {
    format!("{}  {line}", page.tone(Tone::Quiet, &page.clock(page.now.0)))
}

/// How it all ended.
pub fn summary_line(summary: &Summary) -> String {
    let part = |number: u32, what: &str| (number > 0).then(|| format!("{number} {what}"));
    let parts: Vec<String> = [
        part(summary.succeeded, "succeeded"),
        part(summary.failed, "failed"),
        part(summary.cancelled, "cancelled"),
        part(summary.lost, "lost to another host"),
        part(summary.waiting, "going on at the next start"),
        part(summary.parked, "waiting for you"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let told = if parts.is_empty() { String::new() } else { format!("{}.", parts.join(", ")) };
    match (told.is_empty(), left_working(summary.working)) {
        (true, None) => "Nothing was done.".to_owned(),
        (true, Some(working)) => working,
        (false, None) => told,
        (false, Some(working)) => format!("{told} {working}"),
    }
}

/// Agents outlive a host that was told to leave them.
pub fn left_working(agents: u32) -> Option<String> {
    match agents {
        0 => None,
        1 => Some("1 agent works on; `host run` takes it up again.".to_owned()),
        many => Some(format!("{many} agents work on; `host run` takes them up again.")),
    }
}

/// What the first Ctrl-C is answered with.
pub fn draining_line(open: &[&RunView]) -> String {
    let keys: Vec<String> = open.iter().map(|run| one_line(&run.task_key)).collect();
    if keys.is_empty() {
        return "No new tasks are taken; nothing is under way, so this ends at once.".to_owned();
    }
    let runs = count(keys.len() as u64, "run");
    format!("No new tasks are taken. Waiting for {runs} ({}); Ctrl-C again stops now.", keys.join(", "))
}

/// What the second Ctrl-C is answered with.
pub const STOPPING: &str = "Stopping the agents. Their work is kept and goes on at the next start.";

fn key(page: &Page, run: &RunView) -> String {
    let key = cut(&one_line(&run.task_key), KEY_COLUMNS);
    let fill = " ".repeat(KEY_COLUMNS.saturating_sub(crate::text::width(&key)));
    format!("{}{fill}", page.tone(Tone::Strong, &key))
}

fn join(parts: &[&str]) -> String {
    parts.iter().filter(|part| !part.is_empty()).copied().collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;
    use crate::screens::examples;
    use hostler_daemon::engine::outcome::Usage;

    #[test]
    fn open_and_closed_runs_are_a_line_each() {
        let page = page();
        let lines = [
            open_line(&page, &examples::running(), Some("Edit src/login.rs")),
            open_line(&page, &examples::waiting(), Some("Edit src/login.rs")),
            closed_line(&page, &examples::succeeded()),
            stamped(&page, &closed_line(&page, &examples::failed())),
        ];
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn what_a_stop_does_is_said() {
        let run = examples::running();
        let summary = Summary { succeeded: 2, failed: 1, waiting: 1, ..Summary::default() };
        let none = Summary::default();
        let left = Summary { working: 2, ..Summary::default() };
        let one_left = Summary { succeeded: 1, working: 1, ..Summary::default() };
        let lines = [
            draining_line(&[&run]),
            draining_line(&[]),
            STOPPING.to_owned(),
            summary_line(&summary),
            summary_line(&none),
            summary_line(&left),
            summary_line(&one_left),
        ];
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn only_news_makes_a_new_line() {
        let run = examples::running();
        assert!(tells_more(None, &run));
        let busy = RunView { usage: Usage::default(), ..run.clone() };
        assert!(!tells_more(Some(&run), &busy));
        assert!(tells_more(Some(&run), &examples::waiting()));
        let reporting = RunView { state: "reporting".to_owned(), ..run.clone() };
        assert!(!tells_more(Some(&run), &reporting));
        let again =
            RunView { why: "the report was not delivered after 1 tries".to_owned(), ..reporting.clone() };
        assert!(tells_more(Some(&reporting), &again));
    }
}
