//! The installed plugins, whether they are chosen or not.

use hostler_daemon::install_folder::InstallFolder;
use hostler_daemon::install_state::look_after;

use crate::context::Context;
use crate::screens::doctor::{Check, Health};

/// Whether they are what was installed, and for this host. Where none is installed, there
/// is nothing to say.
pub fn installed(context: &Context) -> Vec<Check> {
    match look_after(&InstallFolder::of(&context.home)) {
        Ok((0, _)) => Vec::new(),
        Ok((number, ailments)) if ailments.is_empty() => {
            vec![Check::new(
                "plugins",
                Health::Ok,
                format!("{number} installed, each as it was, for this host"),
            )]
        }
        Ok((_, ailments)) => {
            ailments.iter().map(|ailment| Check::new("plugins", Health::Fail, ailment)).collect()
        }
        Err(error) => vec![Check::new("plugins", Health::Fail, error)],
    }
}
