//! `host detach`.

use hostler_daemon::control::Client;

use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::screens::run_line::left_working;

/// Asks the running host to end and to leave its agents at work.
pub async fn detach(context: &Context) -> Result<(), Failure> {
    let left = Client::connect(&context.home)?.detach().await?;
    let agents = left_working(left.working).unwrap_or_else(|| "No agent is at work.".to_owned());
    output::line(format!("The host ends. {agents}"))
}
