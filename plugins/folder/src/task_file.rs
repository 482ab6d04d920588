//! What a file in the folder means.

use hostler_sdk::Section;
use hostler_sdk::tracker::Task;

use crate::front_matter::FrontMatter;
use crate::{report, wishes};

/// Where a task stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// To be done: `todo`, or nothing at all.
    Todo,
    /// Taken by a run.
    Doing,
    /// Done, failed or cancelled.
    Ended,
    /// Anything else its owner wrote, such as `draft`: left alone.
    Other(String),
}

/// One task file.
#[derive(Clone, Debug)]
pub struct TaskFile {
    name: String,
    /// The file itself.
    pub content: FrontMatter,
}

/// Whether a file of this name is a task.
pub fn is_task(name: &str) -> bool {
    const NO_TASKS: [&str; 3] = ["README.md", "AGENTS.md", "CLAUDE.md"];
    let reserved = NO_TASKS.iter().any(|no_task| name.eq_ignore_ascii_case(no_task));
    let stem = name.strip_suffix(".md").unwrap_or_default();
    !stem.is_empty() && !reserved && !name.starts_with(['_', '.'])
}

impl TaskFile {
    /// Reads a file of the folder.
    pub fn parse(name: &str, text: &str) -> Self {
        Self { name: name.to_owned(), content: FrontMatter::parse(text) }
    }

    /// Where the task stands.
    pub fn status(&self) -> Status {
        let Some(status) = self.content.get("status") else {
            return Status::Todo;
        };
        match status.to_lowercase().as_str() {
            "todo" => Status::Todo,
            "doing" => Status::Doing,
            "done" | "failed" | "cancelled" => Status::Ended,
            _ => Status::Other(status),
        }
    }

    /// The run that has taken the task, or had it last.
    pub fn run(&self) -> Option<String> {
        self.content.get("run")
    }

    /// Whether this run has the task now.
    pub fn is_held_by(&self, run: &str) -> bool {
        self.status() == Status::Doing && self.run().as_deref() == Some(run)
    }

    /// The task for the host. Its owner wrote it on the own disk, so it is
    /// trusted; earlier reports are an agent's words and are not.
    pub fn task(&self) -> Task {
        let (text, reports) = report::split(self.content.body());
        let mut sections = vec![Section { title: "Task".into(), body: text.trim().into(), trusted: true }];
        if !reports.trim().is_empty() {
            sections.push(Section {
                title: "Earlier reports".into(),
                body: reports.trim().into(),
                trusted: false,
            });
        }
        Task {
            id: self.name.clone(),
            key: key(self.stem()),
            title: self.title(text),
            sections,
            priority: self.content.get("priority").and_then(|text| text.parse().ok()).unwrap_or(0),
            data: wishes::collect(&self.content),
        }
    }

    fn title(&self, text: &str) -> String {
        let heading = || text.lines().find_map(|line| line.strip_prefix("# "));
        let title = self.content.get("title").or_else(|| heading().map(|title| title.trim().to_owned()));
        title.filter(|title| !title.is_empty()).unwrap_or_else(|| self.stem().replace(['-', '_'], " "))
    }

    fn stem(&self) -> &str {
        self.name.strip_suffix(".md").unwrap_or(&self.name)
    }
}

/// A file name as a word for branch and folder names.
fn key(stem: &str) -> String {
    let keep = |char: char| if char.is_alphanumeric() || char == '.' || char == '_' { char } else { '-' };
    let key: String = stem.chars().map(keep).collect();
    key.trim_matches(['-', '.']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(text: &str) -> Status {
        TaskFile::parse("a.md", text).status()
    }

    #[test]
    fn notes_drafts_and_instructions_are_no_tasks() {
        for name in ["fix.md", "a b.md", "Über.md"] {
            assert!(is_task(name), "{name}");
        }
        for name in
            ["README.md", "readme.md", "AGENTS.md", "CLAUDE.md", "_draft.md", ".md", ".x.md", "a.txt", "md"]
        {
            assert!(!is_task(name), "{name}");
        }
    }

    #[test]
    fn only_todo_and_nothing_mean_to_do() {
        assert_eq!(status("text"), Status::Todo);
        assert_eq!(status("---\nstatus: Todo\n---\n"), Status::Todo);
        assert_eq!(status("---\nstatus: doing\n---\n"), Status::Doing);
        assert_eq!(status("---\nstatus: failed\n---\n"), Status::Ended);
        assert_eq!(status("---\nstatus: draft\n---\n"), Status::Other("draft".into()));
    }

    #[test]
    fn the_title_is_the_field_else_the_heading_else_the_name() {
        let title = |text: &str| TaskFile::parse("fix-the_login.md", text).task().title;
        assert_eq!(title("---\ntitle: Field\n---\n# Heading\n"), "Field");
        assert_eq!(title("Text\n# Heading\n"), "Heading");
        assert_eq!(title("Text\n"), "fix the login");
    }

    #[test]
    fn a_key_is_one_word() {
        assert_eq!(TaskFile::parse("fix the login!.md", "").task().key, "fix-the-login");
    }
}
