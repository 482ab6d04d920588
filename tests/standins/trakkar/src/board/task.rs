//! Tasks, as people write them.

use serde::{Deserialize, Serialize};

use super::Board;
use crate::time::Time;

/// A task to be created.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NewTask {
    /// One line.
    pub title: String,
    /// Markdown.
    pub description: String,
    /// What must be true in the end.
    pub acceptance: Vec<String>,
    /// Words.
    pub labels: Vec<String>,
    /// `owner/name`.
    pub repo_hint: Option<String>,
    /// A wished name for the branch.
    pub branch_hint: Option<String>,
}

impl NewTask {
    /// A task with a title only.
    pub fn titled(title: &str) -> Self {
        Self { title: title.to_owned(), ..Self::default() }
    }
}

/// What somebody said about a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comment {
    /// For people.
    pub author: String,
    /// Markdown.
    pub body: String,
    /// When.
    pub created_at: Time,
}

/// A task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Task {
    /// `t_1`, ….
    pub id: String,
    /// As it was written.
    #[serde(flatten)]
    pub text: NewTask,
    /// Oldest first.
    pub comments: Vec<Comment>,
    /// Of the opened pull request.
    pub pr_url: Option<String>,
    /// Its runs are answered 410.
    pub deleted: bool,
}

impl Board {
    /// Adds a task, and returns its id. Nobody works on it before it is delegated.
    pub fn create_task(&mut self, text: NewTask) -> String {
        let id = self.next_id("t");
        self.tasks.push(Task { id: id.clone(), text, comments: Vec::new(), pr_url: None, deleted: false });
        id
    }

    /// What a task's column is called: the state of its last run.
    pub fn status_of(&self, task: &str, now: Time) -> &'static str {
        self.runs_of(task).next_back().map_or("open", |run| run.status(now))
    }
}
