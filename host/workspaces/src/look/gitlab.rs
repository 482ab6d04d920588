//! A merge request as GitLab shows it.

use std::collections::BTreeMap;

use hostler_engine::follow_up::{Check, CheckState, FollowUp, Remark, RemarkKind, Seen, Standing, Voice};
use serde_json::Value;

use super::{all, id, needed, text};
use crate::forge::{Forge, ForgeError};

/// The access level of a developer: from there on somebody may push.
const DEVELOPER: u64 = 30;

pub(super) fn look(forge: &dyn Forge, number: u32, wanted: FollowUp) -> Result<Seen, ForgeError> {
    let request = forge.get(&format!("merge_requests/{number}"))?;
    let standing = match request["state"].as_str() {
        Some("opened" | "locked") => Standing::Open,
        Some("merged") => Standing::Merged,
        _ => Standing::Closed,
    };
    let mut seen =
        Seen { standing, head: needed(&request, "/sha")?, checks: Vec::new(), remarks: Vec::new() };
    if standing == Standing::Open && wanted.checks() {
        // Jobs of pipelines, and what other systems say of the commit; of each the last.
        let statuses = all(forge, &format!("repository/commits/{}/statuses", seen.head), None)?;
        seen.checks = statuses.iter().map(check).collect();
    }
    if standing == Standing::Open && wanted.reviews() {
        seen.remarks = remarks(forge, number, &text(&request, "/author/username"))?;
    }
    Ok(seen)
}

fn check(status: &Value) -> Check {
    let conclusion = text(status, "/status");
    let may_fail = status["allow_failure"] == true;
    let state = match conclusion.as_str() {
        "failed" if !may_fail => CheckState::Failed,
        "created" | "pending" | "running" | "preparing" | "scheduled" | "waiting_for_resource" => {
            CheckState::Pending
        }
        _ => CheckState::Passed,
    };
    Check {
        id: id("status", status),
        name: text(status, "/name"),
        state,
        conclusion,
        summary: text(status, "/description"),
        link: text(status, "/target_url"),
    }
}

fn remarks(forge: &dyn Forge, number: u32, ourselves: &str) -> Result<Vec<Remark>, ForgeError> {
    let notes = all(forge, &format!("merge_requests/{number}/notes?sort=asc&order_by=created_at"), None)?;
    let mut known = BTreeMap::new();
    let mut remarks = Vec::new();
    // What GitLab itself writes into the conversation is no word of anybody.
    for note in notes.iter().filter(|note| note["system"] != true) {
        let author = text(note, "/author/username");
        let voice = match known.get(&author) {
            Some(voice) => *voice,
            None => voice(forge, note, &author, ourselves)?,
        };
        known.insert(author.clone(), voice);
        remarks.push(remark(note, author, voice));
    }
    Ok(remarks)
}

fn remark(note: &Value, author: String, voice: Voice) -> Remark {
    let path = text(note, "/position/new_path");
    let place = match note.pointer("/position/new_line").and_then(Value::as_u64) {
        Some(line) => format!("{path}:{line}"),
        None => path,
    };
    let kind = if place.is_empty() { RemarkKind::Comment } else { RemarkKind::LineComment };
    Remark { id: id("note", note), kind, author, voice, place, body: text(note, "/body") }
}

fn voice(forge: &dyn Forge, note: &Value, author: &str, ourselves: &str) -> Result<Voice, ForgeError> {
    if author == ourselves {
        return Ok(Voice::Ourselves);
    }
    if is_token(author) || note.pointer("/author/bot") == Some(&Value::Bool(true)) {
        return Ok(Voice::Bot);
    }
    let Some(id) = note.pointer("/author/id").and_then(Value::as_u64) else { return Ok(Voice::Stranger) };
    match forge.get(&format!("members/all/{id}")) {
        Ok(member) if member["access_level"].as_u64().is_some_and(|level| level >= DEVELOPER) => {
            Ok(Voice::Member)
        }
        // Whoever is no member is not found.
        Ok(_) | Err(ForgeError::Refused { .. } | ForgeError::Declined { .. }) => Ok(Voice::Stranger),
        Err(error) => Err(error),
    }
}

/// Access tokens of projects and groups speak as `project_12_bot_3f…`.
fn is_token(author: &str) -> bool {
    let rest = ["project_", "group_"].iter().find_map(|prefix| author.strip_prefix(prefix));
    let number = rest.and_then(|rest| rest.split_once("_bot")).map(|(number, _)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::super::tests::Table;
    use super::*;

    fn request(state: &str) -> Value {
        json!({"state": state, "sha": "h", "author": {"username": "us"}})
    }

    #[test]
    fn jobs_are_checks_and_one_that_may_fail_did_not() {
        let statuses = json!([
            {"id": 1, "name": "build", "status": "failed", "target_url": "u", "description": "it broke"},
            {"id": 2, "name": "flaky", "status": "failed", "allow_failure": true},
            {"id": 3, "name": "deploy", "status": "manual"},
            {"id": 4, "name": "slow", "status": "running"},
        ]);
        let answers = [("merge_requests/7", request("opened")), ("repository/commits/h/statuses", statuses)];
        let table = Table { answers: answers.into(), ..Table::default() };
        let seen = look(&table, 7, FollowUp::Checks).unwrap();
        let states: Vec<_> = seen.checks.iter().map(|check| (&*check.id, check.state)).collect();
        assert_eq!(
            states,
            [
                ("status-1", CheckState::Failed),
                ("status-2", CheckState::Passed),
                ("status-3", CheckState::Passed),
                ("status-4", CheckState::Pending),
            ]
        );
    }

    #[test]
    fn developers_are_heard_and_nobody_else() {
        let note = |id: u32, author: &str, number: u32, more: Value| {
            let mut note =
                json!({"id": id, "author": {"username": author, "id": number}, "body": "Use a map."});
            note.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            note
        };
        let notes = json!([
            note(1, "mina", 5, json!({"position": {"new_path": "src/a.rs", "new_line": 3}})),
            note(2, "mina", 5, json!({})),
            note(3, "reporter", 6, json!({})),
            note(4, "passer-by", 9, json!({})),
            note(5, "us", 1, json!({})),
            note(6, "project_12_bot_3f", 8, json!({})),
            note(7, "mina", 5, json!({"system": true})),
        ]);
        let answers = [
            ("merge_requests/7", request("opened")),
            ("merge_requests/7/notes", notes),
            ("members/all/5", json!({"access_level": 30})),
            ("members/all/6", json!({"access_level": 20})),
        ];
        let table = Table { answers: answers.into(), ..Table::default() };
        let seen = look(&table, 7, FollowUp::Reviews).unwrap();
        let voices: Vec<_> = seen.remarks.iter().map(|said| (&*said.id, said.voice)).collect();
        assert_eq!(
            voices,
            [
                ("note-1", Voice::Member),
                ("note-2", Voice::Member),
                ("note-3", Voice::Stranger),
                ("note-4", Voice::Stranger),
                ("note-5", Voice::Ourselves),
                ("note-6", Voice::Bot),
            ]
        );
        assert_eq!(seen.remarks[0].place, "src/a.rs:3");
        let asked = table.asked.borrow();
        assert_eq!(asked.iter().filter(|asked| *asked == "members/all/5").count(), 1, "once a look");
    }

    #[test]
    fn of_a_merge_request_that_is_over_nothing_more_is_asked() {
        for (state, standing) in [("merged", Standing::Merged), ("closed", Standing::Closed)] {
            let table = Table { answers: [("merge_requests/7", request(state))].into(), ..Table::default() };
            assert_eq!(look(&table, 7, FollowUp::All).unwrap().standing, standing);
            assert_eq!(table.asked.borrow().len(), 1);
        }
    }

    #[test]
    fn the_names_of_tokens_are_told_from_those_of_people() {
        assert!(is_token("project_12_bot_3f") && is_token("group_1_bot"));
        assert!(!is_token("project_manager_bot") && !is_token("mina"));
    }
}
