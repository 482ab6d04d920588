//! The chores of this repository: `cargo xtask <verb>`.

mod plugins;

use std::path::Path;

use anyhow::Context;
use clap::Parser;

/// The chores of this repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Verb {
    /// Build every plugin to a component in target/plugins.
    Plugins,
}

fn main() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .context("xtask stands in the root of the repository")?;
    match Verb::parse() {
        Verb::Plugins => {
            for component in plugins::build(root)? {
                println!("{}", component.display());
            }
        }
    }
    Ok(())
}
