//! `host gc`.

use hostler_daemon::collection::{Fate, Finding, What};
use hostler_daemon::engine::task::RunId;

use super::disk::bytes;
use crate::page::Page;
use crate::paint::Tone;
use crate::table::{Cell, draw, heading};
use crate::text::{count, one_line};

/// What goes and what stays, each with the reason.
pub fn draw_findings(page: &Page, findings: &[Finding], carried_out: bool) -> String {
    if findings.is_empty() {
        return "There is nothing to collect: no host has run here yet.\n".to_owned();
    }
    let rows = findings.iter().map(row);
    let head = heading(&["", "WHAT", "RUN", "SIZE", "WHY"]);
    let table: Vec<_> = std::iter::once(head).chain(rows).collect();
    format!("{}\n{}\n", draw(&table, page.paint, None), summary(findings, carried_out))
}

fn row(finding: &Finding) -> Vec<Cell> {
    let (word, tone) = match finding.fate {
        Fate::Stays => ("stays", Tone::Quiet),
        Fate::Goes => ("goes", Tone::Warning),
        Fate::Gone => ("gone", Tone::Good),
    };
    let what = match finding.what {
        What::Worktree => "worktree",
        What::Logs => "logs",
        What::Journal => "journal",
        What::Audit => "audit log",
        What::Plugin => "plugin",
        What::NativeCode => "native code",
    };
    let short = finding.run.as_ref().map(|id| RunId(id.clone()).short().to_owned());
    let run = match (&finding.task, short) {
        (Some(task), Some(short)) => format!("{} ({short})", one_line(task)),
        (None, Some(short)) => short,
        _ => finding
            .path
            .file_name()
            .map_or_else(String::new, |name| name.to_string_lossy().chars().take(12).collect()),
    };
    vec![
        Cell::new(word).tone(tone),
        Cell::new(what),
        Cell::new(run).tone(Tone::Strong),
        Cell::new(bytes(finding.bytes)).right(),
        Cell::new(&finding.why),
    ]
}

fn summary(findings: &[Finding], carried_out: bool) -> String {
    let wanted = if carried_out { Fate::Gone } else { Fate::Goes };
    let (mut number, mut freed) = (0, 0);
    for finding in findings.iter().filter(|finding| finding.fate == wanted) {
        number += 1;
        // Rows of the journal make room inside its file, which keeps its size.
        if finding.what != What::Journal {
            freed += finding.bytes;
        }
    }
    match (carried_out, number) {
        (true, _) => format!("Removed {} and freed {}.", count(number, "thing"), bytes(freed)),
        (false, 0) => "Nothing of it may go now.".to_owned(),
        (false, _) => format!(
            "`host gc --yes` removes {} and frees {}; nothing is removed yet.",
            count(number, "thing"),
            bytes(freed)
        ),
    }
}
