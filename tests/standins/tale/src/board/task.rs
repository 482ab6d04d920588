//! Tasks on the board: status, comments, activity.

use serde::{Deserialize, Serialize};

use super::{Board, RunId, TaskId};
use crate::time::Time;

/// The column a task stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskStatus {
    /// To be done, or given back.
    Todo,
    /// An agent or a person is on it.
    InProgress,
    /// A person is to look at the result.
    InReview,
    /// Finished: only a person says so.
    Done,
    /// Not wanted any more.
    Cancelled,
}

/// A project: gives its tasks their keys.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Project {
    /// Also its id: `APP`.
    pub key: String,
    /// For people.
    pub name: String,
    /// For people and agents.
    pub description: String,
}

/// What a person types in for a task.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct NewTask {
    /// Its organisation; the board's first one if empty.
    pub organization: String,
    /// Key of its project, if it has one.
    pub project: Option<String>,
    /// One line.
    pub title: String,
    /// Markdown.
    pub description: String,
    /// `low`, `medium`, `high`, `urgent`, or nothing.
    pub priority: Option<String>,
    /// Free words.
    pub labels: Vec<String>,
    /// As a date: `2026-03-01`.
    pub due_date: Option<String>,
    /// Smaller steps.
    pub subtasks: Vec<Subtask>,
    /// Keys or titles of what is in the way.
    pub blockers: Vec<String>,
}

impl NewTask {
    /// A task of the project `APP`.
    pub fn titled(title: &str) -> Self {
        Self { title: title.to_owned(), project: Some("APP".to_owned()), ..Self::default() }
    }

    /// With this description.
    pub fn described(mut self, description: &str) -> Self {
        description.clone_into(&mut self.description);
        self
    }
}

/// A step of a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Subtask {
    /// One line.
    pub title: String,
    /// Free text, such as `todo`.
    #[serde(default)]
    pub status: String,
    /// Who does it, if anybody.
    #[serde(default)]
    pub assignee: Option<String>,
}

/// Who wrote something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "type", content = "id", rename_all = "snake_case")]
pub enum Author {
    /// A person.
    User(String),
    /// An agent, by its slug.
    Agent(String),
    /// The server itself.
    Automation,
}

/// A comment on a task.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comment {
    /// When it was written.
    pub at: Time,
    /// Who wrote it.
    pub author: Author,
    /// Markdown.
    pub body: String,
    /// The run whose end it tells, if it tells one.
    pub run: Option<RunId>,
}

/// A line in the activity timeline of a task.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Activity {
    /// When it happened.
    pub at: Time,
    /// `created`, `status`, `run_enqueued`, `run_claimed`, `run_started`, `run_progress`,
    /// `run_retried`, `run_ended`, `cancel_requested`.
    pub kind: &'static str,
    /// For people.
    pub text: String,
}

/// A task on the board.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Opaque.
    pub id: TaskId,
    /// Slug of its organisation.
    pub organization: String,
    /// Key of its project, if it has one.
    pub project: Option<String>,
    /// Counts from 1 within the project.
    pub number: u32,
    /// One line.
    pub title: String,
    /// Markdown.
    pub description: String,
    /// The column it stands in.
    pub status: TaskStatus,
    /// Put away: nothing is dispatched for it.
    pub archived: bool,
    /// Slug of the agent that works on it.
    pub assignee: Option<String>,
    /// See [`NewTask::priority`].
    pub priority: Option<String>,
    /// Free words.
    pub labels: Vec<String>,
    /// As a date.
    pub due_date: Option<String>,
    /// Smaller steps.
    pub subtasks: Vec<Subtask>,
    /// What is in the way.
    pub blockers: Vec<String>,
    /// Oldest first.
    pub comments: Vec<Comment>,
    /// Oldest first.
    pub activity: Vec<Activity>,
}

impl Task {
    /// For people: `APP-12`, or the start of the id for a task without a project.
    pub fn key(&self) -> String {
        match &self.project {
            Some(project) => format!("{project}-{}", self.number),
            None => self.id.0.chars().take(12).collect(),
        }
    }

    /// Whether agents may work on it.
    pub fn is_open(&self) -> bool {
        !self.archived && !matches!(self.status, TaskStatus::Done | TaskStatus::Cancelled)
    }

    pub(crate) fn note(&mut self, at: Time, kind: &'static str, text: impl Into<String>) {
        self.activity.push(Activity { at, kind, text: text.into() });
    }

    pub(crate) fn move_to(&mut self, status: TaskStatus, at: Time) {
        if self.status != status {
            self.status = status;
            self.note(at, "status", format!("moved to {}", status.label()));
        }
    }
}

impl TaskStatus {
    /// The heading of the column.
    pub fn label(self) -> &'static str {
        match self {
            Self::Todo => "To do",
            Self::InProgress => "In progress",
            Self::InReview => "In review",
            Self::Done => "Done",
            Self::Cancelled => "Cancelled",
        }
    }

    /// As it stands on the wire and in prompts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Todo => "todo",
            Self::InProgress => "in_progress",
            Self::InReview => "in_review",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Board {
    /// Adds a project, or changes the one with its key.
    pub fn put_project(&mut self, key: &str, name: &str, description: &str) {
        self.projects.retain(|project| project.key != key);
        self.projects.push(Project {
            key: key.to_owned(),
            name: name.to_owned(),
            description: description.to_owned(),
        });
    }

    /// Adds a task, in To do.
    pub fn create_task(&mut self, new: NewTask, now: Time) -> TaskId {
        let id = TaskId(self.ids.next());
        let earlier = self.tasks.iter().filter(|task| task.project == new.project);
        let number = earlier.map(|task| task.number).max().unwrap_or_default() + 1;
        let organization =
            if new.organization.is_empty() { self.first_organization() } else { new.organization };
        let mut task = Task {
            id: id.clone(),
            organization,
            project: new.project,
            number,
            title: new.title,
            description: new.description,
            status: TaskStatus::Todo,
            archived: false,
            assignee: None,
            priority: new.priority,
            labels: new.labels,
            due_date: new.due_date,
            subtasks: new.subtasks,
            blockers: new.blockers,
            comments: Vec::new(),
            activity: Vec::new(),
        };
        task.note(now, "created", "task created");
        self.tasks.push(task);
        id
    }

    /// A person moves a task to a column; `false` if there is no such task.
    pub fn move_task(&mut self, id: &TaskId, status: TaskStatus, now: Time) -> bool {
        self.task_mut(id).map(|task| task.move_to(status, now)).is_some()
    }

    /// A person puts a task away; `false` if there is no such task.
    pub fn archive_task(&mut self, id: &TaskId) -> bool {
        self.task_mut(id).map(|task| task.archived = true).is_some()
    }

    /// A person deletes a task; its runs stay on record. `false` if there is no such task.
    pub fn delete_task(&mut self, id: &TaskId) -> bool {
        let before = self.tasks.len();
        self.tasks.retain(|task| task.id != *id);
        self.tasks.len() < before
    }

    /// A task's id by what people type: the id itself, or a key such as `APP-12`.
    pub fn find_task(&self, id_or_key: &str) -> Option<TaskId> {
        let named = |task: &&Task| task.id.0 == id_or_key || task.key().eq_ignore_ascii_case(id_or_key);
        self.tasks.iter().find(named).map(|task| task.id.clone())
    }

    /// A task by its id.
    pub fn task(&self, id: &TaskId) -> Option<&Task> {
        self.tasks.iter().find(|task| task.id == *id)
    }

    pub(crate) fn task_mut(&mut self, id: &TaskId) -> Option<&mut Task> {
        self.tasks.iter_mut().find(|task| task.id == *id)
    }
}
