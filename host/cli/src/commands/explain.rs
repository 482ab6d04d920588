//! `host explain`.

use hostler_daemon::engine::task::RunId;
use hostler_daemon::explained::{Explained, explained};
use hostler_daemon::standing::Standing;

use super::find_run;
use crate::arguments::ExplainArgs;
use crate::context::{Context, now};
use crate::failure::Failure;
use crate::output;
use crate::screens::explain::draw_explained;

/// Tells why a run is in its state, and what led there.
pub fn explain(args: &ExplainArgs, context: &Context) -> Result<(), Failure> {
    let (history, run) = find_run(&args.run, context)?;
    let pull_request = Standing::read(&context.home, &RunId(run.id.clone()));
    let explained = Explained { pull_request, ..explained(&history, run, now())? };
    if args.json {
        return output::json(&explained);
    }
    output::print(&draw_explained(&context.page(), &explained))
}
