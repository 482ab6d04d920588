//! `cargo xtask simulate`: plays simulated worlds around the engine.

use std::path::Path;

use clap::Args;

use crate::cargo::{cargo, succeed};

/// What is played.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// How many seeds
    #[arg(long, default_value_t = 20_000)]
    seeds: u64,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Play this one only, and tell its story if it fails
    #[arg(long)]
    seed: Option<u64>,
    /// Put a deliberate fault into the engine; any other word lists their names
    #[arg(long, value_name = "NAME")]
    mutation: Option<String>,
    /// On how many threads; all processors if not given
    #[arg(long)]
    jobs: Option<usize>,
    /// Begin no new seed after so many seconds
    #[arg(long, value_name = "SECONDS")]
    time: Option<u64>,
}

/// Builds the simulation and plays. Fails if an invariant does not hold.
pub fn simulate(root: &Path, options: &Options) -> anyhow::Result<()> {
    let words = ["run", "--quiet", "--package", "hostler-simulation", "--features", "mutations", "--"];
    let mut command = cargo(root, &words);
    command.args(["--seeds", &options.seeds.to_string(), "--from", &options.from.to_string()]);
    let optional = [
        ("--seed", options.seed.map(|seed| seed.to_string())),
        ("--mutation", options.mutation.clone()),
        ("--jobs", options.jobs.map(|jobs| jobs.to_string())),
        ("--time", options.time.map(|time| time.to_string())),
    ];
    for (word, value) in optional {
        if let Some(value) = value {
            command.args([word, &value]);
        }
    }
    succeed(&mut command)
}
