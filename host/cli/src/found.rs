//! The coding CLIs on this machine, for those who name none.

use std::path::Path;

use hostler_daemon::grants::Grants;
use hostler_daemon::plugins::{self, Kind};
use hostler_daemon::providers;

use crate::config::Layers;
use crate::config::configuration::program_of;
use crate::context::Context;
use crate::failure::Failure;
use crate::grant;
use crate::screens::inspect::Allowed;
use crate::setup::{Chosen, choose};

/// The provider plugins whose program is here, by name. Nothing is started.
pub fn providers(layers: &Layers, context: &Context) -> Result<Vec<(String, Chosen)>, Failure> {
    let path = context.environment.get("PATH").map_or("", String::as_str);
    let home = context.environment.get("HOME").map(Path::new);
    let tables = layers.user_file.as_ref().map(|file| &file.providers);
    let is_here = |chosen: &Chosen| {
        let id = &chosen.manifest.plugin.id;
        // A wrong `program` is told when the provider is used.
        let instead = program_of(tables, id, &context.home.config, home).ok().flatten();
        let instead = instead.as_ref().map(|setting| setting.value.as_path());
        chosen.inspection.kinds.contains(&Kind::Provider)
            && providers::find(&chosen.manifest, instead, path).is_some()
    };
    let found = plugins::available(&context.plugin_folders())?
        .into_iter()
        .filter_map(|(name, _)| Some((name.clone(), choose(&name, context).ok()?)))
        .filter(|(_, chosen)| is_here(chosen));
    Ok(found.collect())
}

/// Those of them that are allowed; all of them if none is, so that consent is asked
/// for. One that was never allowed does not stand in the way of those that were.
pub fn to_use(found: Vec<(String, Chosen)>, context: &Context) -> Result<Vec<String>, Failure> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let grants = Grants::load(&context.home.grants())?;
    let is_allowed = |chosen: &Chosen| grant::standing(&grants, chosen) == Allowed::Yes;
    let allowed = found.iter().any(|(_, chosen)| is_allowed(chosen));
    let used = found.into_iter().filter(|(_, chosen)| !allowed || is_allowed(chosen));
    Ok(used.map(|(name, _)| name).collect())
}
