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
    /// How many tasks
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    tasks: u64,
    /// How many at once
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    parallel: u32,
    /// How many percent of the requests go wrong
    #[arg(long, value_name = "PERCENT", default_value_t = 5.0, value_parser = percent)]
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
    command.args([tasks.to_string(), parallel.to_string(), faults.to_string(), seed.to_string()]);
    succeed(&mut command)
}

fn percent(text: &str) -> Result<f64, String> {
    let percent: Option<f64> = text.parse().ok();
    percent
        .filter(|percent| (0.0..=100.0).contains(percent))
        .ok_or_else(|| "it must be a number from 0 to 100".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_lies_between_nothing_and_all() {
        assert_eq!(["0", "5.5", "100"].map(percent), [Ok(0.0), Ok(5.5), Ok(100.0)]);
        for text in ["100.1", "-1", "NaN", "", "5 %"] {
            assert!(percent(text).is_err(), "{text}");
        }
    }
}
