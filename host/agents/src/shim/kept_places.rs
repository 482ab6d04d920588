//! Places that an agent may not change inside of those that it may. A mount stands over
//! each, which holds until somebody takes the name below it away. No ordinary process
//! can; one that is root in a namespace of its own, and has let go of the walls there,
//! can. So they are looked at again when the agent has ended.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::walls::Breach;
use crate::sandbox::Plan;

/// Each with the file that was there at the start: as long as that is open, no other
/// can have its number.
#[derive(Debug, Default)]
pub(super) struct KeptPlaces(Vec<(PathBuf, File)>);

impl KeptPlaces {
    /// Remembers what is there now.
    pub(super) fn hold(plan: &Plan) -> Result<Self, Breach> {
        let held = plan.kept.iter().map(|place| {
            let path = PathBuf::from(place.as_ref());
            let file = open(&path)
                .map_err(|error| Breach::new(format!("remembering `{}`", path.display()), &error))?;
            Ok((path, file))
        });
        held.collect::<Result<_, _>>().map(Self)
    }

    /// Those where something else is by now, or nothing.
    pub(super) fn exchanged(&self) -> Vec<PathBuf> {
        let is_other = |path: &Path, held: &File| match (fs::symlink_metadata(path), held.metadata()) {
            (Ok(now), Ok(then)) => (now.dev(), now.ino()) != (then.dev(), then.ino()),
            _ => true,
        };
        self.0.iter().filter(|(path, held)| is_other(path, held)).map(|(path, _)| path.clone()).collect()
    }
}

/// Without waiting, should an earlier agent have left a pipe there.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::symlink;

    use hostler_engine::sandbox::Tier;

    use super::*;

    #[test]
    fn whatever_takes_the_place_of_what_was_there_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        let names = ["stays", "gone", "other", "link"];
        for name in names {
            fs::write(path(name), name).unwrap();
        }
        let kept = names.map(|name| path(name).into()).into();
        let plan = Plan { tier: Tier::Basic, views: Vec::new(), kept, port: None, nests: false };
        let places = KeptPlaces::hold(&plan).unwrap();
        assert_eq!(places.exchanged(), [""; 0].map(PathBuf::from));
        for name in &names[1..] {
            fs::remove_file(path(name)).unwrap();
        }
        fs::write(path("other"), "other").unwrap();
        symlink("stays", path("link")).unwrap();
        assert_eq!(places.exchanged(), ["gone", "other", "link"].map(path));
        assert!(KeptPlaces::hold(&plan).is_err(), "what is not there cannot be kept");
    }
}
