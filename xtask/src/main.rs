//! The chores of this repository: `cargo xtask <verb>`.

mod bench;
mod built;
mod cargo;
mod cycles;
mod demo;
mod fuzz;
mod install;
mod plugins;
mod simulate;
mod soak;
mod test;
mod totals;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

/// The chores of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Verb {
    /// Build every plugin to a component in target/plugins, and those of the tests in target/guests
    Plugins,
    /// Run one task from its file to its branch, with a stand-in for the agent
    Demo(demo::Options),
    /// Run everything that CI runs
    Test(test::Options),
    /// Measure what the host costs, against a floor measured in the same run
    Bench(bench::Options),
    /// Work through hundreds of tasks of a server that misbehaves
    Soak(soak::Options),
    /// Start plugins that fail a hundred thousand times, and see that no memory stays behind
    Cycles(cycles::Options),
    /// Let a fuzzer think up inputs for everything that reads from outside
    Fuzz(fuzz::Options),
    /// Play simulated worlds around the engine, each from a seed, with everything that can go wrong
    Simulate(simulate::Options),
    /// Install the program `host` and the plugins for yourself
    Install,
}

fn main() -> ExitCode {
    match carry_out(&Verb::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn carry_out(verb: &Verb) -> anyhow::Result<()> {
    // As cargo says now, not as it was when this was compiled: a checkout may be moved.
    let folder = std::env::var_os("CARGO_MANIFEST_DIR").context("start this as `cargo xtask`")?;
    let root = Path::new(&folder).parent().context("xtask stands in the root of the repository")?;
    match verb {
        Verb::Plugins => {
            for component in plugins::build(root)? {
                println!("{}", component.display());
            }
            plugins::build_guests(root).map(drop)
        }
        Verb::Demo(options) => demo::demo(root, *options),
        Verb::Test(options) => test::test(root, *options),
        Verb::Bench(options) => bench::bench(root, *options),
        Verb::Soak(options) => soak::soak(root, *options),
        Verb::Cycles(options) => cycles::cycles(root, *options),
        Verb::Fuzz(options) => fuzz::fuzz(root, options),
        Verb::Simulate(options) => simulate::simulate(root, options),
        Verb::Install => install::install(root),
    }
}
