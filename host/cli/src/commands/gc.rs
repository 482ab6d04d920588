//! `host gc`.

use hostler_daemon::collection::{self, Choice, Fate};

use crate::arguments::GcArgs;
use crate::config::{ConfigFile, Whose, retention};
use crate::context::{Context, now};
use crate::failure::Failure;
use crate::output;
use crate::screens::collection::draw_findings;

/// Says what of the past may go; with `--yes` removes it.
pub fn gc(args: &GcArgs, context: &Context) -> Result<(), Failure> {
    let file = ConfigFile::read(&context.config_file(), Whose::Operator)?;
    let retention = retention::retention(file.as_ref())?;
    let choice = match (&args.run, args.discard) {
        (None, _) => Choice::All,
        (Some(run), false) => Choice::Run(run.clone()),
        (Some(run), true) => Choice::Discard(run.clone()),
    };
    let mut findings = collection::look(&context.home, &retention, &choice, now())?;
    if args.yes {
        findings = collection::carry_out(&context.home, findings);
    }
    // What is removed first, then what stays.
    findings.sort_by_key(|finding| finding.fate == Fate::Stays);
    if args.json {
        return output::json(&findings);
    }
    output::print(&draw_findings(&context.page(), &findings, args.yes))
}
