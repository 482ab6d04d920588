//! Taking an agent's commits over from its clone, after it has ended.

use std::path::PathBuf;

use crate::branch;
use crate::clone_refs::ClonedRefs;
use crate::collect_error::CollectError;
use crate::error::WorkspaceError;
use crate::files::{self, reached_without_links};
use crate::import::{Import, LIMITS};
use crate::landing_error::LandingError;
use crate::lock::Lock;
use crate::object_id::ObjectId;
use crate::order::{Isolation, Workspace};
use crate::prepare::branch_target;
use crate::private_gitdir::PrivateGitDir;
use crate::receipt::Receipt;
use crate::remove::{Doubt, unproven};
use crate::repository::Repository;
use crate::untrusted::UntrustedFolder;

/// What has been taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collected {
    /// The commit the run's branch is on; `None` if it is gone.
    pub head: Option<ObjectId>,
    /// Objects that were new to the repository.
    pub imported: usize,
    /// A sentence for a person, if the commits are not on the run's branch.
    pub note: Option<String>,
}

/// What is known when it is decided where an agent's last commit goes.
#[derive(Debug, Clone)]
struct Facts {
    /// What the agent's `HEAD` is on.
    tip: ObjectId,
    /// What the host put on the branch last, or the start.
    known: ObjectId,
    /// What the branch is on now.
    there: Option<ObjectId>,
    /// The start is in the history of `tip`.
    descends: bool,
    /// `tip` is in the history of the start.
    is_before: bool,
    /// What the branch is on is in the history of `tip`.
    contains_there: bool,
    /// Where a person has the branch checked out.
    checked_out: Option<PathBuf>,
}

/// Where an agent's last commit goes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// It is there already, or older than all work.
    Nowhere,
    /// On the run's branch, which is on this commit.
    Branch(ObjectId),
    /// On a ref beside it.
    Beside(Why),
}

/// Why a commit does not go on the run's branch.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Why {
    OtherHistory,
    Moved,
    CheckedOut(PathBuf),
}

impl Facts {
    fn place(&self) -> Place {
        let moved = self.there != Some(self.known) && !self.contains_there;
        match (self.there, &self.checked_out) {
            (Some(there), _) if self.tip == there => Place::Nowhere,
            _ if self.tip == self.known || self.is_before => Place::Nowhere,
            _ if !self.descends => Place::Beside(Why::OtherHistory),
            (None, _) => Place::Beside(Why::Moved),
            _ if moved => Place::Beside(Why::Moved),
            (_, Some(path)) => Place::Beside(Why::CheckedOut(path.clone())),
            (Some(there), None) => Place::Branch(there),
        }
    }
}

impl Repository {
    /// Takes over what the agent committed in its clone: brings the commits into the
    /// repository, strictly checked, and moves the run's branch to them. What does not
    /// descend from the start, or meets a branch that somebody else moved, is kept as
    /// `refs/hostler/<run>/left-behind`. In a worktree there is nothing to take over.
    ///
    /// Doing it again, also after a crash at any step, gives the same. The caller
    /// knows that no agent process works in the workspace any more. No program is
    /// started in the clone, and nothing in it is believed.
    pub fn collect(&self, workspace: &Workspace) -> Result<Collected, CollectError> {
        let branch = &workspace.order.branch;
        let untouched =
            || Ok(Collected { head: branch_target(&self.refs()?, branch)?, imported: 0, note: None });
        if workspace.order.isolation == Isolation::Worktree {
            return untouched();
        }
        let desk = self.desk_of(workspace)?;
        self.reopen(workspace.clone())?;
        let _lock = Lock::acquire(&desk.join("lock"))?;
        let Some(tip) = ClonedRefs::of(workspace)?.head()? else { return untouched() };
        let known = Receipt::of(workspace, &desk)?.collected.unwrap_or(workspace.order.start);
        let imported = if tip == known { 0 } else { self.import(workspace, tip, known)? };
        let facts = self.facts(workspace, tip, known)?;
        let note = match facts.place() {
            Place::Nowhere => None,
            Place::Branch(there) => {
                match self.move_branch(branch, there, tip, "taken over from the agent's clone") {
                    Ok(()) => None,
                    Err(LandingError::Workspace(error)) => return Err(error.into()),
                    // Somebody was faster.
                    Err(_) => Some(self.keep_beside(workspace, tip, &Why::Moved)?),
                }
            }
            Place::Beside(why) => Some(self.keep_beside(workspace, tip, &why)?),
        };
        let head = branch_target(&self.refs()?, branch)?;
        if head == Some(tip) {
            Receipt::note_collected(workspace, &desk, tip)?;
        }
        Ok(Collected { head, imported, note })
    }

    fn import(&self, workspace: &Workspace, tip: ObjectId, known: ObjectId) -> Result<usize, CollectError> {
        let private = PrivateGitDir::of(workspace, &self.desk_of(workspace)?);
        let import = Import { limits: LIMITS, repository: self, workspace, private: &private };
        import.bring(&UntrustedFolder::open(&workspace.git_dir)?, tip, &[known, workspace.order.start])
    }

    fn facts(&self, workspace: &Workspace, tip: ObjectId, known: ObjectId) -> Result<Facts, WorkspaceError> {
        let (start, branch) = (workspace.order.start, &workspace.order.branch);
        let there = branch_target(&self.refs()?, branch)?;
        Ok(Facts {
            tip,
            known,
            there,
            descends: self.is_ancestor(workspace, start, tip)?,
            is_before: tip != start && self.is_ancestor(workspace, tip, start)?,
            contains_there: there.map_or(Ok(false), |there| self.is_ancestor(workspace, there, tip))?,
            checked_out: self.checked_out(branch),
        })
    }

    /// Keeps a commit on a ref of the run's; gives back the sentence about it.
    fn keep_beside(&self, workspace: &Workspace, tip: ObjectId, why: &Why) -> Result<String, WorkspaceError> {
        let _lock = Lock::acquire(&self.lock_path())?;
        let repository = self.refs()?;
        let run = branch::valid(&workspace.order.run).replace('/', "-");
        let base = format!("refs/hostler/{run}/left-behind");
        let (mut name, mut number) = (base.clone(), 2_u64);
        loop {
            match repository.find_reference(&name) {
                Ok(reference) if reference.target() == Some(tip.oid()) => break,
                Ok(_) => name = format!("{base}-{number}"),
                Err(_) => {
                    repository
                        .reference(&name, tip.oid(), false, "left behind by the agent")
                        .map_err(WorkspaceError::repository("keep the work", self.common_dir()))?;
                    break;
                }
            }
            number += 1;
        }
        let branch = &workspace.order.branch;
        Ok(match why {
            Why::OtherHistory => format!(
                "The agent's last commit does not descend from where it started, so it is kept as `{name}` and `{branch}` stays where it was."
            ),
            Why::Moved => format!(
                "The branch `{branch}` was moved or deleted by somebody else, so the agent's commits are kept as `{name}`."
            ),
            Why::CheckedOut(path) => format!(
                "The branch `{branch}` is checked out in {}, so the agent's commits are kept as `{name}`; merge them there.",
                path.display()
            ),
        })
    }

    /// Whether everything that is committed in the clone is in the repository: in the
    /// run's branch, which is on `tip`, or what the clone began with.
    pub(crate) fn check_collected(&self, workspace: &Workspace, tip: ObjectId) -> Result<(), Doubt> {
        let odd = |error: CollectError| match error {
            CollectError::Workspace(error) => Doubt::Failed(error),
            error => unproven(error.to_string()),
        };
        let refs = ClonedRefs::of(workspace).map_err(odd)?;
        let head = refs.head().map_err(odd)?.map(|id| ("HEAD".to_owned(), id));
        let safe = self.values_of_refs(&self.desk_of(workspace)?)?;
        let repository = self.refs()?;
        for (name, id) in refs.all().map_err(odd)?.into_iter().chain(head) {
            let taken_over = || match repository.find_commit(id.oid()) {
                Ok(_) => self.is_ancestor(workspace, id, tip),
                Err(_) => Ok(false),
            };
            if !safe.contains(&id) && !taken_over()? {
                return Err(unproven(format!("`{name}` in its clone has commits that are nowhere else")));
            }
        }
        Ok(())
    }

    /// Lets the clone go on from where the host has brought the run's branch. If there
    /// is anything in the clone that this would take from view, it stays as it is.
    pub(crate) fn advance_clone(
        &self,
        workspace: &Workspace,
        head: ObjectId,
    ) -> Result<bool, WorkspaceError> {
        let desk = self.desk_of(workspace)?;
        if self.check_collected(workspace, head).is_err() {
            return Ok(false);
        }
        let branch = format!("refs/heads/{}", workspace.order.branch);
        for (file, content) in
            [(branch.clone(), head.to_string()), ("HEAD".to_owned(), format!("ref: {branch}"))]
        {
            let path = workspace.git_dir.join(file);
            let parents: Vec<_> =
                path.ancestors().skip(1).take_while(|it| *it != workspace.git_dir).collect();
            for folder in parents.into_iter().rev() {
                files::ensure_real_dir(folder)?;
            }
            if !reached_without_links(&path, &workspace.path) {
                return Ok(false);
            }
            files::replace(&path, format!("{content}\n").as_bytes())?;
        }
        Receipt::note_collected(workspace, &desk, head)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn id(digit: char) -> ObjectId {
        digit.to_string().repeat(40).parse().unwrap()
    }

    /// Work on top of the branch, which is where the host left it.
    fn facts() -> Facts {
        Facts {
            tip: id('b'),
            known: id('a'),
            there: Some(id('a')),
            descends: true,
            is_before: false,
            contains_there: true,
            checked_out: None,
        }
    }

    #[test]
    fn new_commits_and_rewritten_ones_go_on_the_branch() {
        assert_eq!(facts().place(), Place::Branch(id('a')));
        assert_eq!(Facts { contains_there: false, ..facts() }.place(), Place::Branch(id('a')));
    }

    #[test]
    fn what_is_there_already_or_older_than_the_start_moves_nothing() {
        for nothing in [
            Facts { there: Some(id('b')), ..facts() },
            Facts { tip: id('a'), ..facts() },
            Facts { tip: id('a'), there: Some(id('c')), contains_there: false, ..facts() },
            Facts { is_before: true, descends: false, contains_there: false, ..facts() },
        ] {
            assert_eq!(nothing.place(), Place::Nowhere, "{nothing:?}");
        }
    }

    #[test]
    fn a_branch_of_somebody_elses_is_moved_forward_only() {
        let ahead = Facts { there: Some(id('c')), ..facts() };
        assert_eq!(ahead.place(), Place::Branch(id('c')));
        let aside = Facts { contains_there: false, ..ahead };
        assert_eq!(aside.place(), Place::Beside(Why::Moved));
        assert_eq!(Facts { there: None, ..aside }.place(), Place::Beside(Why::Moved));
        let checked_out = Facts { checked_out: Some("x".into()), ..facts() };
        assert_eq!(checked_out.place(), Place::Beside(Why::CheckedOut("x".into())));
        let foreign = Facts { descends: false, contains_there: false, ..facts() };
        assert_eq!(foreign.place(), Place::Beside(Why::OtherHistory));
    }
}
