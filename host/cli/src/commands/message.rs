//! `host message`.

use hostler_daemon::control::{Client, ClientError};
use hostler_daemon::word::fresh_id;

use crate::arguments::MessageArgs;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::text::one_line;

/// Says something to the agent of a run.
pub async fn message(args: &MessageArgs, context: &Context) -> Result<(), Failure> {
    let id = args.id.clone().unwrap_or_else(fresh_id);
    let told = Client::connect(&context.home)?.message(&args.run, &args.text, &id).await;
    let run = told.map_err(|error| match error {
        // It may have arrived before the host went away.
        ClientError::Failed(why) => Failure::new(Exit::Failed, unknown(&why, &id)),
        other => other.into(),
    })?;
    output::line(format!("The agent of {} is told.", one_line(&run.task_key)))
}

fn unknown(why: &str, id: &str) -> String {
    format!(
        "the host did not say whether the agent is told ({why}): say it again with `--id {id}`, which is heard once"
    )
}
