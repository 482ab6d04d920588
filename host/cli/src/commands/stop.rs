//! `host stop`.

use hostler_daemon::control::Client;

use crate::arguments::StopArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::text::one_line;

/// Asks the running host to end a run.
pub async fn stop(args: &StopArgs, context: &Context) -> Result<(), Failure> {
    let run = Client::connect(&context.home)?.stop(&args.run).await?;
    let kept = match &run.branch {
        Some(branch) => format!("; its work stays on {}", one_line(branch)),
        None => String::new(),
    };
    output::line(format!("{} is being ended{kept}.", one_line(&run.task_key)))
}
