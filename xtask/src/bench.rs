//! `cargo xtask bench`: what Hostler costs, as ratios against a floor that is
//! measured in the same run. Nothing else should be busy on the machine.

use std::path::Path;

use clap::Args;

use crate::cargo::{cargo, succeed};
use crate::plugins;

/// How to say it.
#[derive(Args, Clone, Copy, Debug)]
pub struct Options {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Builds everything for speed, then measures.
pub fn bench(root: &Path, options: Options) -> anyhow::Result<()> {
    plugins::build(root)?;
    succeed(&mut cargo(root, &["build", "--quiet", "--release", "--package", "hostler", "--bin", "host"]))?;
    let mut words = vec!["run", "--quiet", "--release", "--package", "hostler-bench"];
    if options.json {
        words.extend(["--", "--json"]);
    }
    succeed(&mut cargo(root, &words))
}
