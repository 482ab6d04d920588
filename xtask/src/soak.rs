//! `cargo xtask soak`: many tasks through one host and a server that misbehaves.
//! Nothing is optimised but what the program needs for that: the figures compare
//! with those of another soak, not with `cargo xtask bench`.

use std::path::Path;
use std::process::Command;

use clap::Args;

use crate::cargo::{cargo, succeed};
use crate::{built, plugins};

/// How much it is to be.
#[derive(Args, Clone, Copy, Debug)]
pub struct Options {
    /// How many tasks, up to 1,500
    #[arg(long, value_name = "N", default_value_t = 500)]
    tasks: u64,
    /// How many at once
    #[arg(long, value_name = "N", default_value_t = 8)]
    parallel: u32,
    /// How many percent of the requests go wrong
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0)]
    faults: f64,
    /// Decides what goes wrong and how long agents take
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

/// Builds what takes part and plays the soak. Fails if anything is not as it should be.
pub fn soak(root: &Path, options: Options) -> anyhow::Result<()> {
    plugins::build(root)?;
    let programs = built::build(root)?;
    succeed(&mut cargo(root, &["build", "--quiet", "--package", "hostler-tests", "--bin", "soak"]))?;
    let Options { tasks, parallel, faults, seed } = options;
    let mut command = Command::new(programs.scripted_agent.with_file_name("soak"));
    command.env("HOSTLER_TEST_HOST", &programs.host);
    command.args(["--tasks", &tasks.to_string(), "--parallel", &parallel.to_string()]);
    command.args(["--faults", &faults.to_string(), "--seed", &seed.to_string()]);
    succeed(&mut command)
}
