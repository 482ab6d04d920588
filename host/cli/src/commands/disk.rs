//! `host disk`.

use hostler_daemon::collection::disk;

use crate::arguments::DiskArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::output;
use crate::screens::disk::draw_disk;

/// Shows what takes how much space.
pub fn disk(args: &DiskArgs, context: &Context) -> Result<(), Failure> {
    let disk = disk::measure(&context.home)?;
    if args.json {
        return output::json(&disk);
    }
    output::print(&draw_disk(&context.page(), &disk))
}
