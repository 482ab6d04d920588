//! What came back from a pull request: whether it is open, its checks, and what was said.
//! Only reads.

mod github;
mod gitlab;

use hostler_engine::follow_up::{FollowUp, Seen};
use serde_json::Value;

use crate::forge::{Forge, ForgeError};
use crate::forge_repository::{ForgeKind, ForgeRepository};
use crate::landing::Means;
use crate::order::Workspace;
use crate::remote_error::RemoteError;
use crate::repository::Repository;

/// Items on a page: comments of GitHub repeat the lines they are about, and a page of
/// more would be megabytes.
const PER_PAGE: usize = 50;

/// Pages of one list that are read at most: a look is repeated every minute.
pub const MAX_PAGES: usize = 20;

/// Why nothing could be seen of a pull request.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// Its remote is not known any more.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The forge did not answer as it should.
    #[error(transparent)]
    Forge(#[from] ForgeError),
    /// Nothing may ask the forge.
    #[error(
        "nothing may ask {0} about pull requests; sign in with `gh auth login`, or grant the host a token"
    )]
    NoMeans(String),
}

impl Repository {
    /// Looks at a pull request of the remote that a workspace was pushed to. `wanted` says
    /// what is read besides whether it is open and which commit it is on.
    ///
    /// The workspace's folder may be gone; its record must not be.
    pub fn look_at(
        &self,
        workspace: &Workspace,
        remote: &str,
        number: u32,
        wanted: FollowUp,
        means: &Means<'_>,
    ) -> Result<Seen, LookError> {
        let desk = self.desk_of(workspace).map_err(RemoteError::from)?;
        let noted = self.noted_remote(&desk, remote)?;
        let url = noted.for_push();
        let forge = ForgeRepository::of(url, means.hosts).ok_or(LookError::NoMeans(url.to_string()))?;
        let seen = self.by_any_means(&forge, means, |client| match forge.kind {
            ForgeKind::GitHub => github::look(client, number, wanted),
            ForgeKind::GitLab => gitlab::look(client, number, wanted),
        })?;
        seen.ok_or(LookError::NoMeans(forge.authority))
    }
}

/// All items of a list, page by page. `inside` is the field that holds the list where the
/// answer is not the list itself.
fn all(forge: &dyn Forge, resource: &str, inside: Option<&str>) -> Result<Vec<Value>, ForgeError> {
    let mut items = Vec::new();
    let mark = if resource.contains('?') { '&' } else { '?' };
    for page in 1..=MAX_PAGES {
        let mut answer = forge.get(&format!("{resource}{mark}per_page={PER_PAGE}&page={page}"))?;
        let list = match inside {
            Some(field) => answer[field].take(),
            None => answer.take(),
        };
        let Value::Array(list) = list else { return Err(unreadable(resource, "it is no list")) };
        let is_last = list.len() < PER_PAGE;
        items.extend(list);
        if is_last {
            break;
        }
    }
    Ok(items)
}

fn unreadable(resource: &str, detail: &str) -> ForgeError {
    ForgeError::Unreadable { forge: "the forge".to_owned(), detail: format!("{resource}: {detail}") }
}

/// A text that must be there.
fn needed(value: &Value, pointer: &str) -> Result<String, ForgeError> {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| unreadable(pointer, "it is missing in the pull request"))
}

/// A text that may be missing.
fn text(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// An id with what it is of.
fn id(of: &str, value: &Value) -> String {
    format!("{of}-{}", value["id"])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::forge::{OpenPullRequest, Proposal};

    /// Answers from a table of addresses, without their pages.
    #[derive(Default)]
    pub(super) struct Table {
        pub(super) answers: BTreeMap<&'static str, Value>,
        pub(super) asked: RefCell<Vec<String>>,
    }

    impl Forge for Table {
        fn find_open(&self, _: &str) -> Result<Option<OpenPullRequest>, ForgeError> {
            Ok(None)
        }

        fn create(&self, _: &Proposal) -> Result<OpenPullRequest, ForgeError> {
            Err(ForgeError::Exists)
        }

        fn update(&self, _: &OpenPullRequest, _: &Proposal) -> Result<(), ForgeError> {
            Err(ForgeError::Exists)
        }

        fn get(&self, resource: &str) -> Result<Value, ForgeError> {
            self.asked.borrow_mut().push(resource.to_owned());
            let plain = resource.split('?').next().unwrap_or_default();
            let refused = || ForgeError::Refused {
                forge: "f".to_owned(),
                detail: "status 404".to_owned(),
                remedy: "none",
            };
            self.answers.get(plain).cloned().ok_or_else(refused)
        }
    }

    #[test]
    fn a_list_is_read_to_its_end_or_to_the_last_page_that_is_read() {
        let full = json!(vec![1; PER_PAGE]);
        let table = Table { answers: [("full", full), ("short", json!([1]))].into(), ..Table::default() };
        assert_eq!(all(&table, "short", None).unwrap().len(), 1);
        assert_eq!(all(&table, "full", None).unwrap().len(), PER_PAGE * MAX_PAGES);
        let asked = table.asked.borrow();
        assert_eq!((asked.len(), asked[0].as_str()), (1 + MAX_PAGES, "short?per_page=50&page=1"));
        assert!(asked.last().unwrap().ends_with(&format!("&page={MAX_PAGES}")));
    }

    #[test]
    fn what_is_no_list_is_an_error_and_not_an_empty_one() {
        let table = Table { answers: [("x", json!({"message": "hm"}))].into(), ..Table::default() };
        assert!(matches!(all(&table, "x", None), Err(ForgeError::Unreadable { .. })));
        assert!(matches!(all(&table, "x", Some("list")), Err(ForgeError::Unreadable { .. })));
    }
}
