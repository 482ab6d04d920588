//! Ignored files of the user's checkout, such as `node_modules`, made visible in
//! a workspace by a link, so that they need not be built again.

use std::io::ErrorKind;
use std::os::unix::fs::symlink;

use crate::error::WorkspaceError;
use crate::exclude::add_line;
use crate::files::{occupied, reached_without_links};
use crate::lock::Lock;
use crate::order::{Isolation, Workspace};
use crate::private_gitdir::PrivateGitDir;
use crate::repository::Repository;

/// What became of a path that was to be linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Linked {
    /// There is a link now.
    Made,
    /// The checkout has no such file or folder.
    NoSource,
    /// Git does not ignore it there, so a link would show up as a change.
    NotIgnored,
    /// The workspace has something there already, perhaps the link.
    Present,
    /// The workspace has no folder to put it in.
    NoFolder,
}

impl Repository {
    /// Links each of `paths` (relative, with `/`) from the checkout into the
    /// workspace, where that is safe, and says what became of it.
    ///
    /// The links are no changes, also where the ignore file says
    /// `node_modules/`, which matches folders only: each path is excluded by
    /// name, for the agent's git, too. Removing the workspace removes the links
    /// and nothing behind them.
    pub fn link_ignored(&self, workspace: &Workspace, paths: &[&str]) -> Result<Vec<Linked>, WorkspaceError> {
        let desk = self.desk_of(workspace)?;
        let workspace = self.reopen(workspace.clone())?;
        let _lock = Lock::acquire(&self.lock_path())?;
        paths
            .iter()
            .map(|path| self.link_one(&workspace, &PrivateGitDir::of(&workspace, &desk), path))
            .collect()
    }

    fn link_one(
        &self,
        workspace: &Workspace,
        private: &PrivateGitDir,
        path: &str,
    ) -> Result<Linked, WorkspaceError> {
        if !is_plain(path) {
            return Err(WorkspaceError::InvalidName {
                what: "path to link",
                name: path.to_owned(),
                rule: "use a relative path of letters, digits, `-`, `_`, `.`, `@` and `+`, without `..` and `.git`",
            });
        }
        let (source, target) = (self.checkout().join(path), workspace.path.join(path));
        if !source.exists() {
            return Ok(Linked::NoSource);
        }
        if !self.ignores(path)? {
            return Ok(Linked::NotIgnored);
        }
        if occupied(&target) {
            return Ok(Linked::Present);
        }
        if !reached_without_links(&target, &workspace.path) {
            return Ok(Linked::NoFolder);
        }
        let line = format!("/{path}");
        self.exclude(&line)?;
        add_line(&private.exclude_file(), &line)?;
        let own = workspace.git_dir.join("info/exclude");
        if workspace.order.isolation == Isolation::Clone && reached_without_links(&own, &workspace.path) {
            add_line(&own, &line)?;
        }
        match symlink(&source, &target) {
            Ok(()) => Ok(Linked::Made),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Linked::Present),
            Err(error) => Err(WorkspaceError::io("link", target)(error)),
        }
    }

    /// Whether git ignores the path in the user's checkout.
    fn ignores(&self, path: &str) -> Result<bool, WorkspaceError> {
        let error = WorkspaceError::repository;
        let repository = self.checkout_refs()?;
        repository
            .set_workdir(self.checkout(), false)
            .map_err(error("read the checkout", self.checkout()))?;
        repository.is_path_ignored(path).map_err(error("read the ignore files", self.checkout()))
    }
}

/// A path that is also an exclude pattern for itself and nothing else.
fn is_plain(path: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@+".contains(&byte);
    path.split('/').all(|part| {
        !part.is_empty()
            && part.bytes().all(known)
            && !matches!(part, "." | "..")
            && !part.eq_ignore_ascii_case(".git")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_that_leave_the_workspace_or_are_patterns_are_not_plain() {
        for bad in
            ["", "/etc", "../x", "a/../b", "a//b", "a/", ".git", "a/.GIT/hooks", "*", "!a", "a b", "#a"]
        {
            assert!(!is_plain(bad), "{bad:?}");
        }
        for good in ["node_modules", "web/node_modules", ".venv", "target"] {
            assert!(is_plain(good), "{good:?}");
        }
    }
}
