//! macOS has no such thing.

use std::io;
use std::path::Path;

use crate::process::ProcessId;

/// There is none of these.
#[derive(Debug)]
pub(crate) enum ControlGroup {}

impl ControlGroup {
    pub(crate) fn make(_shim: &ProcessId) -> Option<Self> {
        None
    }

    pub(crate) fn find(_path: &Path, _shim: &ProcessId) -> Option<Self> {
        None
    }

    pub(crate) fn path(&self) -> &Path {
        match *self {}
    }

    pub(crate) fn entrance(&self) -> io::Result<std::fs::File> {
        match *self {}
    }

    pub(crate) fn kill(&self) {
        match *self {}
    }

    pub(crate) fn members(&self) -> Vec<i32> {
        match *self {}
    }

    pub(crate) fn remove(self) {
        match self {}
    }
}
