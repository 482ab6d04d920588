//! How many files a tree stands for, counted without making a list of them.
//!
//! A few small trees that name each other can stand for billions of files; whoever
//! lists them is out of memory. Here each tree is read once.

use std::collections::HashMap;

use git2::{ObjectType, Oid, Repository};

/// The number of files below a tree, or `u64::MAX` if there are more.
pub(crate) fn count_files(repository: &Repository, tree: Oid) -> Result<u64, git2::Error> {
    let mut counted: HashMap<Oid, u64> = HashMap::new();
    let mut open = vec![tree];
    while let Some(&id) = open.last() {
        if counted.contains_key(&id) {
            open.pop();
            continue;
        }
        let tree = repository.find_tree(id)?;
        let (folders, files): (Vec<_>, Vec<_>) = tree
            .iter()
            .map(|entry| (entry.kind(), entry.id()))
            .partition(|it| it.0 == Some(ObjectType::Tree));
        let before = open.len();
        open.extend(folders.iter().map(|(_, id)| *id).filter(|id| !counted.contains_key(id)));
        if open.len() == before {
            let below = folders.iter().filter_map(|(_, id)| counted.get(id));
            let own = u64::try_from(files.len()).unwrap_or(u64::MAX);
            counted.insert(id, below.fold(own, |sum, files| sum.saturating_add(*files)));
        }
    }
    Ok(counted.get(&tree).copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_in_folders_and_links_are_counted() {
        let place = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(place.path()).unwrap();
        let blob = repository.blob(b"x").unwrap();
        let mut inner = repository.treebuilder(None).unwrap();
        inner.insert("file", blob, 0o100_644).unwrap();
        inner.insert("link", blob, 0o120_000).unwrap();
        let inner = inner.write().unwrap();
        let mut outer = repository.treebuilder(None).unwrap();
        outer.insert("a", inner, 0o040_000).unwrap();
        outer.insert("b", inner, 0o040_000).unwrap();
        outer.insert("file", blob, 0o100_755).unwrap();
        assert_eq!(count_files(&repository, outer.write().unwrap()).unwrap(), 5);
    }

    #[test]
    fn a_bomb_of_trees_is_counted_at_once() {
        let place = tempfile::tempdir().unwrap();
        let repository = Repository::init_bare(place.path()).unwrap();
        let blob = repository.blob(b"x").unwrap();
        let mut builder = repository.treebuilder(None).unwrap();
        builder.insert("file", blob, 0o100_644).unwrap();
        let mut tree = builder.write().unwrap();
        let mut folders = |levels: u32| {
            for _ in 0..levels {
                let mut builder = repository.treebuilder(None).unwrap();
                for name in 0..10 {
                    builder.insert(name.to_string(), tree, 0o040_000).unwrap();
                }
                tree = builder.write().unwrap();
            }
            tree
        };
        assert_eq!(count_files(&repository, folders(12)).unwrap(), 1_000_000_000_000);
        assert_eq!(count_files(&repository, folders(12)).unwrap(), u64::MAX);
    }
}
