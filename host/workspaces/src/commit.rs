//! Making commits in the operator's name, without hooks, filters or signing.

use std::path::Path;

use crate::changes::Inspection;
use crate::error::WorkspaceError;
use crate::files::{self, reached_without_links};
use crate::landing_error::LandingError;
use crate::lock::Lock;
use crate::object_id::ObjectId;
use crate::order::{Isolation, Workspace};
use crate::private_gitdir::Store;
use crate::repository::Repository;
use crate::snapshot::Omitted;

/// Longest first line of a commit message, in characters: tools cut it anyway.
pub const MAX_SUBJECT: usize = 120;

/// Used where the operator's configuration names nobody.
const NOBODY: (&str, &str) = ("Hostler", "hostler@localhost");

/// What is on the run's branch after everything has been committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The commit the branch is on.
    pub head: ObjectId,
    /// The host made it, of work the agent had not committed.
    pub made: bool,
    /// What is in the workspace and cannot be in a commit.
    pub omitted: Vec<Omitted>,
}

impl Repository {
    /// Commits what the workspace holds beyond its branch onto the branch, with
    /// `title` as the message. Does nothing if everything is committed.
    ///
    /// Author is the operator, by `user.name` and `user.email` of the
    /// repository or else of the operator's own configuration. The caller knows
    /// that no agent process works there any more.
    pub fn commit_remaining(&self, workspace: &Workspace, title: &str) -> Result<Committed, LandingError> {
        let inspection = self.inspect(workspace, Store::Repository)?;
        let branch = &workspace.order.branch;
        let tip = inspection.tip.ok_or_else(|| LandingError::BranchGone { branch: branch.clone() })?;
        if !inspection.uncommitted() {
            self.show_to_agent(workspace, &inspection, tip)?;
            return Ok(Committed { head: tip, made: false, omitted: inspection.snapshot.omitted });
        }
        let head = self.new_commit(inspection.snapshot.tree, &[tip], &subject(title))?;
        self.move_branch(branch, tip, head, "commit: remaining work, by the host")?;
        self.show_to_agent(workspace, &inspection, head)?;
        Ok(Committed { head, made: true, omitted: inspection.snapshot.omitted })
    }

    /// A commit of a tree that is in the repository's object store.
    pub(crate) fn new_commit(
        &self,
        tree: ObjectId,
        parents: &[ObjectId],
        message: &str,
    ) -> Result<ObjectId, WorkspaceError> {
        let (name, email) = self.identity()?;
        let make = || -> Result<git2::Oid, git2::Error> {
            let repository = git2::Repository::open_bare(self.common_dir())?;
            let signature = git2::Signature::now(&name, &email)?;
            let tree = repository.find_tree(tree.oid())?;
            let parents: Vec<git2::Commit<'_>> =
                parents.iter().map(|id| repository.find_commit(id.oid())).collect::<Result<_, _>>()?;
            let parents: Vec<&git2::Commit<'_>> = parents.iter().collect();
            repository.commit(None, &signature, &signature, message, &tree, &parents)
        };
        make().map(ObjectId::from).map_err(WorkspaceError::repository("commit", self.common_dir()))
    }

    /// Moves a branch from `old` to `new`, only if it still is on `old`.
    pub(crate) fn move_branch(
        &self,
        branch: &str,
        old: ObjectId,
        new: ObjectId,
        reason: &str,
    ) -> Result<(), LandingError> {
        let _lock = Lock::acquire(&self.lock_path())?;
        let name = format!("refs/heads/{branch}");
        let moved = self.refs()?.reference_matching(&name, new.oid(), true, old.oid(), reason).map(|_| ());
        moved.map_err(|error| match error.code() {
            git2::ErrorCode::Modified | git2::ErrorCode::Locked | git2::ErrorCode::NotFound => {
                LandingError::Moved { branch: branch.to_owned() }
            }
            _ => WorkspaceError::repository("move the branch", self.common_dir())(error).into(),
        })
    }

    /// Who the operator is. A name is only text, so the repository may say it.
    fn identity(&self) -> Result<(String, String), WorkspaceError> {
        Ok((
            self.own_setting("user.name").unwrap_or_else(|| NOBODY.0.to_owned()),
            self.own_setting("user.email").unwrap_or_else(|| NOBODY.1.to_owned()),
        ))
    }

    /// A line of the repository's own configuration, or else of the operator's.
    pub(crate) fn own_setting(&self, key: &str) -> Option<String> {
        let local = self.refs().and_then(|repository| {
            let config = repository.config().and_then(|it| it.open_level(git2::ConfigLevel::Local));
            config.map_err(WorkspaceError::repository("read the configuration", self.common_dir()))
        });
        let own = local.ok().and_then(|config| config.get_string(key).ok());
        own.or_else(|| self.operators_setting(key))
            .map(|text| one_line(&text))
            .filter(|text| !text.is_empty())
    }

    /// Lets the agent's own git see that everything is committed, on `head`. Where the
    /// agent has put links in the way, its index stays as it is.
    fn show_to_agent(
        &self,
        workspace: &Workspace,
        inspection: &Inspection,
        head: ObjectId,
    ) -> Result<(), WorkspaceError> {
        if workspace.order.isolation == Isolation::Clone && !self.advance_clone(workspace, head)? {
            return Ok(());
        }
        let index: &Path = &workspace.git_dir.join("index");
        if reached_without_links(index, workspace.git_top()) {
            files::copy_index(&inspection.private.snapshot_index(), index)?;
        }
        Ok(())
    }
}

/// Signatures end at a line break or angle bracket.
fn one_line(text: &str) -> String {
    text.chars()
        .filter(|letter| !letter.is_control() && !matches!(letter, '<' | '>'))
        .collect::<String>()
        .trim()
        .to_owned()
}

/// A title as the first line of a commit message.
pub(crate) fn subject(title: &str) -> String {
    let words: Vec<&str> = title.split_whitespace().collect();
    let line: String = words.join(" ").chars().filter(|letter| !letter.is_control()).collect();
    match line.char_indices().nth(MAX_SUBJECT) {
        _ if line.is_empty() => "Work of an agent".to_owned(),
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_at_the_limit_stays_and_one_letter_more_is_cut() {
        assert_eq!(subject(&"ä".repeat(MAX_SUBJECT)), "ä".repeat(MAX_SUBJECT));
        assert_eq!(subject(&"ä".repeat(MAX_SUBJECT + 1)), format!("{}…", "ä".repeat(MAX_SUBJECT)));
    }

    #[test]
    fn a_subject_is_one_line_whatever_the_title() {
        assert_eq!(subject(" Fix\nthe\u{7} \t login "), "Fix the login");
        assert_eq!(subject("\n"), "Work of an agent");
        assert_eq!(one_line("Ann\n<ann@x>"), "Annann@x");
    }
}
