//! Under which names an agent finds what is shown to it. People name places over links,
//! such as `current` for the newest version of a tool, and not every link of the real
//! disk is one in the agent's view.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::places::Shown;

/// Where an agent sees the real disk, and where something private stands before it.
pub(super) struct Ground<'a> {
    /// Folders that something private takes the place of.
    pub private: &'a [&'a Path],
    /// Places that are seen all the same, as they really are.
    pub writable: &'a [PathBuf],
}

impl Ground<'_> {
    /// Where the agent sees what is wanted, which names each place as people do: the place
    /// itself, if something private would cover it, and its name, if a link on the way is
    /// missing in the view. No link is left on the way to any of them.
    pub(super) fn shown(&self, wanted: &[Shown]) -> Vec<Shown> {
        let itself = |shown: &Shown| Shown { at: shown.source.clone(), ..shown.clone() };
        let mut all: Vec<_> =
            wanted.iter().filter(|shown| self.is_covered(&shown.source)).map(itself).collect();
        let real: Vec<_> = all.iter().map(|shown| shown.source.as_path()).collect();
        let real: Vec<_> = real.into_iter().chain(self.writable.iter().map(PathBuf::as_path)).collect();
        let by_name = |shown: &Shown| Some(Shown { at: self.spelled(&shown.at, &real)?, ..shown.clone() });
        let mut names: Vec<_> = wanted.iter().filter_map(by_name).collect();
        names.sort_by_key(|name| name.at.components().count());
        let mut kept: Vec<Shown> = Vec::new();
        for name in names {
            // With the folder above it come the links in that.
            if !kept.iter().any(|above| name.at.starts_with(&above.at) && name.at != above.at) {
                kept.push(name);
            }
        }
        all.extend(kept);
        all
    }

    /// Whether something private stands before it.
    fn is_covered(&self, path: &Path) -> bool {
        self.private.iter().any(|above| path.starts_with(above) && path != *above)
    }

    /// Whether the agent sees what is really in a folder: what counts is the deepest place
    /// that is said to be anything.
    fn is_seen(&self, folder: &Path, real: &[&Path]) -> bool {
        let deepest = |places: &[&Path]| {
            let above = places.iter().filter(|place| folder.starts_with(place));
            above.map(|place| place.components().count()).max()
        };
        deepest(real) >= deepest(self.private)
    }

    /// The name, with those links followed that the agent follows too; `None` if they lead
    /// to the place itself.
    fn spelled(&self, name: &Path, real: &[&Path]) -> Option<PathBuf> {
        let mut at = PathBuf::from("/");
        let mut rest = parts(name);
        while let Some(part) = rest.pop() {
            if part == ".." {
                at.pop();
                continue;
            }
            let next = at.join(&part);
            match fs::read_link(&next) {
                Err(_) => at = next,
                Ok(target) if self.is_seen(&at, real) => {
                    if target.is_absolute() {
                        at = PathBuf::from("/");
                    }
                    rest.extend(parts(&target));
                }
                Ok(_) if rest.iter().any(|part| part == "..") => return None,
                Ok(_) => return Some(rest.iter().rev().fold(next, |at, part| at.join(part))),
            }
        }
        None
    }
}

/// What a path is made of, the last first.
fn parts(path: &Path) -> Vec<OsString> {
    let part = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsStr::new("..").to_owned()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().rev().filter_map(part).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::symlink;

    use super::*;
    use crate::sandbox::Access;

    /// A home in which `.tool/current` leads to the newest of two versions, and `.other`
    /// out of the home, where `current` does the same.
    fn machine() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        for versions in ["home/.tool", "data/other"] {
            fs::create_dir_all(root.join(versions).join("2/bin")).unwrap();
            symlink("2", root.join(versions).join("current")).unwrap();
        }
        symlink("../data/other", root.join("home/.other")).unwrap();
        symlink(root.join("home/.tool"), root.join("data/tool")).unwrap();
        (folder, root)
    }

    /// Where these, below the root, are seen in a home of one's own.
    fn seen(root: &Path, writable: &[PathBuf], wanted: &[&str]) -> Vec<String> {
        let name = |path: &&str| Shown {
            source: fs::canonicalize(root.join(path)).unwrap(),
            at: root.join(path),
            access: Access::Read,
        };
        let wanted: Vec<_> = wanted.iter().map(name).collect();
        let home = root.join("home");
        let shown = Ground { private: &[&home], writable }.shown(&wanted);
        let below = |path: &Path| path.strip_prefix(root).unwrap().display().to_string();
        shown.iter().map(|shown| format!("{}={}", below(&shown.at), below(&shown.source))).collect()
    }

    #[test]
    fn a_link_in_something_that_is_shown_is_one_for_the_agent_too() {
        let (_folder, root) = machine();
        let shown = ["home/.tool=home/.tool", "home/.tool/2/bin=home/.tool/2/bin"];
        assert_eq!(seen(&root, &[], &["home/.tool", "home/.tool/current/bin"]), shown);
        assert_eq!(seen(&root, &[], &["home/.tool/current/bin", "home/.tool"]), [shown[1], shown[0]]);
        assert_eq!(seen(&root, &[], &["home/.tool", "home/.tool/../.tool/current/bin"]), shown);
        let writable = [root.join("home/.tool")];
        assert_eq!(seen(&root, &writable, &["home/.tool/current/bin"]), shown[1..]);
    }

    #[test]
    fn a_link_that_the_agent_does_not_see_is_a_folder_with_its_name() {
        let (_folder, root) = machine();
        assert_eq!(seen(&root, &[], &["home/.other"]), ["home/.other=data/other"]);
        assert_eq!(
            seen(&root, &[], &["home/.tool/current/bin"]),
            ["home/.tool/2/bin=home/.tool/2/bin", "home/.tool/current/bin=home/.tool/2/bin"]
        );
        assert_eq!(
            seen(&root, std::slice::from_ref(&root), &["home/.tool/current/bin"]).len(),
            2,
            "what may be written above does not show what is private below"
        );
    }

    #[test]
    fn below_a_name_that_stands_for_a_folder_the_links_are_those_of_the_folder() {
        let (_folder, root) = machine();
        let wanted = ["home/.other/current/bin", "home/.other"];
        assert_eq!(seen(&root, &[], &wanted), ["home/.other=data/other"]);
        assert_eq!(seen(&root, &[], &wanted[..1]), ["home/.other/current/bin=data/other/2/bin"]);
    }

    #[test]
    fn a_link_that_leads_into_the_home_shows_what_it_leads_to_and_others_need_nothing() {
        let (_folder, root) = machine();
        assert_eq!(
            seen(&root, &[], &["data/tool/current/bin"]),
            ["home/.tool/2/bin=home/.tool/2/bin", "home/.tool/current/bin=home/.tool/2/bin"]
        );
        assert_eq!(seen(&root, &[], &["data/other/current/bin"]), [""; 0]);
    }
}
