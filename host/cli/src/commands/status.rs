//! `host status`.

use hostler_daemon::control::Client;

use crate::arguments::JsonArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::screens::status::draw_status;

/// Asks the running host how it is.
pub async fn status(args: &JsonArgs, context: &Context) -> Result<(), Failure> {
    let host = Client::connect(&context.home)?.status().await?;
    if args.json {
        return output::json(&host);
    }
    output::print(&draw_status(&context.page(), &host))
}
