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
use hostler_daemon::plugins;
use hostler_daemon::trial::{Recording, try_provider};
use serde_json::json;

use super::in_runtime;
use crate::arguments::{PluginCommand, TryArgs};
use crate::config::{ConfigFile, Layers, Whose};
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::grant;
use crate::inside;
use crate::output;
use crate::question::can_ask;
use crate::screens::inspect::{Allowed, Listed, draw_inspection, draw_list, draw_request};
use crate::screens::trial::draw_trial;
use crate::setup::{Chosen, choose, inspect};

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
    let listed: Vec<Listed> =
        found.into_iter().map(|(name, file)| listed(name, &file, &grants, context)).collect();
    if as_json {
        return output::json(&listed);
    }
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    output::print(&draw_list(&context.page(), &listed, &folders))
}

fn listed(name: String, file: &Path, grants: &Grants, context: &Context) -> Listed {
    let shown = file.display().to_string();
    match choose(&shown, context) {
        Ok(chosen) => Listed {
            name,
            kinds: chosen.inspection.kinds.iter().map(|kind| kind.name()).collect(),
            version: chosen.manifest.plugin.version.clone(),
            allowed: grant::standing(grants, &chosen),
            file: shown,
            problem: None,
        },
        Err(failure) => Listed {
            name,
            kinds: Vec::new(),
            version: String::new(),
            allowed: Allowed::Refused,
            file: shown,
            problem: Some(failure.to_string()),
        },
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
    let file = file.display().to_string();
    if as_json {
        return output::json(&json!({ "file": file, "allowed": allowed, "inspection": inspection }));
    }
    output::print(&draw_inspection(&context.page(), &file, &inspection, allowed))
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
    let page = context.page();
    let doubt = grant::vouched(&chosen, context)?;
    grant::note(&inside::sentences(&found))?;
    if yes {
        grant::warn(doubt)?;
        output::print(&draw_request(&page, &chosen.file.display().to_string(), &chosen.inspection))?;
    } else if can_ask() {
        grant::ask(&chosen, doubt, &page)?;
    } else {
        let command = grant::command(&chosen.file);
        return Err(Failure::new(
            Exit::Grant,
            format!("nobody is there to be asked: to allow {title} without a question, run `{command}`"),
        ));
    }
    grant::write_down(&chosen, yes, &mut grants, context)?;
    output::line(format!("\n{title} is allowed; the grant stands in {}.", path.display()))
}

/// The plugin with what the person's own settings say about it.
async fn with_settings(chosen: Chosen, context: &Context) -> Result<(Chosen, inside::Found), Failure> {
    let layers = Layers {
        environment: context.environment.clone(),
        user_file: ConfigFile::read(&context.config_file(), Whose::Operator)?,
        ..Layers::default()
    };
    inside::widened(chosen, &layers, context).await
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
