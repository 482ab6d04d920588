//! `cargo xtask cycles`: starts plugins and lets them fail, again and again, and looks
//! whether memory stays behind.

use std::path::Path;

use clap::Args;

use crate::cargo::{cargo, succeed};

/// The test that counts; it makes 2,000 cycles where nobody says otherwise.
const TEST: [&str; 8] = [
    "test",
    "--quiet",
    "--package",
    "hostler-components",
    "--test",
    "cycles",
    "plugins_that_fail_again_and_again_leave_no_memory_behind",
    "--",
];

/// How often.
#[derive(Args, Clone, Copy, Debug)]
pub struct Options {
    /// How many times
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(100..))]
    count: u64,
}

/// Runs the cycles in a process of their own. Fails if its resident memory grew.
pub fn cycles(root: &Path, options: Options) -> anyhow::Result<()> {
    let mut command = cargo(root, &TEST);
    command.arg("--nocapture").env("HOSTLER_CYCLES", options.count.to_string());
    succeed(&mut command)
}
