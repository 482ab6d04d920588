//! The git directory of a clone: a repository of the agent's own, inside its folder.
//!
//! It borrows the objects of the user's repository and can write none of them. No
//! hook, template or setting of the user's is in it but a name and an address, and no
//! remote: bringing work anywhere is the host's.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::error::WorkspaceError;
use crate::files;
use crate::object_id::ObjectId;
use crate::order::Workspace;
use crate::private_gitdir::{MAX_EXCLUDE_BYTES, read_regular, shallow_list};
use crate::repository::Repository;

/// A repository with more tags and branches works as well without the rest; each
/// clone has a copy.
const MAX_COPIED_REFS: usize = 10_000;

/// Where a workspace's desk keeps the refs that its clone began with.
const COPIED: &str = "clone-refs";

/// Local branches that a task may speak of by name.
const COMMON_BRANCHES: [&str; 2] = ["refs/heads/main", "refs/heads/master"];

impl Repository {
    /// Makes the clone's git directory in `folder`, with the workspace's branch at
    /// `tip`. No agent has been there; parts of it may exist from before a crash.
    pub(crate) fn make_clone(
        &self,
        workspace: &Workspace,
        folder: &Path,
        desk: &Path,
        tip: ObjectId,
    ) -> Result<(), WorkspaceError> {
        let git_dir = folder.join(".git");
        let branch = format!("refs/heads/{}", workspace.order.branch);
        self.initialise(folder, &branch)?;
        let mut alternates = self.common_dir().join("objects").into_os_string().into_encoded_bytes();
        alternates.push(b'\n');
        files::replace(&git_dir.join("objects/info/alternates"), &alternates)?;
        let exclude = read_regular(&self.common_dir().join("info/exclude"), MAX_EXCLUDE_BYTES)?;
        files::replace(&git_dir.join("info/exclude"), &exclude)?;
        if let Some(list) = shallow_list(self.common_dir())? {
            files::replace(&git_dir.join("shallow"), list.as_bytes())?;
        }
        let mut refs = self.refs_to_copy()?;
        files::replace(&desk.join(COPIED), packed(&refs).as_bytes())?;
        refs.insert(branch.clone(), tip);
        files::replace(&git_dir.join("packed-refs"), packed(&refs).as_bytes())?;
        files::replace(&git_dir.join("HEAD"), format!("ref: {branch}\n").as_bytes())
    }

    fn initialise(&self, folder: &Path, branch: &str) -> Result<(), WorkspaceError> {
        let error = || WorkspaceError::repository("make the agent's repository", folder);
        let mut options = git2::RepositoryInitOptions::new();
        options.external_template(false).mkdir(false).mkpath(false).initial_head(branch);
        let repository = git2::Repository::init_opts(folder, &options).map_err(error())?;
        let mut settings = repository
            .config()
            .and_then(|config| config.open_level(git2::ConfigLevel::Local))
            .map_err(error())?;
        // Nothing may pack the borrowed objects into the clone behind the agent's back.
        settings.set_i32("gc.auto", 0).map_err(error())?;
        settings.set_bool("maintenance.auto", false).map_err(error())?;
        for key in ["user.name", "user.email"] {
            if let Some(value) = self.own_setting(key) {
                settings.set_str(key, &value).map_err(error())?;
            }
        }
        Ok(())
    }

    /// What an agent may compare its work with: tags, branches of remotes, and the
    /// usual local branches.
    fn refs_to_copy(&self) -> Result<BTreeMap<String, ObjectId>, WorkspaceError> {
        let error = || WorkspaceError::repository("list the refs", self.common_dir());
        let repository = self.refs()?;
        let current = self.checkout_refs()?;
        let current = current.find_reference("HEAD").ok();
        let current = current.as_ref().and_then(|head| head.symbolic_target_bytes());
        let mut refs = BTreeMap::new();
        for reference in repository.references().map_err(error())? {
            let reference = reference.map_err(error())?;
            let Ok(name) = std::str::from_utf8(reference.name_bytes()) else { continue };
            let wanted = name.starts_with("refs/tags/")
                || name.starts_with("refs/remotes/")
                || COMMON_BRANCHES.contains(&name)
                || current == Some(name.as_bytes());
            let target = reference.resolve().ok().and_then(|resolved| resolved.target());
            if let Some(target) = target.filter(|_| wanted) {
                refs.insert(name.to_owned(), target.into());
            }
            if refs.len() == MAX_COPIED_REFS {
                tracing::warn!(
                    path = %self.common_dir().display(),
                    "only {MAX_COPIED_REFS} branches and tags are in the clone"
                );
                break;
            }
        }
        Ok(refs)
    }

    /// Commits and tags that the user's repository has, or had when the clone was made.
    pub(crate) fn values_of_refs(&self, desk: &Path) -> Result<BTreeSet<ObjectId>, WorkspaceError> {
        let error = || WorkspaceError::repository("list the refs", self.common_dir());
        let copied = read_regular(&desk.join(COPIED), u64::MAX)?;
        let mut values: BTreeSet<ObjectId> = parse_packed(&copied).into_values().collect();
        for reference in self.refs()?.references().map_err(error())? {
            values.extend(reference.map_err(error())?.target().map(ObjectId::from));
        }
        Ok(values)
    }
}

/// Refs as git packs them into a file.
fn packed(refs: &BTreeMap<String, ObjectId>) -> String {
    let lines = refs.iter().map(|(name, id)| format!("{id} {name}\n"));
    std::iter::once("# pack-refs with: sorted \n".to_owned()).chain(lines).collect()
}

/// Reads a file of packed refs; lines that are none are passed over.
pub(crate) fn parse_packed(content: &[u8]) -> BTreeMap<String, ObjectId> {
    let text = String::from_utf8_lossy(content);
    let lines = text.lines().filter_map(|line| line.split_once(' '));
    lines.filter_map(|(id, name)| Some((name.trim_end().to_owned(), id.parse().ok()?))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn packed_refs_are_read_as_written_and_other_lines_are_passed_over() {
        let id: ObjectId = "0123456789abcdef0123456789abcdef01234567".parse().unwrap();
        let refs = BTreeMap::from([("refs/heads/a".to_owned(), id), ("refs/tags/v1".to_owned(), id)]);
        let text = packed(&refs);
        assert_eq!(parse_packed(text.as_bytes()), refs);
        let odd = format!("{text}^{id}\nzz refs/heads/b\n\u{0}\n");
        assert_eq!(parse_packed(odd.as_bytes()), refs);
    }
}
