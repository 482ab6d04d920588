//! Which repositories may be worked on: by the folder, or by where their work comes
//! from and goes to.

use std::path::PathBuf;

use hostler_engine::rights::path_below;
use url::Url;

use crate::programs::is_plain;

/// A repository as it was found.
#[derive(Clone, Copy, Debug)]
pub struct RepositoryFacts<'a> {
    /// The folders that are worked in and committed to, with every link followed.
    pub paths: &'a [PathBuf],
    /// Every address that work is fetched from or pushed to.
    pub remotes: &'a [String],
}

/// What a rule names; with a `/` at its end it names everything below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum RepositoryRule {
    Folder { path: PathBuf, below: bool },
    Remote { address: Address, below: bool },
}

impl RepositoryRule {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("`{text}` is neither a full path nor a remote address like `https://example.com/team/`")
        };
        let below = text.ends_with('/');
        if text.starts_with('/') {
            let path = PathBuf::from(text);
            return if is_plain(&path) { Ok(Self::Folder { path, below }) } else { Err(wrong()) };
        }
        let address = Address::of(text).filter(Address::climbs_nowhere).ok_or_else(wrong)?;
        Ok(Self::Remote { address, below })
    }

    /// A repository counts only with all of its folders, or all of its remotes: else
    /// work could be done or go elsewhere.
    pub(crate) fn covers(&self, repository: &RepositoryFacts<'_>) -> bool {
        match self {
            Self::Folder { path, below } => {
                let lies_below = |one: &PathBuf| is_plain(one) && one.starts_with(path) && one != path;
                let covered = |one: &PathBuf| if *below { lies_below(one) } else { one == path };
                !repository.paths.is_empty() && repository.paths.iter().all(covered)
            }
            Self::Remote { address, below } => {
                let covered =
                    |remote: &String| Address::of(remote).is_some_and(|one| address.covers(&one, *below));
                !repository.remotes.is_empty() && repository.remotes.iter().all(covered)
            }
        }
    }
}

/// Where a remote is, without the user's name and password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// `https`, `ssh`, `file`, …; `ssh:` for paths that start in the home folder there.
    scheme: String,
    host: String,
    port: Option<u16>,
    path: String,
}

impl Address {
    /// Reads an address in any of the forms that git knows, but for relative paths.
    fn of(text: &str) -> Option<Self> {
        if text.contains("://") {
            return Self::of_url(&Url::parse(text).ok()?);
        }
        if text.starts_with('/') {
            return Some(Self { scheme: "file".into(), host: String::new(), port: None, path: text.into() });
        }
        let (machine, path) = text.split_once(':').filter(|(machine, _)| !machine.contains('/'))?;
        let host = machine.rsplit_once('@').map_or(machine, |(_, host)| host).to_ascii_lowercase();
        let (scheme, path) =
            if path.starts_with('/') { ("ssh", path.to_owned()) } else { ("ssh:", format!("/{path}")) };
        (!host.is_empty()).then(|| Self { scheme: scheme.to_owned(), host, port: None, path })
    }

    fn of_url(url: &Url) -> Option<Self> {
        let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
        if host.is_empty() && url.scheme() != "file" {
            return None;
        }
        let scheme = url.scheme().to_owned();
        Some(Self { scheme, host, port: url.port(), path: url.path().to_owned() })
    }

    fn climbs_nowhere(&self) -> bool {
        path_below("/", &self.path)
    }

    fn covers(&self, other: &Self, below: bool) -> bool {
        let same_place = self.scheme == other.scheme && self.host == other.host && self.port == other.port;
        let covered = if below {
            path_below(&self.path, &other.path) && self.path != other.path
        } else {
            other.climbs_nowhere() && name(&self.path) == name(&other.path)
        };
        same_place && covered
    }
}

/// Forges serve a repository with and without these endings.
fn name(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.strip_suffix(".git").unwrap_or(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn covers(rule: &str, path: &str, remotes: &[&str]) -> bool {
        let remotes: Vec<String> = remotes.iter().map(|&remote| remote.to_owned()).collect();
        let facts = RepositoryFacts { paths: &[PathBuf::from(path)], remotes: &remotes };
        RepositoryRule::parse(rule).unwrap().covers(&facts)
    }

    #[test]
    fn a_folder_is_itself_and_with_a_slash_what_lies_below() {
        assert!(covers("/srv/app", "/srv/app", &[]));
        assert!(!covers("/srv/app", "/srv/app/inner", &[]));
        assert!(covers("/srv/", "/srv/app", &[]) && covers("/srv/", "/srv/team/app", &[]));
        assert!(!covers("/srv/", "/srv", &[]) && !covers("/srv/", "/srv2/app", &[]));
        assert!(!covers("/srv/", "/srv/../home/app", &[]));
    }

    #[test]
    fn a_remote_is_known_in_each_of_its_spellings() {
        for same in [
            "https://github.com/acme/app",
            "https://ada:token@GitHub.com/acme/app.git",
            "https://github.com:443/acme/app/",
        ] {
            assert!(covers("https://github.com/acme/app.git", "/x", &[same]), "{same}");
            assert!(covers("https://github.com/acme/", "/x", &[same]), "{same}");
        }
        assert!(covers("git@github.com:acme/", "/x", &["github.com:acme/app"]));
        assert!(covers("ssh://git@example.com/srv/", "/x", &["example.com:/srv/app.git"]));
        assert!(covers("file:///srv/git/", "/x", &["/srv/git/app.git"]));
    }

    #[test]
    fn another_place_is_not_covered_however_much_it_looks_like_it() {
        for other in [
            "https://github.com/acme-evil/app",
            "https://github.com.evil.test/acme/app",
            "http://github.com/acme/app",
            "https://github.com:8443/acme/app",
            "https://github.com/acme/../other/app",
            "https://github.com/acme/%2e%2e/other/app",
            "git@github.com:acme/app",
            "https://github.com/acme/",
            "../acme/app",
        ] {
            assert!(!covers("https://github.com/acme/", "/x", &[other]), "{other}");
        }
        assert!(!covers("ssh://example.com/srv/", "/x", &["example.com:srv/app"]), "a path in a home folder");
    }

    #[test]
    fn a_repository_with_one_more_remote_elsewhere_is_not_covered() {
        let (inside, outside) = ("https://github.com/acme/app", "https://example.com/app");
        assert!(covers("https://github.com/acme/", "/x", &[inside, inside]));
        assert!(!covers("https://github.com/acme/", "/x", &[inside, outside]));
        assert!(!covers("https://github.com/acme/", "/x", &[]));
    }

    #[test]
    fn a_worktree_of_a_repository_elsewhere_is_not_covered() {
        let rule = RepositoryRule::parse("/srv/").unwrap();
        let covers = |paths: &[&str]| {
            let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
            rule.covers(&RepositoryFacts { paths: &paths, remotes: &[] })
        };
        assert!(covers(&["/srv/tree", "/srv/app"]));
        assert!(!covers(&["/srv/tree", "/home/ada/app"]) && !covers(&[]));
    }

    #[test]
    fn half_a_path_is_no_rule() {
        for wrong in
            ["", "app", "./app", "~/work/", "/srv/../etc/", "https://", "https://example.com/a%2f..%2fb"]
        {
            assert!(RepositoryRule::parse(wrong).is_err(), "{wrong}");
        }
    }
}
