//! Runs to draw in snapshots.

use hostler_daemon::engine::outcome::Usage;
use hostler_daemon::engine::report::{ChangeKind, FileChange, Report, ReportState};
use hostler_daemon::engine::time::Millis;
use hostler_daemon::view::{AttemptView, RunView};

/// 12 minutes before the page of the snapshots.
const START: i64 = 1_779_999_280_000;

fn spent() -> Usage {
    Usage { input_tokens: 41_200, output_tokens: 3_300, cached_tokens: 30_000, cost_usd: Some(0.314) }
}

/// An agent at work.
pub fn running() -> RunView {
    RunView {
        id: "0197a3c2-5d7e-7c3a-9a51-6b0f3f9a1c22".to_owned(),
        task_id: "tasks/fix-login.md".to_owned(),
        task_key: "fix-login".to_owned(),
        title: "Login fails with an empty\u{1b}[31m password".to_owned(),
        tracker: "folder".to_owned(),
        provider: "claude-code".to_owned(),
        state: "running".to_owned(),
        result: None,
        why: String::new(),
        until: None,
        since: START + 5_000,
        created: START,
        attempt: 1,
        attempts: Vec::new(),
        branch: Some("hostler/fix-login-3f9a1c22".to_owned()),
        base: Some("8f2c1de09b7a4c55aa01bb02cc03dd04ee05ff06".to_owned()),
        head: None,
        workspace: Some("/home/ada/app/.hostler/worktrees/fix-login-3f9a1c22".to_owned()),
        permission: Some("auto-edits".to_owned()),
        permission_by: Some("operator".to_owned()),
        model: Some("sonnet".to_owned()),
        withheld: Vec::new(),
        usage: spent(),
        files: Vec::new(),
        verified: None,
        landed: None,
        report: None,
        closed: false,
    }
}

/// One that waits for its second attempt.
pub fn waiting() -> RunView {
    RunView {
        id: "0197a3c2-5d7e-7c3a-9a51-6b0f00000002".to_owned(),
        task_key: "APP-12".to_owned(),
        title: "Speed up the build".to_owned(),
        state: "waiting".to_owned(),
        why: "tries again; the last attempt: The model is overloaded.".to_owned(),
        until: Some(1_780_000_060_000),
        attempts: vec![attempt(1, "overloaded", "The model is overloaded.")],
        ..running()
    }
}

/// One that went well.
pub fn succeeded() -> RunView {
    RunView {
        id: "0197a3c2-5d7e-7c3a-9a51-6b0f00000003".to_owned(),
        task_key: "readme".to_owned(),
        title: "Explain how to install it".to_owned(),
        state: "closed".to_owned(),
        result: Some("succeeded".to_owned()),
        since: START + 190_000,
        attempts: vec![attempt(1, "overloaded", "The model is overloaded."), attempt(2, "", "")],
        attempt: 2,
        head: Some("1111111111111111111111111111111111111111".to_owned()),
        files: changes(),
        report: Some(report(ReportState::Succeeded, "")),
        closed: true,
        ..running()
    }
}

/// One that did not.
pub fn failed() -> RunView {
    RunView {
        id: "0197a3c2-5d7e-7c3a-9a51-6b0f00000004".to_owned(),
        task_key: "APP-9".to_owned(),
        title: "Port to the new API".to_owned(),
        state: "closed".to_owned(),
        result: Some("failed".to_owned()),
        why: "Claude Code is not logged in: run `claude` once and log in.".to_owned(),
        since: START + 8_000,
        attempts: vec![attempt(1, "auth", "Claude Code is not logged in: run `claude` once and log in.")],
        usage: Usage::default(),
        report: Some(report(
            ReportState::Failed,
            "Claude Code is not logged in: run `claude` once and log in.",
        )),
        closed: true,
        ..running()
    }
}

fn attempt(number: u32, reason: &str, message: &str) -> AttemptView {
    let start = START + i64::from(number) * 60_000;
    AttemptView {
        number,
        state: if reason.is_empty() { "succeeded" } else { "failed" }.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        started: start,
        ended: start + 48_000,
        branch: "hostler/fix-login-3f9a1c22".to_owned(),
        usage: spent(),
        session: Some("b7c1".to_owned()),
    }
}

fn changes() -> Vec<FileChange> {
    let change =
        |path: &str, kind, added, removed| FileChange { path: path.to_owned(), kind, added, removed };
    vec![
        change("README.md", ChangeKind::Modified, 112, 8),
        change("docs/install.md", ChangeKind::Added, 40, 0),
    ]
}

fn report(state: ReportState, message: &str) -> Report {
    Report {
        state,
        reason: if message.is_empty() { "" } else { "auth" }.to_owned(),
        retryable: false,
        message: message.to_owned(),
        summary: if message.is_empty() { "Wrote the guide.\n\nChecked the links." } else { "" }.to_owned(),
        branch: None,
        base: None,
        head: None,
        files: Vec::new(),
        attempts: 1,
        usage: spent(),
        elapsed: Millis::seconds(190),
        session: None,
        provider: "claude-code".to_owned(),
        landed: None,
        verified: None,
    }
}
