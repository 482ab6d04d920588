//! The programs that the chores run, as cargo builds them.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cargo::{cargo, succeed};

/// The programs, brought up to date.
pub struct Built {
    /// `host`.
    pub host: PathBuf,
    /// The stand-in for coding CLIs.
    pub scripted_agent: PathBuf,
}

/// Builds both in the profile of xtask itself, into the folder it stands in.
pub fn build(root: &Path) -> anyhow::Result<Built> {
    succeed(&mut cargo(root, &["build", "--quiet", "--package", "hostler", "--bin", "host"]))?;
    succeed(&mut cargo(
        root,
        &["build", "--quiet", "--package", "hostler-tests", "--bin", "scripted-agent"],
    ))?;
    let own = std::env::current_exe().context("finding the folder of the built programs")?;
    let folder = own.parent().context("a program stands in a folder")?;
    Ok(Built { host: folder.join("host"), scripted_agent: folder.join("scripted-agent") })
}
