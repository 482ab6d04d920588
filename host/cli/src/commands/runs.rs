//! `host runs`.

use hostler_daemon::history::History;

use crate::arguments::RunsArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::screens::runs::draw_runs;

/// Lists runs, newest first.
pub fn runs(args: &RunsArgs, context: &Context) -> Result<(), Failure> {
    let limit = if args.all { u32::MAX } else { args.limit };
    let runs = match History::open(&context.home)? {
        Some(history) => history.runs(args.open, limit)?,
        None => Vec::new(),
    };
    if args.json {
        return output::json(&runs);
    }
    output::print(&draw_runs(&context.page(), &runs, args.open))
}
