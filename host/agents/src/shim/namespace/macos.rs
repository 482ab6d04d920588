//! macOS has no such thing.

use std::io;
use std::process::Command;

use super::super::confinement::Confinement;
use super::super::walls::Breach;
use super::{Init, NotInside};
use crate::sandbox::Plan;

pub(in super::super) fn start_inside(
    _program: &mut Command,
    _confinement: &Confinement,
    _plan: Option<&Plan>,
    _user_namespace: bool,
) -> Result<(Init, i32), NotInside> {
    let error = io::Error::from_raw_os_error(libc::ENOTSUP);
    Err(NotInside::NoNamespace(Breach::new("making namespaces, which macOS does not have", &error)))
}
