//! A claimed run: read from the server's answer, kept with the task, found again.

use hostler_sdk::tracker::Task;
use hostler_sdk::{Problem, Section};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::{head, one_line, slug};

/// Longest title that is shown.
const TITLE_CHARS: usize = 120;

/// Longest part of a branch's name that is made from a title.
const SLUG_CHARS: usize = 40;

/// Longest part of a branch's name that is made from a task's id.
const ID_CHARS: usize = 60;

/// What is remembered of a claimed run, in the task's `data`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Assignment {
    /// The server's id of the run.
    pub run_id: String,
    /// Whether a reply continues earlier work.
    pub continues: bool,
    /// The CLI's session of that work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_ref: Option<String>,
    /// As it is set for the agent now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify_command: Option<String>,
    /// A name the server wishes for the branch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch_hint: Option<String>,
    /// What branches start from and pull requests are for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_branch: Option<String>,
}

/// Reads a task of a claim's answer; `None` without the ids, for then nobody can say
/// anything about it. `summary` is what this host reported of the task last.
pub fn read(task: &Value, base_branch: Option<&str>, summary: Option<&str>) -> Option<Task> {
    let text = |field: &str| filled(task.get(field));
    let id = text("id")?;
    let continuation =
        task.get("continuation").filter(|_| task.get("kind").and_then(Value::as_str) == Some("continue"));
    let assignment = Assignment {
        run_id: text("run_id")?,
        continues: continuation.is_some_and(Value::is_object),
        session_ref: continuation.and_then(|continuation| filled(continuation.get("session_ref"))),
        verify_command: text("verify_command"),
        branch_hint: text("branch_hint"),
        base_branch: base_branch.map(str::to_owned),
    };
    let title = one_line(&text("title").unwrap_or_else(|| id.clone()));
    let mut sections = description(task);
    if let Some(continuation) = continuation {
        sections.extend(reply(continuation, summary));
    }
    Some(Task {
        key: id.clone(),
        id,
        title: head(&title, TITLE_CHARS),
        sections,
        priority: 0,
        data: serde_json::to_string(&assignment).unwrap_or_default(),
    })
}

impl Assignment {
    /// What was remembered of a task's run.
    pub fn of(task: &Task) -> Result<Self, Problem> {
        let read = serde_json::from_str::<Self>(&task.data).ok().filter(|read| !read.run_id.is_empty());
        read.ok_or_else(|| {
            Problem::permanent(format!(
                "What was noted about {} cannot be read any more; stop it in Trakkar and delegate the task again.",
                task.key
            ))
        })
    }

    /// The name of the branch, the same for every run of the task.
    pub fn branch(&self, task: &Task) -> String {
        if let Some(hint) = &self.branch_hint {
            return hint.clone();
        }
        let safe = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c } else { '-' };
        let id: String = task.id.chars().take(ID_CHARS).map(safe).collect();
        match slug(&task.title, SLUG_CHARS).as_str() {
            "" => format!("trakkar/{id}"),
            slug => format!("trakkar/{id}-{slug}"),
        }
    }
}

fn filled(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).filter(|text| !text.trim().is_empty()).map(str::to_owned)
}

/// What people wrote into the task.
fn description(task: &Value) -> Vec<Section> {
    let section = |title: &str, body: String| {
        (!body.trim().is_empty()).then(|| Section { title: title.to_owned(), body, trusted: false })
    };
    let texts = |field: &str| {
        let items = task.get(field).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect::<Vec<_>>()
    };
    let acceptance: Vec<String> = texts("acceptance").iter().map(|line| format!("- {line}")).collect();
    let comments = task.get("comments").and_then(Value::as_array).into_iter().flatten();
    let comments: Vec<String> = comments.filter_map(comment).collect();
    let sections = [
        section("Description", filled(task.get("description")).unwrap_or_default()),
        section("Acceptance criteria", acceptance.join("\n")),
        section("Comments", comments.join("\n\n")),
        section("Labels", texts("labels").join(", ")),
    ];
    sections.into_iter().flatten().collect()
}

fn comment(comment: &Value) -> Option<String> {
    let body = filled(comment.get("body"))?;
    let author = filled(comment.get("author")).unwrap_or_else(|| "Somebody".to_owned());
    Some(match filled(comment.get("created_at")) {
        Some(at) => format!("{author}, {at}:\n{body}"),
        None => format!("{author}:\n{body}"),
    })
}

/// The reply is the user's instruction, word for word.
fn reply(continuation: &Value, summary: Option<&str>) -> Vec<Section> {
    let mut sections = Vec::new();
    if let Some(summary) = summary {
        let title = "What you reported last time".to_owned();
        sections.push(Section { title, body: summary.to_owned(), trusted: false });
    }
    if let Some(body) = filled(continuation.get("message")) {
        sections.push(Section { title: "What the user says now".to_owned(), body, trusted: true });
    }
    sections
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn payload() -> Value {
        json!({
            "id": "t_88", "run_id": "run_501", "kind": "new", "title": "Add  CSV export",
            "description": "As a *user* …", "acceptance": ["A button", "A file"],
            "comments": [{ "author": "Mina", "body": "Please soon.", "created_at": "2026-02-01" }, { "body": "" }],
            "labels": ["export"], "repo_hint": "acme/api", "verify_command": "npm test --silent",
            "branch_hint": null, "continuation": null
        })
    }

    fn titles(task: &Task) -> Vec<(&str, bool)> {
        task.sections.iter().map(|section| (section.title.as_str(), section.trusted)).collect()
    }

    #[test]
    fn everything_people_wrote_reaches_the_agent_and_none_of_it_is_trusted() {
        let task = read(&payload(), None, None).unwrap();
        assert_eq!((&*task.id, &*task.key, &*task.title), ("t_88", "t_88", "Add CSV export"));
        let expected =
            [("Description", false), ("Acceptance criteria", false), ("Comments", false), ("Labels", false)];
        assert_eq!(titles(&task), expected);
        assert_eq!(task.sections[1].body, "- A button\n- A file");
        assert_eq!(task.sections[2].body, "Mina, 2026-02-01:\nPlease soon.");
        let assignment = Assignment::of(&task).unwrap();
        assert_eq!((&*assignment.run_id, assignment.continues), ("run_501", false));
        assert_eq!(assignment.verify_command.as_deref(), Some("npm test --silent"));
    }

    #[test]
    fn a_reply_is_an_instruction_word_for_word_after_what_was_reported() {
        let mut payload = payload();
        payload["kind"] = json!("continue");
        payload["continuation"] =
            json!({ "message": "do X instead", "previous_run_id": "run_480", "session_ref": "s1" });
        let task = read(&payload, Some("develop"), Some("I did Y.")).unwrap();
        let last = &task.sections[task.sections.len() - 2..];
        assert_eq!((&*last[0].body, last[0].trusted), ("I did Y.", false));
        assert_eq!((&*last[1].body, last[1].trusted), ("do X instead", true));
        let assignment = Assignment::of(&task).unwrap();
        assert!(assignment.continues);
        assert_eq!(assignment.session_ref.as_deref(), Some("s1"));
        assert_eq!(assignment.base_branch.as_deref(), Some("develop"));
    }

    #[test]
    fn a_task_without_ids_is_none_and_one_without_all_the_rest_is_one() {
        assert_eq!(read(&json!({ "id": "t" }), None, None), None);
        assert_eq!(read(&json!({ "run_id": "r" }), None, None), None);
        let task = read(&json!({ "id": "t", "run_id": "r" }), None, None).unwrap();
        assert_eq!((&*task.title, task.sections.len()), ("t", 0));
    }

    #[test]
    fn the_branch_is_named_after_task_and_title_or_as_the_server_wishes() {
        let branch = |payload: &Value| {
            let task = read(payload, None, None).unwrap();
            Assignment::of(&task).unwrap().branch(&task)
        };
        assert_eq!(branch(&payload()), "trakkar/t_88-add-csv-export");
        let mut odd = payload();
        odd["id"] = json!("../88");
        odd["title"] = json!("漢字");
        assert_eq!(branch(&odd), "trakkar/---88");
        odd["branch_hint"] = json!("feature/x");
        assert_eq!(branch(&odd), "feature/x");
    }

    #[test]
    fn a_title_at_the_limit_is_whole_and_a_longer_one_is_cut() {
        let title = |length: usize| {
            read(&json!({ "id": "t", "run_id": "r", "title": "x".repeat(length) }), None, None).unwrap().title
        };
        assert_eq!(title(TITLE_CHARS), "x".repeat(TITLE_CHARS));
        assert_eq!(title(TITLE_CHARS + 1).chars().count(), TITLE_CHARS);
    }

    #[test]
    fn a_note_that_cannot_be_read_is_a_problem_with_a_remedy() {
        for data in ["", "{}", "7"] {
            let mut task = read(&payload(), None, None).unwrap();
            task.data = data.into();
            assert!(Assignment::of(&task).unwrap_err().message.contains("delegate the task again"));
        }
    }
}
