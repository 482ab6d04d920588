//! A pull request as GitHub shows it.

use hostler_engine::follow_up::{Check, CheckState, FollowUp, Remark, RemarkKind, Seen, Standing, Voice};
use serde_json::Value;

use super::{all, id, needed, text};
use crate::forge::{Forge, ForgeError};

/// Those who may write to the repository, in GitHub's words.
const MEMBERS: [&str; 3] = ["OWNER", "MEMBER", "COLLABORATOR"];

/// Conclusions that speak against the work. One that was cancelled, skipped or waits for
/// somebody's approval says nothing about it.
const FAILED: [&str; 3] = ["failure", "timed_out", "startup_failure"];

pub(super) fn look(forge: &dyn Forge, number: u32, wanted: FollowUp) -> Result<Seen, ForgeError> {
    let pull = forge.get(&format!("pulls/{number}"))?;
    let standing = match (pull["state"].as_str(), pull["merged"].as_bool()) {
        (Some("open"), _) => Standing::Open,
        (_, Some(true)) => Standing::Merged,
        _ => Standing::Closed,
    };
    let mut seen =
        Seen { standing, head: needed(&pull, "/head/sha")?, checks: Vec::new(), remarks: Vec::new() };
    if standing == Standing::Open && wanted.checks() {
        seen.checks = checks(forge, &seen.head)?;
    }
    if standing == Standing::Open && wanted.reviews() {
        seen.remarks = remarks(forge, number, &text(&pull, "/user/login"))?;
    }
    Ok(seen)
}

/// Check runs, and the older kind, statuses.
fn checks(forge: &dyn Forge, head: &str) -> Result<Vec<Check>, ForgeError> {
    let runs = all(forge, &format!("commits/{head}/check-runs"), Some("check_runs"))?;
    let statuses = all(forge, &format!("commits/{head}/status"), Some("statuses"))?;
    Ok(runs.iter().map(check_run).chain(statuses.iter().map(status)).collect())
}

fn check_run(run: &Value) -> Check {
    let conclusion = text(run, "/conclusion");
    let state = match text(run, "/status").as_str() {
        "completed" if FAILED.contains(&&*conclusion) => CheckState::Failed,
        "completed" => CheckState::Passed,
        _ => CheckState::Pending,
    };
    let parts = ["/output/title", "/output/summary", "/output/text"].map(|part| text(run, part));
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.trim().is_empty()).collect();
    Check {
        id: id("check", run),
        name: text(run, "/name"),
        state,
        conclusion,
        summary: parts.join("\n\n"),
        link: text(run, "/html_url"),
    }
}

fn status(status: &Value) -> Check {
    let conclusion = text(status, "/state");
    let state = match conclusion.as_str() {
        "pending" => CheckState::Pending,
        "success" => CheckState::Passed,
        _ => CheckState::Failed,
    };
    Check {
        id: id("status", status),
        name: text(status, "/context"),
        state,
        conclusion,
        summary: text(status, "/description"),
        link: text(status, "/target_url"),
    }
}

fn remarks(forge: &dyn Forge, number: u32, ourselves: &str) -> Result<Vec<Remark>, ForgeError> {
    let reviews = all(forge, &format!("pulls/{number}/reviews"), None)?;
    let lines = all(forge, &format!("pulls/{number}/comments"), None)?;
    let comments = all(forge, &format!("issues/{number}/comments"), None)?;
    let voice = |said: &Value| voice(said, ourselves);
    let reviews = reviews.iter().filter_map(|said| review(said, voice(said)));
    let lines = lines.iter().map(|said| line_comment(said, voice(said)));
    let comments = comments.iter().map(|said| Remark {
        kind: RemarkKind::Comment,
        id: id("comment", said),
        ..line_comment(said, voice(said))
    });
    Ok(reviews.chain(lines).chain(comments).collect())
}

/// One that only frames comments on lines, one that approves, and one that is not
/// submitted or was taken back ask for nothing.
fn review(said: &Value, voice: Voice) -> Option<Remark> {
    let kind = match text(said, "/state").as_str() {
        "CHANGES_REQUESTED" => RemarkKind::ChangesRequested,
        "COMMENTED" if !text(said, "/body").trim().is_empty() => RemarkKind::Review,
        _ => return None,
    };
    Some(Remark {
        id: id("review", said),
        kind,
        author: text(said, "/user/login"),
        voice,
        place: String::new(),
        body: text(said, "/body"),
    })
}

fn line_comment(said: &Value, voice: Voice) -> Remark {
    let line = said["line"].as_u64().or_else(|| said["original_line"].as_u64());
    let path = text(said, "/path");
    Remark {
        id: id("line", said),
        kind: RemarkKind::LineComment,
        author: text(said, "/user/login"),
        voice,
        place: line.map_or(path.clone(), |line| format!("{path}:{line}")),
        body: text(said, "/body"),
    }
}

fn voice(said: &Value, ourselves: &str) -> Voice {
    let login = text(said, "/user/login");
    if login == ourselves {
        Voice::Ourselves
    } else if text(said, "/user/type") == "Bot" || login.ends_with("[bot]") {
        Voice::Bot
    } else if MEMBERS.contains(&&*text(said, "/author_association")) {
        Voice::Member
    } else {
        Voice::Stranger
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::super::tests::Table;
    use super::*;

    fn table() -> Table {
        let by = |login: &str, association: &str| json!({"login": login, "type": association});
        let said = |id: u32, login: &str, association: &str, more: Value| {
            let mut said = json!({
                "id": id, "user": by(login, "User"), "author_association": association, "body": "Use a map."
            });
            said.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            said
        };
        let answers = [
            (
                "pulls/7",
                json!({"state": "open", "merged": false, "head": {"sha": "h"}, "user": {"login": "us"}}),
            ),
            (
                "commits/h/check-runs",
                json!({"check_runs": [
                    {"id": 1, "name": "build", "status": "completed", "conclusion": "failure", "html_url": "u",
                     "output": {"title": "2 errors", "summary": "see below", "text": null}},
                    {"id": 2, "name": "lint", "status": "completed", "conclusion": "cancelled"},
                    {"id": 3, "name": "slow", "status": "in_progress", "conclusion": null},
                ]}),
            ),
            (
                "commits/h/status",
                json!({"statuses": [
                    {"id": 1, "context": "ci/old", "state": "error", "description": "it broke", "target_url": "t"},
                    {"id": 2, "context": "ci/new", "state": "success"},
                ]}),
            ),
            (
                "pulls/7/reviews",
                json!([
                    said(1, "mina", "OWNER", json!({"state": "CHANGES_REQUESTED", "body": ""})),
                    said(2, "mina", "OWNER", json!({"state": "COMMENTED", "body": ""})),
                    said(3, "mina", "OWNER", json!({"state": "APPROVED"})),
                    said(4, "mina", "OWNER", json!({"state": "PENDING"})),
                ]),
            ),
            (
                "pulls/7/comments",
                json!([
                    said(1, "mina", "MEMBER", json!({"path": "src/a.rs", "line": 3})),
                    said(2, "passer-by", "CONTRIBUTOR", json!({"path": "src/a.rs", "line": null})),
                ]),
            ),
            (
                "issues/7/comments",
                json!([
                    said(1, "mina", "COLLABORATOR", json!({})),
                    said(2, "us", "OWNER", json!({})),
                    said(3, "ci[bot]", "MEMBER", json!({})),
                    said(4, "robot", "MEMBER", json!({"user": {"login": "robot", "type": "Bot"}})),
                    said(5, "", "NONE", json!({"user": null})),
                ]),
            ),
        ];
        Table { answers: answers.into(), ..Table::default() }
    }

    #[test]
    fn both_kinds_of_checks_are_read_and_only_a_failure_is_one() {
        let seen = look(&table(), 7, FollowUp::Checks).unwrap();
        let checks: Vec<_> =
            seen.checks.iter().map(|check| (&*check.id, &*check.name, check.state)).collect();
        assert_eq!(
            checks,
            [
                ("check-1", "build", CheckState::Failed),
                ("check-2", "lint", CheckState::Passed),
                ("check-3", "slow", CheckState::Pending),
                ("status-1", "ci/old", CheckState::Failed),
                ("status-2", "ci/new", CheckState::Passed),
            ]
        );
        assert_eq!((&*seen.checks[0].summary, &*seen.checks[0].link), ("2 errors\n\nsee below", "u"));
        assert!(seen.remarks.is_empty(), "nobody asked");
    }

    #[test]
    fn people_are_told_from_strangers_bots_and_ourselves() {
        let table = table();
        let seen = look(&table, 7, FollowUp::Reviews).unwrap();
        let remarks: Vec<_> = seen.remarks.iter().map(|said| (&*said.id, said.voice)).collect();
        assert_eq!(
            remarks,
            [
                ("review-1", Voice::Member),
                ("line-1", Voice::Member),
                ("line-2", Voice::Stranger),
                ("comment-1", Voice::Member),
                ("comment-2", Voice::Ourselves),
                ("comment-3", Voice::Bot),
                ("comment-4", Voice::Bot),
                ("comment-5", Voice::Stranger),
            ]
        );
        assert_eq!((&*seen.remarks[1].place, &*seen.remarks[1].body), ("src/a.rs:3", "Use a map."));
        assert!(!table.asked.borrow().iter().any(|asked| asked.contains("commits/")), "nobody asked");
    }

    #[test]
    fn of_a_pull_request_that_is_over_nothing_more_is_asked() {
        for (merged, standing) in [(true, Standing::Merged), (false, Standing::Closed)] {
            let closed = json!({"state": "closed", "merged": merged, "head": {"sha": "h"}});
            let table = Table { answers: [("pulls/7", closed)].into(), ..Table::default() };
            assert_eq!(look(&table, 7, FollowUp::All).unwrap().standing, standing);
            assert_eq!(table.asked.borrow().len(), 1);
        }
    }
}
