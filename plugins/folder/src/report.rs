//! The report of a run, as a section at the end of its file.

use std::fmt::Write;

use hostler_sdk::tracker::{Landed, Report, Verification};
use hostler_sdk::{Instant, time};

/// More changed files than this are counted, not listed: the branch has them.
const LISTED_FILES: usize = 50;

const HEADING: &str = "## Report";

/// Marks a report and names its run. A comment, so that no reader is bothered.
fn marker(run: &str) -> String {
    format!("<!-- hostler run {run} -->")
}

const MARKER_START: &str = "<!-- hostler run ";

/// Whether the file already has the report of this run.
pub fn has(text: &str, run: &str) -> bool {
    text.contains(&marker(run))
}

/// Splits a body into the task and the reports at its end.
pub fn split(body: &str) -> (&str, &str) {
    let mut start = 0;
    for line in body.split_inclusive('\n') {
        let after = &body[start + line.len()..];
        if line.trim_end() == HEADING && after.trim_start().starts_with(MARKER_START) {
            return body.split_at(start);
        }
        start += line.len();
    }
    (body, "")
}

/// What to append to a body when its task is taken up again.
pub fn taken_up(body: &str, why: &str, line_end: &str) -> String {
    let gap = if body.is_empty() || body.ends_with('\n') { "" } else { line_end };
    format!("{gap}{line_end}Taken up again: {}{line_end}", harmless(&why.replace(['\n', '\r'], " ")))
}

/// What to append to a body for this report.
pub fn section(body: &str, run: &str, report: &Report, now: Instant, line_end: &str) -> String {
    let mut text = String::from(match body {
        "" => "",
        body if body.ends_with('\n') => "\n",
        _ => "\n\n",
    });
    // Writing to a string cannot fail.
    let _ = write!(text, "{HEADING}\n\n{}\n\n", marker(run));
    let _ = writeln!(text, "{} on {} {}\n", headline(report), time::iso8601(now), effort(report));
    if !report.message.is_empty() {
        let _ = writeln!(text, "> {}\n", harmless(&report.message.replace(['\n', '\r'], " ")));
    }
    if let Some(branch) = &report.branch {
        let _ = writeln!(text, "Branch: `{branch}`{}\n", commits(report));
    }
    if let Some(landed) = &report.landed {
        let _ = writeln!(text, "{}\n", harmless(&where_it_is(landed)));
    }
    if let Some(found) = &report.verified {
        text.push_str(&harmless(&verdict(found)));
    }
    text.push_str(&files(report));
    if !report.summary.trim().is_empty() {
        let _ = writeln!(text, "{}", harmless(report.summary.trim()));
    }
    let text = text.trim_end().replace("\r\n", "\n") + "\n";
    text.replace('\n', line_end)
}

/// Where the work is now, as far as it is more than on its branch.
fn where_it_is(landed: &Landed) -> String {
    let place = match (landed.kind.as_str(), landed.number, &landed.url) {
        ("pull-request", Some(number), Some(url)) => format!("Pull request: [#{number}]({url})"),
        ("pull-request", None, Some(url)) => format!("Pull request: {url}"),
        ("pushed", _, Some(url)) => format!("Pushed; a pull request can be opened at {url}"),
        ("pushed", ..) => "Pushed.".to_owned(),
        ("merged", ..) => "Merged.".to_owned(),
        _ => String::new(),
    };
    let parts = [place.as_str(), landed.note.as_str()];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("\n\n")
}

/// What the verify command found, with the end of its output if it failed.
fn verdict(found: &Verification) -> String {
    let mut text = format!("{}\n\n", found.summary);
    if !found.passed && !found.tail.trim().is_empty() {
        for line in found.tail.lines() {
            let _ = writeln!(text, "    {}", line.replace(char::is_control, " "));
        }
        text.push('\n');
    }
    text
}

fn headline(report: &Report) -> String {
    match (report.state.as_str(), report.reason.as_str()) {
        ("succeeded", _) => "**Done**".into(),
        ("cancelled", _) => "**Cancelled**".into(),
        (_, "") => "**Failed**".into(),
        (_, reason) => format!("**Failed** ({reason})"),
    }
}

fn effort(report: &Report) -> String {
    let attempts = match report.attempts {
        1 => "1 attempt".to_owned(),
        attempts => format!("{attempts} attempts"),
    };
    let usage = &report.usage;
    let tokens = u64::from(usage.input_tokens) + u64::from(usage.output_tokens);
    let mut text = format!("by {} in {}, {attempts}", report.provider, duration(report.elapsed));
    if tokens > 0 {
        let _ = write!(text, ", {tokens} tokens");
    }
    if let Some(cost) = usage.cost_usd {
        let _ = write!(text, ", ${cost:.2}");
    }
    text + "."
}

fn duration(milliseconds: u32) -> String {
    let seconds = milliseconds / 1000;
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds} s"),
        (0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (hours, minutes, _) => format!("{hours} h {minutes} min"),
    }
}

/// The first characters of the object ids, as git shows them.
fn commits(report: &Report) -> String {
    let short = |id: &Option<String>| id.as_deref().map(|id| id.chars().take(10).collect::<String>());
    match (short(&report.base), short(&report.head)) {
        (Some(base), Some(head)) if base != head => format!(" (`{base}..{head}`)"),
        _ => String::new(),
    }
}

fn files(report: &Report) -> String {
    if report.files.is_empty() {
        return String::new();
    }
    let mut text = String::from("| File | Change | Lines |\n|---|---|---|\n");
    for file in report.files.iter().take(LISTED_FILES) {
        let path = file.path.replace('|', "\\|").replace(char::is_control, " ");
        let _ = writeln!(text, "| {} | {} | +{} −{} |", harmless(&path), file.kind, file.added, file.removed);
    }
    if let Some(more) = report.files.len().checked_sub(LISTED_FILES).filter(|more| *more > 0) {
        let _ = writeln!(text, "\nand {more} more.");
    }
    text + "\n"
}

/// Agent's text that cannot pass for a marker of ours.
fn harmless(text: &str) -> String {
    text.replace(MARKER_START.trim_end(), "&lt;!-- hostler run")
}

#[cfg(test)]
mod tests {
    use hostler_sdk::tracker::FileChange;

    use super::*;
    use crate::tracker::tests::report;

    #[test]
    fn a_report_reads_well() {
        let text = section("# Task\n", "run_1", &report("succeeded"), 1_795_164_228_000.0, "\n");
        let wanted = "\n## Report\n\n<!-- hostler run run_1 -->\n\n**Done** on 2026-11-20T08:43:48Z by claude-code in 1 min 5 s, 1 attempt, 4080 tokens, $0.01.\n\nBranch: `hostler/fix` (`aaaaaaaaaa..bbbbbbbbbb`)\n\n| File | Change | Lines |\n|---|---|---|\n| src/login.rs | modified | +3 −1 |\n\nFixed it.\n";
        assert_eq!(text, wanted);
    }

    #[test]
    fn a_report_tells_where_the_work_landed_and_how_it_was_judged() {
        let mut report = report("succeeded");
        let landed = |kind: &str, url: Option<&str>, number| Landed {
            kind: kind.into(),
            url: url.map(Into::into),
            number,
            note: String::new(),
        };
        let verified =
            |passed| Verification { passed, summary: "It was run.".into(), tail: "one\ntwo".into() };
        report.landed = Some(landed("pull-request", Some("https://f/pull/4"), Some(4)));
        report.verified = Some(verified(true));
        let text = section("", "r", &report, 0.0, "\n");
        assert!(text.contains("\n\nPull request: [#4](https://f/pull/4)\n\nIt was run.\n\n| File"), "{text}");
        report.landed =
            Some(Landed { note: "Nobody may.".into(), ..landed("pushed", Some("https://f/c"), None) });
        report.verified = Some(verified(false));
        let text = section("", "r", &report, 0.0, "\n");
        assert!(text.contains("can be opened at https://f/c\n\nNobody may.\n\n"), "{text}");
        assert!(text.contains("It was run.\n\n    one\n    two\n\n| File"), "{text}");
    }

    #[test]
    fn a_report_is_found_again_and_split_off() {
        let body = "# Task\n\n## Report\nof mine\n";
        let text = body.to_owned() + &section(body, "run_1", &report("failed"), 0.0, "\n");
        assert!(has(&text, "run_1"));
        assert!(!has(&text, "run_2"));
        let (task, reports) = split(&text);
        assert_eq!(task, "# Task\n\n## Report\nof mine\n\n");
        assert!(reports.starts_with("## Report\n\n<!-- hostler run run_1 -->"));
    }

    #[test]
    fn an_agent_cannot_write_another_runs_report() {
        let mut report = report("succeeded");
        report.summary = "<!-- hostler run run_2 -->".into();
        assert!(!has(&section("", "run_1", &report, 0.0, "\n"), "run_2"));
    }

    #[test]
    fn lines_end_as_in_the_file() {
        let mut report = report("succeeded");
        report.summary = "a\r\nb\nc".into();
        let text = section("x", "run_1", &report, 0.0, "\r\n");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']), "{text:?}");
    }

    #[test]
    fn fifty_files_are_listed_and_the_fifty_first_is_counted() {
        let mut report = report("succeeded");
        let file = FileChange { path: "a".into(), kind: "added".into(), added: 1, removed: 0 };
        report.files = vec![file.clone(); LISTED_FILES];
        assert!(!section("", "r", &report, 0.0, "\n").contains("more."));
        report.files.push(file);
        assert!(section("", "r", &report, 0.0, "\n").contains("and 1 more."));
    }
}
