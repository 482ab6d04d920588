//! `host plugin revoke`.

use std::path::Path;

use hostler_daemon::grants::Grants;
use hostler_daemon::plugins;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::person::consent;
use crate::setup::inspect;
use crate::text::short_digest;

/// Takes back the grant of one build, or of every build of a plugin. A running host
/// looks at the grants itself.
pub fn revoke(plugin: &str, context: &Context) -> Result<(), Failure> {
    let consent = consent(false, context);
    let mut grants = consent.grants()?;
    let gone = if is_file(plugin) {
        let (_, inspection) = inspect(plugin, context)?;
        let id = inspection.manifest.map(|manifest| manifest.plugin.id).unwrap_or_default();
        consent.revoke(&mut grants, &id, Some(&inspection.digest))?
    } else {
        consent.revoke(&mut grants, plugin, None)?
    };
    let Some(first) = gone.first() else {
        return Err(Failure::new(Exit::Grant, no_grant(plugin, &grants, context)));
    };
    let builds = match gone.len() {
        1 => format!("the build {}", short_digest(&first.digest)),
        many => format!("{many} builds"),
    };
    output::line(format!(
        "{} may not be used any more: the grant of {builds} is gone. A running host stops using it at once.",
        first.id
    ))
}

fn is_file(plugin: &str) -> bool {
    plugin.contains('/') || Path::new(plugin).extension().is_some_and(|end| end == "wasm")
}

fn no_grant(plugin: &str, grants: &Grants, context: &Context) -> String {
    let mut ids: Vec<&str> = grants.all().iter().map(|grant| grant.id.as_str()).collect();
    ids.dedup();
    let known = if ids.is_empty() { "no plugin has one".to_owned() } else { ids.join(", ") };
    // A plugin's file may be called otherwise than the plugin.
    let named = plugins::find(plugin, &context.plugin_folders()).ok().filter(|_| !is_file(plugin));
    let also = named.map(|file| format!("; its file may be meant: {}", file.display())).unwrap_or_default();
    format!("`{plugin}` has no grant that could be taken back (with a grant: {known}){also}")
}
