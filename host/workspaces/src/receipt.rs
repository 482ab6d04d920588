//! The host's own record of a workspace, written before and after each step
//! that a crash could cut in two.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::WorkspaceError;
use crate::files;
use crate::object_id::ObjectId;
use crate::order::Workspace;

/// How far the host got with a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    /// Nothing stood in the way; parts of it may exist. No agent was there yet.
    Started,
    /// Complete; an agent may have worked in it.
    Ready,
    /// Proof was given that it may go; parts of it may be gone.
    Removing,
}

/// Kept in the host's state directory, where no agent writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Receipt {
    pub(crate) stage: Stage,
    pub(crate) workspace: Workspace,
    /// With `Stage::Removing`: the branch goes, too, if it is still on this
    /// commit, because everything in it is elsewhere.
    #[serde(default)]
    pub(crate) drop_branch_at: Option<ObjectId>,
    /// For a clone: what the host put on the run's branch last.
    #[serde(default)]
    pub(crate) collected: Option<ObjectId>,
}

const FILE: &str = "receipt.json";

impl Receipt {
    /// The receipt in `desk`, the workspace's directory in the host's state.
    pub(crate) fn read(desk: &Path) -> Result<Option<Self>, WorkspaceError> {
        let path = desk.join(FILE);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(WorkspaceError::io("read", path)(error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|source| WorkspaceError::Receipt { path, source })
    }

    /// The receipt of a complete workspace.
    pub(crate) fn of(workspace: &Workspace, desk: &Path) -> Result<Self, WorkspaceError> {
        let known = |it: &Self| it.stage == Stage::Ready && it.workspace == *workspace;
        Self::read(desk)?
            .filter(known)
            .ok_or_else(|| WorkspaceError::NotOurs { path: workspace.path.clone(), state: desk.to_owned() })
    }

    /// Notes what the run's branch is on because of the host. The caller holds the
    /// desk's lock.
    pub(crate) fn note_collected(
        workspace: &Workspace,
        desk: &Path,
        head: ObjectId,
    ) -> Result<(), WorkspaceError> {
        let receipt = Self::of(workspace, desk)?;
        if receipt.collected == Some(head) {
            return Ok(());
        }
        Self { collected: Some(head), ..receipt }.write(desk)
    }

    /// Writes the receipt durably.
    pub(crate) fn write(&self, desk: &Path) -> Result<(), WorkspaceError> {
        let path = desk.join(FILE);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|source| WorkspaceError::Receipt { path: path.clone(), source })?;
        files::replace(&path, &text)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_damaged_receipt_is_an_error_and_not_an_absent_one() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Receipt::read(folder.path()).unwrap().is_none());
        fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(matches!(Receipt::read(folder.path()), Err(WorkspaceError::Receipt { .. })));
    }
}
