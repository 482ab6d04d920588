//! `host status`.

use hostler_daemon::control::{Client, ClientError};
use hostler_daemon::view::HostView;
use serde::Serialize;

use super::standing::{self, Server};
use crate::arguments::StatusArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::screens::standing::{Standing, draw_standing};
use crate::screens::status::draw_status;

/// What `--json` says.
#[derive(Serialize)]
#[serde(untagged)]
enum Answer<'a> {
    Running {
        running: bool,
        host_id: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        daemon_id: Option<String>,
        #[serde(flatten)]
        host: &'a HostView,
    },
    Stopped {
        running: bool,
        #[serde(flatten)]
        standing: &'a Standing,
    },
}

/// Asks the running host how it is; where none runs, tells what one would work with.
pub async fn status(args: &StatusArgs, context: &Context) -> Result<(), Failure> {
    let client = match Client::connect(&context.home) {
        Ok(client) => client,
        Err(stopped @ ClientError::NotRunning { .. }) => return not_running(args, context, stopped).await,
        Err(error) => return Err(error.into()),
    };
    let host = client.status().await?;
    let host_id = standing::host_id(context);
    let daemon_id = standing::daemon_id(&args.settings, context, &host.tracker);
    if args.json {
        return output::json(&Answer::Running { running: true, host_id, daemon_id, host: &host });
    }
    let identity = [("host id", host_id), ("daemon-id", daemon_id)];
    output::print(&draw_status(&context.page(), &host, &identity, &context.home.grants()))
}

async fn not_running(args: &StatusArgs, context: &Context, stopped: ClientError) -> Result<(), Failure> {
    let standing = standing::gather(&args.settings, context, Server::Tried).await;
    if args.json {
        output::json(&Answer::Stopped { running: false, standing: &standing })?;
    } else {
        output::print(&draw_standing(&context.page(), &standing))?;
    }
    Err(stopped.into())
}
