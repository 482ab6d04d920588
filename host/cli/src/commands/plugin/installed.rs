//! `host plugin remove` and `host plugin rollback`, and the yes to a build that waits.

use std::path::Path;

use hostler_daemon::grants::Grants;
use hostler_daemon::install_folder::InstallFolder;
use hostler_daemon::installing;

use super::install::begin;
use super::{in_runtime, with_settings};
use crate::context::Context;
use crate::failure::Failure;
use crate::grant;
use crate::inside;
use crate::output;
use crate::person::consent;
use crate::screens::install::{Arrived, waits};
use crate::setup::{Chosen, choose};
use crate::text::one_line;

/// Takes an installed plugin away, with what its builds were allowed.
pub fn remove(id: &str, context: &Context) -> Result<(), Failure> {
    let mut change = begin(context)?;
    let slot = installing::remove(&mut change, id, &consent(false, context))?;
    let version = one_line(&slot.current.version);
    output::line(format!("{id} {version} is removed, and its builds may not be used any more."))
}

/// Goes back to the build that was installed before.
pub fn roll_back(id: &str, context: &Context) -> Result<(), Failure> {
    let grants = Grants::load(&context.home.grants())?;
    let mut change = begin(context)?;
    let slot = installing::roll_back(&mut change, id, &grants)?;
    let before = slot.previous.map(|build| one_line(&build.version)).unwrap_or_default();
    let version = one_line(&slot.current.version);
    output::line(format!("{id} is version {version} again, instead of {before}."))
}

/// Allows a build that waits what it asks for, and lets it take the place of the other.
pub fn allow_pending(id: &str, file: &Path, yes: bool, context: &Context) -> Result<(), Failure> {
    let mut change = begin(context)?;
    let (chosen, found) = in_runtime(with_settings(choose(&file.display().to_string(), context)?, context))?;
    let path = context.home.grants();
    let command = format!("host plugin allow {id} --yes");
    let show = |request: &str| output::write_error(request.as_bytes());
    grant::agree(&chosen, &inside::sentences(&found), yes, &command, show, context)?;
    let mut grants = Grants::load(&path)?;
    grant::write_down(&chosen, yes, &mut grants, context)?;
    installing::promote(&mut change, id, &grants)?;
    let version = one_line(&chosen.manifest.plugin.version);
    output::line(format!(
        "{id} {version} is allowed and used from now on; the grant stands in {}.",
        path.display()
    ))
}

/// What should be told of plugins that are used while a newer build of theirs waits.
pub fn waiting(used: &[&Chosen], context: &Context) -> Result<Vec<String>, Failure> {
    let folder = InstallFolder::of(&context.home);
    let lock = folder.lock()?;
    let slots = lock.all().filter_map(|(id, slot)| Some((id, &slot.current, slot.pending.as_ref()?)));
    let of_used = slots.filter(|(id, current, _)| {
        let file = folder.build(id, &current.digest);
        used.iter().any(|chosen| chosen.file == file)
    });
    Ok(of_used
        .map(|(id, current, pending)| waits(Arrived { id, version: &pending.version }, &current.version))
        .collect())
}
