//! `host show`.

use std::fmt::Write;

use hostler_daemon::engine::landing::Landed;
use hostler_daemon::standing::Standing;
use hostler_daemon::supervision::Supervision;
use hostler_daemon::view::{AttemptView, RunView};

use super::run_words::{elapsed, files, looked, quoted, state, title, usage, why};
use super::supervision;
use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw};
use crate::text::{one_line, paragraph};

/// Where the files of a run lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// The run's folder.
    pub logs: String,
    /// The last thing its agent did.
    pub last_event: Option<String>,
    /// The checkout that its branch belongs to, if it can be told.
    pub repository: Option<String>,
    /// Whether the worktree is still there.
    pub worktree: bool,
    /// How the last attempt's agent was supervised, if one was ever started.
    pub supervision: Option<Supervision>,
    /// How its pull request stood when it was last looked at.
    pub pull_request: Option<Standing>,
}

/// A run in full.
pub fn draw_run(page: &Page, run: &RunView, places: &Places) -> String {
    let mut out = title(page, run);
    out += &facts(page, run, places);
    out += &attempts(page, run);
    out += &changes(page, run);
    out += &failed_verification(page, run);
    if let Some(report) = run.report.as_ref().filter(|report| !report.summary.trim().is_empty()) {
        let _ = writeln!(out, "\n{}", page.tone(Tone::Strong, "What the agent says"));
        for line in paragraph(&report.summary).trim().lines() {
            let _ = writeln!(out, "{}", format!("  {line}").trim_end());
        }
    }
    out += &review(page, run, places);
    out
}

fn facts(page: &Page, run: &RunView, places: &Places) -> String {
    let took = elapsed(run, page.now);
    let state = match why(page, run).as_str() {
        "" => format!("{} ({took})", state(run)),
        why => format!("{} ({took}): {why}", state(run)),
    };
    let permission = run.permission.as_ref().map(|permission| match &run.permission_by {
        Some(by) => format!("{permission} (set by the {by})"),
        None => permission.clone(),
    });
    let provider = match &run.model {
        Some(model) => format!("{}, model {model}", run.provider),
        None => run.provider.clone(),
    };
    let gone = if places.worktree { "" } else { " (removed)" };
    let worktree = run.workspace.as_ref().map(|folder| format!("{folder}{gone}"));
    let rows = [
        ("state", Some(state)),
        ("now", places.last_event.clone().filter(|_| !run.closed)),
        ("run", Some(run.id.clone())),
        ("task", Some(format!("{} at {}", run.task_id, run.tracker))),
        ("since", Some(format!("{} ({})", page.moment(run.created), page.ago(run.created)))),
        ("provider", Some(provider)),
        ("permission", permission),
        ("withheld", Some(run.withheld.join(", "))),
        ("usage", Some(usage(&run.usage))),
        ("agent", places.supervision.as_ref().map(supervision::held)),
        ("processes", places.supervision.as_ref().map(|found| supervision::left(run, found))),
        ("branch", run.branch.clone()),
        ("verified", run.verified.as_ref().map(|found| found.summary.clone())),
        ("landed", run.landed.as_ref().map(landed)),
        ("follow-up", places.pull_request.as_ref().map(|standing| looked(page, standing))),
        ("worktree", worktree),
        ("logs", Some(places.logs.clone())),
    ];
    let rows: Vec<Vec<Cell>> = rows
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)))
        .map(|(name, value)| vec![Cell::new(name).tone(Tone::Quiet), Cell::new(value)])
        .collect();
    draw(&rows, page.paint, None)
}

/// Where the work is, in one line.
fn landed(landed: &Landed) -> String {
    let place = match landed.kind.as_str() {
        "pull-request" => "pull request",
        "branch" => "stays on its branch",
        other => other,
    };
    let parts = [place, landed.url.as_deref().unwrap_or_default(), &landed.note];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The end of what the verify command printed, if it was against the work.
fn failed_verification(page: &Page, run: &RunView) -> String {
    let tail = run.verified.as_ref().filter(|found| !found.passed).map(|found| paragraph(&found.tail));
    let Some(tail) = tail.filter(|tail| !tail.trim().is_empty()) else { return String::new() };
    let mut out = format!("\n{}\n", page.tone(Tone::Strong, "What the verify command says"));
    for line in tail.trim_end().lines() {
        let _ = writeln!(out, "{}", format!("  {line}").trim_end());
    }
    out
}

fn attempts(page: &Page, run: &RunView) -> String {
    if run.attempts.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<Cell>> = run.attempts.iter().map(|attempt| attempt_row(page, attempt)).collect();
    format!("\n{}\n{}", page.tone(Tone::Strong, "Attempts"), draw(&rows, page.paint, None))
}

fn attempt_row(page: &Page, attempt: &AttemptView) -> Vec<Cell> {
    use hostler_daemon::engine::time::Timestamp;
    let (state, tone) =
        if attempt.reason.is_empty() { (&attempt.state, Tone::Good) } else { (&attempt.reason, Tone::Bad) };
    vec![
        Cell::new(""),
        Cell::new(attempt.number.to_string()).right(),
        Cell::new(page.clock(attempt.started)),
        Cell::new(Timestamp(attempt.ended).since(Timestamp(attempt.started)).to_string()).right(),
        Cell::new(state).tone(tone),
        Cell::new(usage(&attempt.usage)),
        Cell::new(&attempt.message),
    ]
}

fn changes(page: &Page, run: &RunView) -> String {
    if run.files.is_empty() {
        return String::new();
    }
    let row = |file: &hostler_daemon::engine::report::FileChange| {
        vec![
            Cell::new(""),
            Cell::new(file.kind.name()),
            Cell::new(format!("+{}", file.added)).tone(Tone::Good).right(),
            Cell::new(format!("−{}", file.removed)).tone(Tone::Bad).right(),
            Cell::new(&file.path),
        ]
    };
    let rows: Vec<Vec<Cell>> = run.files.iter().map(row).collect();
    format!("\n{}  {}\n{}", page.tone(Tone::Strong, "Changes"), files(run), draw(&rows, page.paint, None))
}

/// How the work can be looked at. Never a git command in the worktree itself: its
/// settings may be the agent's.
fn review(page: &Page, run: &RunView, places: &Places) -> String {
    let (Some(base), Some(branch)) = (&run.base, &run.branch) else { return String::new() };
    if run.files.is_empty() {
        return String::new();
    }
    let key = quoted(&run.task_key);
    let mut out = format!("\n{}\n", page.tone(Tone::Strong, "Review"));
    let _ = writeln!(out, "  host show {key} --diff");
    if run.head.as_ref().is_none_or(|head| head == base) {
        let note = "the work is not committed; it is in the worktree";
        let _ = writeln!(out, "  {}", page.tone(Tone::Quiet, note));
        return out;
    }
    let git = match &places.repository {
        Some(folder) => format!("git -C {}", quoted(folder)),
        None => "git".to_owned(),
    };
    let base = base.get(..SHORT_OBJECT).unwrap_or(base);
    let _ = writeln!(out, "  {git} diff {}...{}", one_line(base), quoted(branch));
    out
}

/// Digits of an object id that name it well enough.
const SHORT_OBJECT: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::page;
    use crate::screens::examples;
    use hostler_daemon::engine::sandbox::Tier;
    use hostler_daemon::{ContainedBy, LimitedBy, TreeProof};

    fn places() -> Places {
        Places {
            logs: "/home/ada/.local/state/hostler/runs/0197a3c2".to_owned(),
            worktree: true,
            ..Places::default()
        }
    }

    #[test]
    fn a_finished_run_tells_what_was_done_and_how_to_review_it() {
        let supervision = Supervision {
            contained_by: ContainedBy::PidNamespace,
            sandbox: Tier::Contained,
            limited_by: LimitedBy::default(),
            end: Some(TreeProof::Empty { killed: 2 }),
        };
        let repository = Some("/home/ada/my app".to_owned());
        let places = Places { repository, supervision: Some(supervision), ..places() };
        insta::assert_snapshot!(draw_run(&page(), &examples::succeeded(), &places));
        let run = examples::succeeded();
        let uncommitted = RunView { head: run.base.clone(), ..run };
        let shown = draw_run(&page(), &uncommitted, &places);
        assert!(shown.contains("not committed") && !shown.contains("git -C"), "{shown}");
    }

    #[test]
    fn a_run_tells_how_its_work_was_judged_and_where_it_landed() {
        use hostler_daemon::engine::landing::Verification;
        let found = |passed, summary: &str| Verification {
            passed,
            summary: summary.to_owned(),
            tail: "1 test failed\n\u{1b}[31mlogin::umlaut".to_owned(),
        };
        let request = Landed {
            kind: "pull-request".to_owned(),
            url: Some("https://github.com/acme/api/pull/4".to_owned()),
            number: Some(4),
            head: None,
            note: String::new(),
        };
        let run = RunView {
            verified: Some(found(true, "The verify command passed.")),
            landed: Some(request.clone()),
            ..examples::succeeded()
        };
        let shown = draw_run(&page(), &run, &places());
        assert!(shown.contains("pull request https://github.com/acme/api/pull/4"), "{shown}");
        assert!(!shown.contains("follow-up"), "{shown}");
        assert!(shown.contains("The verify command passed.") && !shown.contains("1 test failed"), "{shown}");
        let failed = RunView { verified: Some(found(false, "It failed.")), landed: None, ..run };
        let shown = draw_run(&page(), &failed, &places());
        assert!(shown.contains("What the verify command says\n  1 test failed\n"), "{shown}");
        assert!(!shown.contains('\u{1b}'), "{shown:?}");
    }

    #[test]
    fn a_pull_request_that_is_watched_tells_how_it_stands_and_since_when() {
        let standing = Standing {
            run: hostler_daemon::engine::task::RunId("r".to_owned()),
            number: 7,
            state: hostler_daemon::engine::follow_up::Standing::Open,
            failed: 1,
            pending: 0,
            passed: 0,
            continuations: 0,
            looked: hostler_daemon::engine::time::Timestamp(page().now.0 - 12_000),
        };
        let places = Places { pull_request: Some(standing), ..places() };
        let shown = draw_run(&page(), &examples::succeeded(), &places);
        let wanted = "follow-up   pull request #7 is open; checks: 1 failed, looked at 12s ago\n";
        assert!(shown.contains(wanted), "{shown}");
    }

    #[test]
    fn what_agents_do_not_see_is_named() {
        let withheld = vec!["ANTHROPIC_API_KEY".to_owned(), "OTHER_KEY".to_owned()];
        let shown = draw_run(&page(), &RunView { withheld, ..examples::running() }, &places());
        assert!(shown.contains("withheld    ANTHROPIC_API_KEY, OTHER_KEY\n"), "{shown}");
    }

    #[test]
    fn a_failed_run_tells_why() {
        insta::assert_snapshot!(draw_run(
            &page(),
            &examples::failed(),
            &Places { worktree: false, ..places() }
        ));
    }

    #[test]
    fn a_run_under_way_tells_what_it_does_now() {
        let places = Places { last_event: Some("Edit src/login.rs".to_owned()), ..places() };
        insta::assert_snapshot!(draw_run(&page(), &examples::running(), &places));
    }
}
