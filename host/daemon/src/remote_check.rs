//! Before any task is taken: a tracker whose work goes to a remote needs one.

use std::collections::BTreeMap;

use crate::failure::Failure;
use crate::place::{Place, REMOTE};
use crate::plugins::Installed;

/// Every repository has the remote, where the tracker's manifest says that it needs one.
pub fn every_place_has_one(tracker: &Installed, places: &BTreeMap<String, Place>) -> Result<(), Failure> {
    if !tracker.rights.repository.as_ref().is_some_and(|right| right.needs_remote) {
        return Ok(());
    }
    let tracker = || tracker.plugin.id().to_owned();
    for place in places.values() {
        match place {
            Place::Git(repository) => repository
                .check_remote(REMOTE)
                .map_err(|problem| Failure::Remote { tracker: tracker(), problem })?,
            Place::Folder(path) => {
                return Err(Failure::NoRepository { tracker: tracker(), path: path.clone() });
            }
        }
    }
    Ok(())
}
