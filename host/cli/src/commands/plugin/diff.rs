//! `host plugin diff`.

use hostler_daemon::plugins::Difference;
use serde_json::json;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;
use crate::screens::diff::{Build, draw_difference};
use crate::setup::inspect;

/// Shows what one build asks for beyond another; also builds that could not run.
pub fn diff(old: &str, new: &str, as_json: bool, context: &Context) -> Result<(), Failure> {
    let (old_file, old) = inspect(old, context)?;
    let (new_file, new) = inspect(new, context)?;
    let found = Difference::between(&old, &new);
    let build = |file: &std::path::Path, digest: String| Build { file: file.display().to_string(), digest };
    let builds = (build(&old_file, old.digest.to_string()), build(&new_file, new.digest.to_string()));
    if as_json {
        let (old, new) = builds;
        output::json(&json!({ "old": old, "new": new, "grows": found.grows(), "difference": found }))?;
    } else {
        output::print(&draw_difference(&context.page(), &builds.0, &builds.1, &found))?;
    }
    if found.grows() { Err(Failure::shown(Exit::Grows)) } else { Ok(()) }
}
