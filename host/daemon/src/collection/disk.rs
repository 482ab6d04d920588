//! What takes how much space: `host disk`.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use hostler_workspaces::known_workspaces;
use serde::Serialize;

use crate::failure::Failure;
use crate::home::Home;

/// Bytes of one block in the count of the system, whatever the file system uses.
const BLOCK: u64 = 512;

/// What takes how much space, in bytes on the disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// Worktrees, by repository.
    pub repositories: Vec<RepositoryUse>,
    /// Output, events, prompts and patches of all runs.
    pub logs: Use,
    /// The journal with its write-ahead log and its copy.
    pub journal: Use,
    /// The audit log.
    pub audit: Use,
    /// What git needs to look into worktrees without believing them.
    pub private_git: Use,
    /// Plugins kept for runs that began with them.
    pub plugins: Use,
    /// Native code of plugins.
    pub native_code: Use,
    /// All of it.
    pub total: u64,
}

/// How much of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Use {
    /// Where.
    pub path: PathBuf,
    /// How many things.
    pub count: u64,
    /// Bytes on the disk.
    pub bytes: u64,
}

/// The worktrees of one repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RepositoryUse {
    /// Its shared git directory.
    pub git_dir: PathBuf,
    /// How many there are.
    pub worktrees: u64,
    /// Bytes on the disk.
    pub bytes: u64,
}

/// Looks at everything that this host made. Blocks; takes as long as counting the
/// files takes.
pub fn measure(home: &Home) -> Result<Disk, Failure> {
    let workspaces = home.workspaces();
    let mut repositories: BTreeMap<PathBuf, RepositoryUse> = BTreeMap::new();
    for workspace in known_workspaces(&workspaces)?.into_iter().filter_map(|known| known.workspace.ok()) {
        if !workspace.path.exists() {
            continue;
        }
        let entry = repositories.entry(workspace.common_dir.clone()).or_insert_with(|| RepositoryUse {
            git_dir: workspace.common_dir.clone(),
            worktrees: 0,
            bytes: 0,
        });
        entry.worktrees += 1;
        entry.bytes += size(&workspace.path);
    }
    let mut disk = Disk {
        repositories: repositories.into_values().collect(),
        logs: folder(home.runs()),
        journal: journal(home),
        audit: folder(home.audit()),
        private_git: folder(workspaces),
        plugins: folder(home.plugin_store()),
        native_code: folder(home.native_code()),
        total: 0,
    };
    let parts = [&disk.logs, &disk.journal, &disk.audit, &disk.private_git, &disk.plugins, &disk.native_code];
    disk.total = parts.iter().map(|part| part.bytes).sum::<u64>()
        + disk.repositories.iter().map(|repository| repository.bytes).sum::<u64>();
    Ok(disk)
}

fn folder(path: PathBuf) -> Use {
    let count = fs::read_dir(&path).map_or(0, |entries| entries.count() as u64);
    Use { count, bytes: size(&path), path }
}

/// The file, what the database keeps beside it, and copies of it.
fn journal(home: &Home) -> Use {
    let path = home.journal();
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let beside = fs::read_dir(&home.state).into_iter().flatten().filter_map(Result::ok);
    let files: Vec<PathBuf> = beside
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&name))
        .map(|entry| entry.path())
        .collect();
    Use { count: files.len() as u64, bytes: files.iter().map(|file| size(file)).sum(), path }
}

/// Bytes on the disk of a file, or of a folder with all that is below it, however deep an
/// agent made it. Links are not followed; what cannot be looked at counts as nothing.
pub fn size(path: &Path) -> u64 {
    let (mut bytes, mut open) = (0, vec![path.to_owned()]);
    while let Some(path) = open.pop() {
        let Ok(found) = fs::symlink_metadata(&path) else { continue };
        bytes += found.blocks() * BLOCK;
        if found.is_dir() {
            let below = fs::read_dir(path).into_iter().flatten().filter_map(Result::ok);
            open.extend(below.map(|entry| entry.path()));
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_folder_counts_with_all_below_it_and_a_link_only_itself() {
        let place = tempfile::tempdir().unwrap();
        let (folder, file) = (place.path().join("a/b"), place.path().join("a/b/file"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(&file, vec![1; 100_000]).unwrap();
        assert!(size(place.path()) >= 100_000);
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(place.path(), elsewhere.path().join("link")).unwrap();
        assert!(size(elsewhere.path()) < 100_000);
        assert_eq!(size(&place.path().join("not there")), 0);
    }

    /// Enough for this, and not for a frame per folder.
    const STACK: usize = 64 * 1024;

    #[test]
    fn folders_that_lie_deep_in_one_another_take_no_stack() {
        let place = tempfile::tempdir().unwrap();
        let deepest = (0..500).fold(place.path().to_owned(), |path, _| path.join("d"));
        fs::create_dir_all(&deepest).unwrap();
        fs::write(deepest.join("file"), vec![1; 100_000]).unwrap();
        let top = place.path().to_owned();
        let thread = std::thread::Builder::new().stack_size(STACK);
        assert!(thread.spawn(move || size(&top)).unwrap().join().unwrap() >= 100_000);
    }
}
