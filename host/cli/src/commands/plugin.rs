//! `host plugin`.

mod diff;
mod install;
pub(super) mod installed;
mod keys;
mod revoke;
mod sign;

use std::path::{Path, PathBuf};

use hostler_daemon::grants::Grants;
use hostler_daemon::install_folder::InstallFolder;
use hostler_daemon::install_state::InstallState;
use hostler_daemon::keys::KeyRing;
use hostler_daemon::plugins;
use hostler_daemon::trial::{Recording, try_provider};
use hostler_daemon::vouching::{self, Vouched};
use serde_json::json;

use super::in_runtime;
use crate::arguments::{PluginCommand, TryArgs};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::grant;
use crate::inside;
use crate::output;
use crate::screens::inspect::{Allowed, FileOrigin, Listed, draw_inspection, draw_list};
use crate::screens::trial::draw_trial;
use crate::setup::{Chosen, accepted, choose, inspect};

/// Everything that is done with plugins besides running them.
pub fn plugin(command: PluginCommand, context: &Context) -> Result<(), Failure> {
    match command {
        PluginCommand::List { json } => list(json, context),
        PluginCommand::Inspect { file, json } => show(&file, json, context),
        PluginCommand::Allow { file, yes } => allow(&file, yes, context),
        PluginCommand::Install(args) => install::install(&args, context),
        PluginCommand::Remove { plugin } => installed::remove(&plugin, context),
        PluginCommand::Rollback { plugin } => installed::roll_back(&plugin, context),
        PluginCommand::Diff { old, new, json } => diff::diff(&old, &new, json, context),
        PluginCommand::Revoke { plugin } => revoke::revoke(&plugin, context),
        PluginCommand::Sign { file, key } => sign::sign(&file, &key, context),
        PluginCommand::Verify { file, json } => sign::verify(&file, json, context),
        PluginCommand::Keys { command } => keys::keys(command, context),
        PluginCommand::Try(args) => in_runtime(try_it(&args, context)),
    }
}

fn list(as_json: bool, context: &Context) -> Result<(), Failure> {
    let grants = Grants::load(&context.home.grants())?;
    let folders = context.plugin_folders();
    let found = plugins::available(&folders)?;
    let mut listed: Vec<Listed> =
        found.into_iter().map(|(name, file)| listed(name, &file, &grants, context)).collect();
    listed.extend(hidden(context)?);
    if as_json {
        return output::json(&listed);
    }
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    output::print(&draw_list(&context.page(), &listed, &folders))
}

/// Files whose names stand for something installed: they are not used.
fn hidden(context: &Context) -> Result<Vec<Listed>, Failure> {
    let files = InstallFolder::of(&context.home).hidden()?;
    Ok(files
        .into_iter()
        .map(|file| {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let problem = format!(
                "not used, for another build is installed: remove {0}, or install it with `host plugin install {0}`",
                file.display()
            );
            unusable(name, &file, InstallState::NotInstalled, problem)
        })
        .collect())
}

fn listed(name: String, file: &Path, grants: &Grants, context: &Context) -> Listed {
    let shown = file.display().to_string();
    let found = inspect(&shown, context);
    let state = found.as_ref().ok().and_then(|(_, found)| InstallState::of(file, &found.digest).ok());
    let installed = state.unwrap_or(InstallState::Changed);
    match found.and_then(|(file, found)| accepted(file, found)) {
        Ok(chosen) => Listed {
            name,
            kinds: chosen.inspection.kinds.iter().map(|kind| kind.name()).collect(),
            version: chosen.manifest.plugin.version.clone(),
            allowed: grant::standing(grants, &chosen),
            installed,
            file: shown,
            problem: None,
        },
        Err(failure) => unusable(name, file, installed, failure.to_string()),
    }
}

fn unusable(name: String, file: &Path, installed: InstallState, problem: String) -> Listed {
    Listed {
        name,
        kinds: Vec::new(),
        version: String::new(),
        allowed: Allowed::Refused,
        installed,
        file: file.display().to_string(),
        problem: Some(problem),
    }
}

fn show(name: &str, as_json: bool, context: &Context) -> Result<(), Failure> {
    let (file, inspection) = inspect(name, context)?;
    let allowed = match (&inspection.refusal, inspection.manifest.clone()) {
        (None, Some(manifest)) => {
            let chosen = Chosen { file: file.clone(), inspection: inspection.clone(), manifest };
            grant::standing(&Grants::load(&context.home.grants())?, &chosen)
        }
        _ => Allowed::Refused,
    };
    // Keys that cannot be used keep nobody from looking at a file.
    let signature = match KeyRing::load(&context.home.keys()) {
        Ok(ring) => vouching::look(&file, &inspection.digest, &ring)?,
        Err(error) => Vouched::Unusable { problem: error.to_string() },
    };
    let origin = FileOrigin { signature, installed: InstallState::of(&file, &inspection.digest)? };
    let file = file.display().to_string();
    if as_json {
        let FileOrigin { signature, installed } = origin;
        return output::json(&json!({
            "file": file, "allowed": allowed, "signature": signature, "installed": installed,
            "inspection": inspection,
        }));
    }
    output::print(&draw_inspection(&context.page(), &file, &inspection, allowed, &origin))
}

fn allow(name: &str, yes: bool, context: &Context) -> Result<(), Failure> {
    if let Some((id, file)) = InstallFolder::of(&context.home).pending(name)? {
        return installed::allow_pending(&id, &file, yes, context);
    }
    let (chosen, found) = in_runtime(with_settings(choose(name, context)?, context))?;
    let path = context.home.grants();
    let mut grants = Grants::load(&path)?;
    let title = &chosen.manifest.plugin.name;
    if grant::standing(&grants, &chosen) == Allowed::Yes {
        return output::line(format!("{title} is allowed already."));
    }
    let command = grant::command(&chosen.file);
    grant::agree(&chosen, &inside::sentences(&found), yes, &command, output::print, context)?;
    grant::write_down(&chosen, yes, &mut grants, context)?;
    output::line(format!("\n{title} is allowed; the grant stands in {}.", path.display()))
}

/// The plugin with what the person's own settings say about it.
async fn with_settings(chosen: Chosen, context: &Context) -> Result<(Chosen, inside::Found), Failure> {
    inside::widened(chosen, &context.operator_layers()?, context).await
}

async fn try_it(args: &TryArgs, context: &Context) -> Result<(), Failure> {
    let chosen = choose(&args.provider, context)?;
    let recording = Recording {
        stdout: read(&args.transcript)?,
        stderr: args.stderr.as_ref().map(read).transpose()?.unwrap_or_default(),
        exit: args.exit,
    };
    let runtime = plugins::runtime(&context.home)?;
    let trial = try_provider(&runtime, &chosen.file, recording).await?;
    if args.json {
        return output::json(&trial);
    }
    output::print(&draw_trial(&context.page(), &trial))
}

fn read(path: &PathBuf) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| {
        Failure::new(Exit::Failed, format!("{} cannot be read ({error}); check the path", path.display()))
    })
}
