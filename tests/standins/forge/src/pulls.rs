//! What the forge knows besides the repositories: a state machine without I/O.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullRequest {
    /// Counts from 1 in each repository.
    pub number: u32,
    /// Its branch.
    pub head: String,
    /// The branch it is for.
    pub base: String,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
    /// Not closed and not merged.
    pub open: bool,
}

/// Why a pull request was not opened.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Exists,
    Empty,
}

/// Pull requests and what is said about them, by `owner/name`.
#[derive(Debug, Default)]
pub struct Pulls {
    requests: BTreeMap<String, Vec<PullRequest>>,
    check_runs: BTreeMap<String, Vec<Value>>,
    comments: BTreeMap<(String, u32), Vec<Value>>,
    reviews: BTreeMap<(String, u32), Vec<Value>>,
}

impl Pulls {
    /// Every pull request of a repository, by number.
    pub fn of(&self, repository: &str) -> &[PullRequest] {
        self.requests.get(repository).map_or(&[], Vec::as_slice)
    }

    /// One of them, to change as a person would.
    pub fn get_mut(&mut self, repository: &str, number: u32) -> Option<&mut PullRequest> {
        self.requests.get_mut(repository)?.iter_mut().find(|pull| pull.number == number)
    }

    /// Adds a check run of a commit.
    pub fn add_check_run(&mut self, sha: &str, name: &str, status: &str, conclusion: Option<&str>) {
        let run = json!({"name": name, "status": status, "conclusion": conclusion, "head_sha": sha});
        self.check_runs.entry(sha.to_owned()).or_default().push(run);
    }

    /// Adds a comment on a line of a pull request.
    pub fn add_comment(&mut self, repository: &str, number: u32, user: &str, body: &str) {
        let list = self.comments.entry((repository.to_owned(), number)).or_default();
        list.push(json!({"id": list.len() + 1, "user": {"login": user}, "body": body}));
    }

    /// Adds a review of a pull request; `state` as GitHub writes it.
    pub fn add_review(&mut self, repository: &str, number: u32, user: &str, state: &str, body: &str) {
        let list = self.reviews.entry((repository.to_owned(), number)).or_default();
        list.push(json!({"id": list.len() + 1, "user": {"login": user}, "state": state, "body": body}));
    }

    pub(crate) fn check_runs(&self, sha: &str) -> Vec<Value> {
        self.check_runs.get(sha).cloned().unwrap_or_default()
    }

    pub(crate) fn comments(&self, repository: &str, number: u32) -> Vec<Value> {
        self.comments.get(&(repository.to_owned(), number)).cloned().unwrap_or_default()
    }

    pub(crate) fn reviews(&self, repository: &str, number: u32) -> Vec<Value> {
        self.reviews.get(&(repository.to_owned(), number)).cloned().unwrap_or_default()
    }

    pub(crate) fn create(&mut self, repository: &str, wish: &PullRequest) -> Result<PullRequest, Refusal> {
        if wish.head == wish.base || wish.head.is_empty() || wish.title.is_empty() {
            return Err(Refusal::Empty);
        }
        let list = self.requests.entry(repository.to_owned()).or_default();
        if list.iter().any(|pull| pull.open && pull.head == wish.head && pull.base == wish.base) {
            return Err(Refusal::Exists);
        }
        let number = u32::try_from(list.len()).unwrap_or(u32::MAX - 1) + 1;
        let made = PullRequest { number, open: true, ..wish.clone() };
        list.push(made.clone());
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn wish(head: &str) -> PullRequest {
        let (base, title) = ("main".to_owned(), "t".to_owned());
        PullRequest { number: 0, head: head.to_owned(), base, title, body: String::new(), open: true }
    }

    #[test]
    fn a_branch_has_one_open_pull_request_at_a_time() {
        let mut pulls = Pulls::default();
        assert_eq!(pulls.create("a/b", &wish("x")).unwrap().number, 1);
        assert_eq!(pulls.create("a/b", &wish("x")), Err(Refusal::Exists));
        pulls.get_mut("a/b", 1).unwrap().open = false;
        assert_eq!(pulls.create("a/b", &wish("x")).unwrap().number, 2);
        assert_eq!(pulls.create("a/c", &wish("x")).unwrap().number, 1);
        assert_eq!(pulls.create("a/b", &wish("main")), Err(Refusal::Empty));
    }
}
