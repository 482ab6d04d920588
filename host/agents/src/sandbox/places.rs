//! The places that walls name, as they really are on the disk: every path without
//! a symbolic link in it, and everything that has to be there.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Component, Path, PathBuf};

use hostler_engine::sandbox::Tier;

use super::spelling::Ground;
use super::{Access, HomePath, Network, Sandbox, Walls, WallsError};

/// Where everybody's temporary files lie.
const TEMPORARY: &str = "/tmp";

/// Where services keep their sockets; mostly two names of one folder.
const RUN: [&str; 2] = ["/run", "/var/run"];

/// Where names are looked up; on many machines a link into `/run`.
const RESOLVER: &str = "/etc/resolv.conf";

/// What the walls of one attempt are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Places {
    pub tier: Tier,
    pub writable: Vec<PathBuf>,
    /// Inside of writable ones, and reached from there without a link.
    pub read_only: Vec<PathBuf>,
    pub hidden: Vec<PathBuf>,
    /// The machine's folder for temporary files, and the one that takes its place.
    pub temporary: (PathBuf, PathBuf),
    /// What of the home appears where something else has taken its place.
    pub shown: Vec<Shown>,
    /// In `contained` only.
    pub contained: Option<Contained>,
    /// As it was asked for.
    pub nests: bool,
}

/// A real place, and where the agent sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    pub source: PathBuf,
    pub at: PathBuf,
    pub access: Access,
}

/// What only a contained agent has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Contained {
    /// The home, and the folder that takes its place.
    pub home: (PathBuf, PathBuf),
    /// `/run`, under all its names: sockets of the machine's services lie there.
    pub run: Vec<PathBuf>,
    /// What of `/run` is needed to look up names.
    pub resolver: Option<PathBuf>,
    /// The only way out; `None` is every way.
    pub port: Option<u16>,
}

impl Places {
    /// Finds them, and makes the private ones; `None` without a sandbox.
    pub(crate) fn find(sandbox: &Sandbox, home: Option<&OsStr>) -> Result<Option<Self>, WallsError> {
        let (walls, network) = match sandbox {
            Sandbox::None => return Ok(None),
            Sandbox::Basic(walls) => (walls, None),
            Sandbox::Contained(walls, network) => (walls, Some(*network)),
        };
        let writable = walls.writable.iter().map(|path| real(path)).collect::<Result<Vec<_>, _>>()?;
        let temporary = (real(Path::new(TEMPORARY))?, private(walls, "tmp")?);
        let home = home.map(|home| real(Path::new(home))).transpose()?;
        let (mut wanted, contained) = match (network, home) {
            (Some(_), None) => return Err(WallsError::NoHome),
            (Some(network), Some(home)) => (of_home(walls, &home)?, Some(contained(walls, network, home)?)),
            (None, Some(home)) => (Vec::from_iter(seen_again(home, &temporary.0)), None),
            (None, None) => (Vec::new(), None),
        };
        let home = contained.as_ref().map(|contained| contained.home.0.as_path());
        let private: Vec<_> = [Some(temporary.0.as_path()), home].into_iter().flatten().collect();
        wanted.splice(0..0, readable(walls));
        let shown = Ground { private: &private, writable: &writable }.shown(&wanted);
        Ok(Some(Self {
            tier: sandbox.tier(),
            read_only: read_only(walls, &wanted)?,
            writable,
            hidden: walls.hidden.iter().filter_map(|path| fs::canonicalize(path).ok()).collect(),
            temporary,
            shown,
            contained,
            nests: walls.nests,
        }))
    }
}

/// All of the home is readable in `basic`, also where it is a temporary folder.
fn seen_again(home: PathBuf, temporary: &Path) -> Option<Shown> {
    let is_covered = home != temporary && home.starts_with(temporary);
    is_covered.then(|| Shown { source: home.clone(), at: home, access: Access::Read })
}

/// The readable places, by the names that people gave them.
fn readable(walls: &Walls) -> impl Iterator<Item = Shown> {
    walls.readable.iter().filter_map(|at| {
        let source = fs::canonicalize(at).ok()?;
        Some(Shown { source, at: at.clone(), access: Access::Read })
    })
}

fn contained(walls: &Walls, network: Network, home: PathBuf) -> Result<Contained, WallsError> {
    let mut run: Vec<_> = RUN.iter().filter_map(|path| fs::canonicalize(path).ok()).collect();
    run.dedup();
    let (port, looks_up) = match network {
        Network::Open => (None, true),
        Network::OnlyThrough { port: 0 } => return Err(WallsError::NoPort),
        Network::OnlyThrough { port } => (Some(port), false),
    };
    let resolver = fs::canonicalize(RESOLVER)
        .ok()
        .filter(|path| looks_up && run.iter().any(|run| path.starts_with(run)));
    Ok(Contained { home: (home, private(walls, "home")?), run, resolver, port })
}

fn of_home(walls: &Walls, home: &Path) -> Result<Vec<Shown>, WallsError> {
    let mut shown = Vec::new();
    for HomePath { path, access } in &walls.home {
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(WallsError::OutsideHome { path: path.clone() });
        }
        let (at, access) = (home.join(path), *access);
        shown.extend(fs::canonicalize(&at).ok().map(|source| Shown { source, at, access }));
    }
    Ok(shown)
}

/// The places inside of writable ones, as they really are. What lies elsewhere is
/// read-only anyway.
fn read_only(walls: &Walls, wanted: &[Shown]) -> Result<Vec<PathBuf>, WallsError> {
    let mut roots = Vec::new();
    for path in &walls.writable {
        roots.push((path.as_path(), real(path)?));
    }
    let granted = wanted.iter().filter(|wanted| wanted.access == Access::ReadWrite);
    roots.extend(granted.map(|shown| (shown.at.as_path(), shown.source.clone())));
    let mut found = Vec::new();
    for path in &walls.read_only {
        for (named, root) in &roots {
            if let Ok(rest) = path.strip_prefix(named).or_else(|_| path.strip_prefix(root)) {
                found.push(without_links(root, rest, path)?);
            }
        }
    }
    Ok(found)
}

fn without_links(root: &Path, rest: &Path, path: &Path) -> Result<PathBuf, WallsError> {
    let mut at = root.to_owned();
    for part in rest.components() {
        at.push(part);
        let seen = fs::symlink_metadata(&at).map_err(|source| missing(path, source))?;
        if seen.is_symlink() || part == Component::ParentDir {
            return Err(WallsError::Link { path: path.to_owned() });
        }
    }
    Ok(at)
}

fn private(walls: &Walls, name: &str) -> Result<PathBuf, WallsError> {
    let path = walls.private.join(name);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(&path);
    made.map_err(|source| missing(&path, source))?;
    real(&path)
}

fn real(path: &Path) -> Result<PathBuf, WallsError> {
    let real = fs::canonicalize(path).map_err(|source| missing(path, source))?;
    if real.parent().is_none() { Err(WallsError::Everything { path: path.to_owned() }) } else { Ok(real) }
}

fn missing(path: &Path, source: io::Error) -> WallsError {
    WallsError::Missing { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::symlink;

    use super::*;

    /// A folder with a workspace `work` that has `.git/hooks` in it.
    fn machine() -> (tempfile::TempDir, Walls) {
        let home = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(home.path()).unwrap();
        fs::create_dir_all(root.join("work/.git/hooks")).unwrap();
        let walls =
            Walls { writable: vec![root.join("work")], private: root.join("private"), ..Walls::default() };
        (home, walls)
    }

    fn found(walls: Walls) -> Result<Places, WallsError> {
        Places::find(&Sandbox::Basic(walls), None).map(Option::unwrap)
    }

    #[test]
    fn without_a_sandbox_there_is_nothing_to_find() {
        assert_eq!(Places::find(&Sandbox::None, None).unwrap(), None);
    }

    #[test]
    fn a_writable_place_that_is_not_there_is_told_and_a_hidden_one_is_no_trouble() {
        let (home, mut walls) = machine();
        walls.hidden.push(home.path().join("nowhere"));
        assert_eq!(found(walls.clone()).unwrap().hidden, [""; 0].map(PathBuf::from));
        walls.writable.push(home.path().join("nowhere"));
        assert!(found(walls).unwrap_err().to_string().contains("nowhere` cannot be part of the sandbox"));
    }

    #[test]
    fn a_link_on_the_way_to_a_read_only_place_is_refused_and_so_is_a_missing_one() {
        let (home, mut walls) = machine();
        let root = home.path().join("work");
        walls.read_only = vec![root.join(".git/hooks"), "/etc".into()];
        let hooks = fs::canonicalize(root.join(".git/hooks")).unwrap();
        assert_eq!(found(walls.clone()).unwrap().read_only, [hooks], "what lies outside needs nothing");

        walls.read_only = vec![root.join(".git/config")];
        assert!(matches!(found(walls.clone()), Err(WallsError::Missing { .. })));
        symlink("/etc", root.join("link")).unwrap();
        walls.read_only = vec![root.join("link/passwd")];
        assert!(matches!(found(walls.clone()), Err(WallsError::Link { .. })));
        walls.read_only = vec![root.join(".git/../.git/hooks")];
        assert!(matches!(found(walls), Err(WallsError::Link { .. })));
    }

    #[test]
    fn a_writable_place_is_taken_for_what_its_link_leads_to() {
        let (home, mut walls) = machine();
        symlink("work", home.path().join("alias")).unwrap();
        walls.writable = vec![home.path().join("alias")];
        walls.read_only = vec![home.path().join("alias/.git")];
        let places = found(walls).unwrap();
        let real = fs::canonicalize(home.path()).unwrap().join("work");
        assert_eq!((places.writable, places.read_only), (vec![real.clone()], vec![real.join(".git")]));
    }

    #[test]
    fn only_what_is_below_the_home_and_there_appears_in_the_private_one() {
        let (home, mut walls) = machine();
        let of_home = |path: &str| HomePath { path: path.into(), access: Access::Read };
        let root = fs::canonicalize(home.path()).unwrap();
        walls.home = vec![of_home("work/.git"), of_home("absent")];
        let contained = |walls: &Walls| {
            let sandbox = Sandbox::Contained(walls.clone(), Network::OnlyThrough { port: 3128 });
            Places::find(&sandbox, Some(root.as_os_str())).map(|places| places.unwrap())
        };
        let there = root.join("work/.git");
        assert_eq!(
            contained(&walls).unwrap().shown,
            [Shown { source: there.clone(), at: there, access: Access::Read }]
        );
        for outside in ["/etc", "../x", "work/../../x"] {
            walls.home = vec![of_home(outside)];
            assert!(matches!(contained(&walls), Err(WallsError::OutsideHome { .. })), "{outside}");
        }
        walls.home = vec![HomePath { path: "work".into(), access: Access::ReadWrite }];
        walls.writable.clear();
        walls.read_only = vec![root.join("work/.git")];
        assert_eq!(contained(&walls).unwrap().read_only, [root.join("work/.git")]);
        let nowhere = Sandbox::Contained(walls.clone(), Network::OnlyThrough { port: 0 });
        assert!(matches!(Places::find(&nowhere, Some(root.as_os_str())), Err(WallsError::NoPort)));
        let homeless = Places::find(&Sandbox::Contained(walls, Network::Open), None);
        assert!(matches!(homeless, Err(WallsError::NoHome)));
    }

    #[test]
    fn a_basic_agent_sees_its_home_also_where_that_is_a_temporary_folder() {
        let home = PathBuf::from("/tmp/home");
        let again = Shown { source: home.clone(), at: home.clone(), access: Access::Read };
        assert_eq!(seen_again(home.clone(), Path::new("/tmp")), Some(again));
        assert_eq!(seen_again("/home/me".into(), Path::new("/tmp")), None, "it is seen as it is");
        assert_eq!(seen_again(home.clone(), &home), None, "these are not for everybody's eyes");
    }

    #[test]
    fn nothing_takes_the_place_of_everything() {
        let (_home, mut walls) = machine();
        let of_root = Sandbox::Contained(walls.clone(), Network::Open);
        let refused = Places::find(&of_root, Some("/".as_ref()));
        assert!(matches!(refused, Err(WallsError::Everything { .. })), "{refused:?}");
        walls.writable = vec!["/".into()];
        assert!(matches!(found(walls), Err(WallsError::Everything { .. })));
    }

    #[test]
    fn what_must_be_read_appears_where_something_private_stands_before_it() {
        let (home, mut walls) = machine();
        let root = fs::canonicalize(home.path()).unwrap();
        walls.readable = vec![root.join("work"), "/usr/bin".into(), root.join("nothing")];
        let below_temporary = root.starts_with(fs::canonicalize(TEMPORARY).unwrap());
        let shown = found(walls).unwrap().shown;
        assert_eq!(shown.len(), usize::from(below_temporary));
        assert!(shown.iter().all(|shown| shown.at == root.join("work") && shown.access == Access::Read));
    }
}
