//! A claimed run: read from the server's answer, kept with the task, found again.

use hostler_sdk::tracker::Task;
use hostler_sdk::{Problem, Section};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::text::{head, one_line};

/// Longest title made from a prompt.
const TITLE_CHARS: usize = 120;

/// The task's key and title stand near the start of a prompt; this many lines are
/// searched for them.
const SEARCHED_LINES: usize = 200;

/// So many characters at the end of a run's id tell runs apart in names.
const SHORT_ID_CHARS: usize = 10;

/// What is remembered of a claimed run, in the task's `data`. Neither its prompt (the
/// task has it) nor its environment (nobody writes that down).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Assignment {
    /// The server's id of the run; the same for both of its attempts.
    pub external_run_id: String,
    /// Who claimed it. A run stays with that id if the configuration changes.
    pub daemon_id: String,
    /// `claude_code`, `codex`, `opencode`.
    pub adapter_type: String,
    /// `safe`, `auto_edits`, `full_auto`.
    pub permission_mode: String,
    /// `initial` or `revision`.
    pub kind: String,
    /// Which of this host's repositories.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_key: Option<String>,
    /// The session of the result that is to be revised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume_session_ref: Option<String>,
    /// From claim to end, in milliseconds, as the server counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<f64>,
}

/// What a claim handed out.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// As the host sees it.
    pub task: Task,
    /// The run's id at the server.
    pub external_run_id: String,
    /// Variables for the agent.
    pub environment: Vec<(String, String)>,
}

impl Work {
    /// Reads the `run` of a claim's answer; `None` without an id, for then nobody can
    /// even say that it is not done.
    pub fn read(run: &Value, daemon_id: &str) -> Option<Self> {
        let text = |field: &str| {
            run.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let external_run_id = text("externalRunId")?;
        let prompt = text("prompt").unwrap_or_default();
        let assignment = Assignment {
            external_run_id: external_run_id.clone(),
            daemon_id: daemon_id.to_owned(),
            adapter_type: text("adapterType").unwrap_or_default(),
            permission_mode: text("permissionMode").unwrap_or_default(),
            kind: text("kind").unwrap_or_default(),
            workspace_key: text("workspaceKey"),
            resume_session_ref: text("resumeSessionRef"),
            timeout_ms: run.get("timeoutMs").and_then(Value::as_f64),
        };
        let (key, title) = heading(&prompt).unwrap_or_else(|| {
            let agent = text("agentSlug").unwrap_or_else(|| "an agent".to_owned());
            (assignment.short_id(), format!("Run for {agent}"))
        });
        let task = Task {
            id: text("taskId").unwrap_or_else(|| external_run_id.clone()),
            key,
            title,
            sections: vec![Section { title: String::new(), body: prompt, trusted: true }],
            priority: 0,
            data: serde_json::to_string(&assignment).unwrap_or_default(),
        };
        Some(Self { task, external_run_id, environment: environment(run) })
    }
}

impl Assignment {
    /// What was remembered of a task's run.
    pub fn of(task: &Task) -> Result<Self, Problem> {
        serde_json::from_str(&task.data).map_err(|error| {
            Problem::permanent(format!(
                "What was noted about {} cannot be read any more ({error}); assign the task in Tale again.",
                task.key
            ))
        })
    }

    /// The end of the run's id, safe for names of branches and folders.
    pub fn short_id(&self) -> String {
        let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let characters: Vec<char> = self.external_run_id.chars().map(safe).collect();
        let start = characters.len().saturating_sub(SHORT_ID_CHARS);
        characters[start..].iter().collect::<String>().trim_matches('-').to_owned()
    }

    /// Whether an earlier result is to be revised.
    pub fn is_revision(&self) -> bool {
        self.kind == "revision"
    }

    /// The session in which the run is to go on.
    pub fn resumed(&self) -> Option<String> {
        self.resume_session_ref.clone().filter(|_| self.is_revision())
    }
}

/// Key and title of the task, from the prompt's line `[APP-12] Fix the login`. They
/// are only shown to people and never believed.
fn heading(prompt: &str) -> Option<(String, String)> {
    prompt.lines().take(SEARCHED_LINES).find_map(|line| {
        let (key, title) = line.trim().strip_prefix('[')?.split_once(']')?;
        let (project, number) = key.rsplit_once('-')?;
        let is_project = project.starts_with(|c: char| c.is_ascii_alphabetic())
            && project.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        let is_number = !number.is_empty() && number.chars().all(|c| c.is_ascii_digit());
        let title = one_line(title);
        (is_project && is_number && !title.is_empty()).then(|| (key.to_owned(), head(&title, TITLE_CHARS)))
    })
}

fn environment(run: &Value) -> Vec<(String, String)> {
    let variables = run.get("env").and_then(Value::as_object).into_iter().flatten();
    variables.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    fn run() -> Value {
        json!({
            "externalRunId": "k57e0d2m9q4x8t1w6y3z5a7b", "taskId": "t1", "agentSlug": "coder",
            "adapterType": "claude_code", "permissionMode": "auto_edits", "workspaceKey": "api",
            "kind": "revision", "resumeSessionRef": "s1", "timeoutMs": 1_800_000,
            "prompt": "Task APP-12 was assigned to you.\n<x>\n[APP-12] Fix  the login\nStatus: todo",
            "env": {"API_BASE": "hidden", "ODD": 7}
        })
    }

    #[test]
    fn a_run_becomes_a_task_with_the_key_and_title_of_its_prompt() {
        let work = Work::read(&run(), "daemon_1").unwrap();
        assert_eq!((&*work.task.id, &*work.task.key, &*work.task.title), ("t1", "APP-12", "Fix the login"));
        assert_eq!(work.environment, [("API_BASE".to_owned(), "hidden".to_owned())]);
        let assignment = Assignment::of(&work.task).unwrap();
        assert_eq!(assignment.workspace_key.as_deref(), Some("api"));
        assert_eq!(assignment.timeout_ms, Some(1_800_000.0));
        assert_eq!(assignment.short_id(), "1w6y3z5a7b");
    }

    #[test]
    fn neither_environment_nor_prompt_is_written_down_with_the_assignment() {
        let data = Work::read(&run(), "daemon_1").unwrap().task.data;
        assert!(!data.contains("hidden") && !data.contains("API_BASE") && !data.contains("Fix"), "{data}");
    }

    #[test]
    fn a_prompt_without_a_heading_still_gives_a_key_and_a_title() {
        for prompt in ["Do it.", "[x] done", "[APP-] none", "[-1] none", "[APP-1]  ", "[AP P-1] no"] {
            let mut run = run();
            run["prompt"] = json!(prompt);
            let task = Work::read(&run, "d").unwrap().task;
            assert_eq!((&*task.key, &*task.title), ("1w6y3z5a7b", "Run for coder"), "{prompt}");
        }
    }

    #[test]
    fn a_run_of_which_only_the_id_is_known_can_still_be_told_about() {
        let work = Work::read(&json!({ "externalRunId": "a/b!" }), "d").unwrap();
        assert_eq!(work.task.id, "a/b!");
        assert_eq!(Assignment::of(&work.task).unwrap().short_id(), "a-b");
        assert_eq!(Work::read(&json!({ "taskId": "t" }), "d"), None);
    }

    #[test]
    fn a_title_at_the_limit_is_whole_and_a_longer_one_is_cut() {
        let title = |length: usize| heading(&format!("[A-1] {}", "x".repeat(length))).unwrap().1;
        assert_eq!(title(TITLE_CHARS), "x".repeat(TITLE_CHARS));
        assert_eq!(title(TITLE_CHARS + 1).chars().count(), TITLE_CHARS);
    }
}
