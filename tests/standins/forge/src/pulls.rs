//! What the forge knows besides the repositories: a state machine without I/O.

use std::collections::{BTreeMap, BTreeSet};

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
    /// Closed because its work is in its base.
    pub merged: bool,
}

/// The account with which all pull requests are opened here.
pub const OPENED_BY: &str = "host-account";

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
    conversations: BTreeMap<(String, u32), Vec<Value>>,
    reviews: BTreeMap<(String, u32), Vec<Value>>,
    members: BTreeSet<String>,
    made: u64,
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

    /// Lets an account write to the repositories.
    pub fn add_member(&mut self, user: &str) {
        self.members.insert(user.to_owned());
    }

    /// Adds a check run of a commit, or runs the one of this name again: it gets another
    /// id then.
    pub fn add_check_run(&mut self, sha: &str, name: &str, status: &str, conclusion: Option<&str>) {
        let id = self.next_id();
        let run = json!({
            "id": id, "name": name, "status": status, "conclusion": conclusion, "head_sha": sha,
            "html_url": format!("https://checks.example/{id}"),
            "output": {"title": format!("{name}: {}", conclusion.unwrap_or(status)), "summary": null, "text": null}
        });
        let runs = self.check_runs.entry(sha.to_owned()).or_default();
        runs.retain(|earlier| earlier["name"] != name);
        runs.push(run);
    }

    /// Adds a comment on a line of a pull request.
    pub fn add_comment(&mut self, repository: &str, number: u32, user: &str, body: &str) {
        let mut said = self.said(user, body);
        said["path"] = json!("hello.txt");
        said["line"] = json!(1);
        self.comments.entry((repository.to_owned(), number)).or_default().push(said);
    }

    /// Adds a comment to the conversation of a pull request.
    pub fn add_to_conversation(&mut self, repository: &str, number: u32, user: &str, body: &str) {
        let said = self.said(user, body);
        self.conversations.entry((repository.to_owned(), number)).or_default().push(said);
    }

    /// Adds a review of a pull request; `state` as GitHub writes it.
    pub fn add_review(&mut self, repository: &str, number: u32, user: &str, state: &str, body: &str) {
        let mut said = self.said(user, body);
        said["state"] = json!(state);
        self.reviews.entry((repository.to_owned(), number)).or_default().push(said);
    }

    fn said(&mut self, user: &str, body: &str) -> Value {
        let association = if self.members.contains(user) { "MEMBER" } else { "NONE" };
        let kind = if user.ends_with("[bot]") { "Bot" } else { "User" };
        json!({
            "id": self.next_id(), "user": {"login": user, "type": kind}, "author_association": association,
            "body": body
        })
    }

    fn next_id(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    pub(crate) fn check_runs(&self, sha: &str) -> Vec<Value> {
        self.check_runs.get(sha).cloned().unwrap_or_default()
    }

    pub(crate) fn comments(&self, repository: &str, number: u32) -> Vec<Value> {
        self.comments.get(&(repository.to_owned(), number)).cloned().unwrap_or_default()
    }

    pub(crate) fn conversation(&self, repository: &str, number: u32) -> Vec<Value> {
        self.conversations.get(&(repository.to_owned(), number)).cloned().unwrap_or_default()
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
        let (head, body) = (head.to_owned(), String::new());
        PullRequest { number: 0, head, base, title, body, open: true, merged: false }
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

    #[test]
    fn a_check_that_runs_again_takes_the_place_of_the_one_before() {
        let mut pulls = Pulls::default();
        pulls.add_check_run("sha", "build", "completed", Some("failure"));
        pulls.add_check_run("sha", "build", "in_progress", None);
        let [run] = &pulls.check_runs("sha")[..] else { panic!("not one") };
        assert_eq!((run["id"].as_u64(), run["status"].as_str()), (Some(2), Some("in_progress")));
    }
}
