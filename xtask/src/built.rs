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

impl Built {
    /// Where cargo puts both: into the folder that xtask itself stands in.
    pub fn places() -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("finding the folder of the built programs")?;
        let folder = own.parent().context("a program stands in a folder")?;
        Ok(Self { host: folder.join("host"), scripted_agent: folder.join("scripted-agent") })
    }
}

/// Builds both.
pub fn build(root: &Path) -> anyhow::Result<Built> {
    for (package, program) in [("hostler", "host"), ("hostler-tests", "scripted-agent")] {
        succeed(&mut cargo(root, &["build", "--quiet", "--package", package, "--bin", program]))?;
    }
    Built::places()
}
