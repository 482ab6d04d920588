//! `host replay`.

use std::process::ExitCode;

use hostler_daemon::{plugins, replay};

use super::find_run;
use crate::arguments::ReplayArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::screens::replay::{draw_comparison, draw_replay};

/// Asks everything that was decided about a run again, and compares.
pub async fn replay(args: &ReplayArgs, context: &Context) -> Result<ExitCode, Failure> {
    let (history, run) = find_run(&args.run, context)?;
    if let Some(plugin) = &args.plugin {
        let file = context.folder.join(plugins::find(plugin, &context.plugin_folders())?);
        let compared = replay::compare(&context.home, &run, &file).await?;
        if args.json {
            output::json(&compared)?;
        } else {
            output::print(&draw_comparison(&context.page(), &run, &file.display().to_string(), &compared))?;
        }
        return Ok(Exit::Ok.into());
    }
    let replayed = replay::replay(&context.home, &history, &run).await?;
    if args.json {
        output::json(&replayed)?;
    } else {
        output::print(&draw_replay(&context.page(), &run, &replayed))?;
    }
    Ok(if replayed.differs() { Exit::Differs } else { Exit::Ok }.into())
}
