//! Opening exactly one pull request, however often it is asked for.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Longest title, in characters: GitHub takes 256, GitLab 255.
pub const MAX_TITLE: usize = 255;

/// Longest body, in characters: GitHub takes 65,536.
pub const MAX_BODY: usize = 65_000;

/// A pull request as it should be (on GitLab: a merge request).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The branch with the work.
    pub head: String,
    /// The branch it is for.
    pub base: String,
    /// One line.
    pub title: String,
    /// Markdown.
    pub body: String,
}

/// A pull request that exists and is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenPullRequest {
    /// As people call it.
    pub number: u32,
    /// Its page.
    pub url: String,
}

/// Something that opens pull requests in one repository of a forge.
pub trait Forge {
    /// The open pull request of a branch of this repository (not of a fork).
    fn find_open(&self, branch: &str) -> Result<Option<OpenPullRequest>, ForgeError>;

    /// Opens one. [`ForgeError::Exists`] if the branch has one already.
    fn create(&self, proposal: &Proposal) -> Result<OpenPullRequest, ForgeError>;

    /// Gives an open one a new title and body.
    fn update(&self, existing: &OpenPullRequest, proposal: &Proposal) -> Result<(), ForgeError>;

    /// Reads something of the repository, by its address below that of the repository in
    /// the forge's interface: `pulls/7`.
    fn get(&self, resource: &str) -> Result<Value, ForgeError>;
}

/// Why a forge did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForgeError {
    /// The branch has an open pull request.
    #[error("the branch has an open pull request already; close it, or let the host update it")]
    Exists,
    /// Not signed in, or without the right.
    #[error("{forge} refused the credentials ({detail}); {remedy}")]
    Refused {
        /// Which forge, by which way.
        forge: String,
        /// What it said.
        detail: String,
        /// What to do.
        remedy: &'static str,
    },
    /// No answer, or one that asks to come back later.
    #[error("{forge} cannot be reached now ({detail}); try again later")]
    Unreachable {
        /// Which forge, by which way.
        forge: String,
        /// What happened.
        detail: String,
    },
    /// It understood and said no.
    #[error("{forge} did not accept the pull request ({detail}); correct that, or open it by hand")]
    Declined {
        /// Which forge, by which way.
        forge: String,
        /// What it said.
        detail: String,
    },
    /// The answer makes no sense.
    #[error("{forge} gave an answer that cannot be read ({detail}); look whether the pull request is there")]
    Unreadable {
        /// Which forge, by which way.
        forge: String,
        /// What is wrong with it.
        detail: String,
    },
}

impl ForgeError {
    /// True if the same may well work a little later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

/// What [`propose`] did.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Proposed {
    pub(crate) pull_request: OpenPullRequest,
    /// What is not as wished; empty if all is.
    pub(crate) note: String,
}

/// Finds the branch's open pull request and updates it, or opens one.
///
/// It looks before it creates and again if creating says that there is one, so
/// a host that was killed in between, or another host, does no harm.
pub(crate) fn propose(forge: &dyn Forge, proposal: &Proposal) -> Result<Proposed, ForgeError> {
    let proposal = bounded(proposal);
    if let Some(existing) = forge.find_open(&proposal.head)? {
        return Ok(update(forge, existing, &proposal));
    }
    match forge.create(&proposal) {
        Ok(pull_request) => Ok(Proposed { pull_request, note: String::new() }),
        Err(ForgeError::Exists) => {
            let existing = forge.find_open(&proposal.head)?.ok_or(ForgeError::Exists)?;
            Ok(update(forge, existing, &proposal))
        }
        Err(error) => Err(error),
    }
}

/// The commits are there; an old title is no reason to call it a failure.
fn update(forge: &dyn Forge, existing: OpenPullRequest, proposal: &Proposal) -> Proposed {
    let note = match forge.update(&existing, proposal) {
        Ok(()) => String::new(),
        Err(error) => format!("The title and text of the pull request are the earlier ones: {error}."),
    };
    Proposed { pull_request: existing, note }
}

fn bounded(proposal: &Proposal) -> Proposal {
    let title: Vec<&str> = proposal.title.split_whitespace().collect();
    Proposal {
        title: cut(&title.join(" "), MAX_TITLE),
        body: cut(&proposal.body, MAX_BODY),
        ..proposal.clone()
    }
}

fn cut(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    text.chars().take(limit - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::cell::RefCell;

    use super::*;

    /// A forge in which somebody else opens a pull request between two calls.
    #[derive(Default)]
    struct Racing {
        open: RefCell<Option<OpenPullRequest>>,
        calls: RefCell<Vec<&'static str>>,
        refuses_updates: bool,
    }

    impl Forge for Racing {
        fn find_open(&self, _: &str) -> Result<Option<OpenPullRequest>, ForgeError> {
            self.calls.borrow_mut().push("find");
            Ok(self.open.borrow().clone())
        }

        fn create(&self, _: &Proposal) -> Result<OpenPullRequest, ForgeError> {
            self.calls.borrow_mut().push("create");
            *self.open.borrow_mut() = Some(OpenPullRequest { number: 7, url: "u".to_owned() });
            Err(ForgeError::Exists)
        }

        fn update(&self, _: &OpenPullRequest, _: &Proposal) -> Result<(), ForgeError> {
            self.calls.borrow_mut().push("update");
            if self.refuses_updates { Err(ForgeError::Exists) } else { Ok(()) }
        }

        fn get(&self, _: &str) -> Result<Value, ForgeError> {
            Ok(Value::Null)
        }
    }

    fn proposal() -> Proposal {
        Proposal { head: "b".into(), base: "main".into(), title: "t".into(), body: String::new() }
    }

    #[test]
    fn one_that_appears_while_creating_is_found_and_updated() {
        let forge = Racing::default();
        let proposed = propose(&forge, &proposal()).unwrap();
        assert_eq!((proposed.pull_request.number, proposed.note.as_str()), (7, ""));
        assert_eq!(*forge.calls.borrow(), ["find", "create", "find", "update"]);
    }

    #[test]
    fn an_update_that_is_refused_is_told_and_is_no_failure() {
        let forge = Racing { refuses_updates: true, ..Racing::default() };
        *forge.open.borrow_mut() = Some(OpenPullRequest { number: 3, url: "u".to_owned() });
        let proposed = propose(&forge, &proposal()).unwrap();
        assert_eq!(proposed.pull_request.number, 3);
        assert!(proposed.note.contains("the earlier ones"), "{}", proposed.note);
    }

    #[test]
    fn texts_at_the_limit_stay_and_one_letter_more_is_cut() {
        for limit in [MAX_TITLE, MAX_BODY] {
            assert_eq!(cut(&"ä".repeat(limit), limit), "ä".repeat(limit));
            let cut = cut(&"ä".repeat(limit + 1), limit);
            assert_eq!(cut.chars().count(), limit);
            assert!(cut.ends_with('…'));
        }
    }

    #[test]
    fn a_title_is_one_line() {
        assert_eq!(bounded(&Proposal { title: " a\n b ".into(), ..proposal() }).title, "a b");
    }
}
