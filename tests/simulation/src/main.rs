//! Plays seeds; `cargo xtask simulate` builds and starts it.

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use hostler_engine::mutation::Mutation;
use hostler_simulation::campaign::{Campaign, explain};

/// How often the progress line is written.
const PROGRESS_EVERY: u64 = 2000;

/// Play simulated worlds around the engine, each from a seed
#[derive(Parser)]
#[command(name = "cargo xtask simulate")]
struct Options {
    /// How many seeds
    #[arg(long, default_value_t = 20_000)]
    seeds: u64,
    /// Play this one only, and tell its story if it fails
    #[arg(long)]
    seed: Option<u64>,
    /// The first seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Put a deliberate fault into the engine
    #[arg(long, value_name = "NAME")]
    mutation: Option<String>,
    /// On how many threads; all processors if not given
    #[arg(long)]
    jobs: Option<usize>,
    /// Begin no new seed after so many seconds
    #[arg(long, value_name = "SECONDS")]
    time: Option<u64>,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let mutation = options.mutation.as_deref().map(mutation).transpose()?;
    if let Some(seed) = options.seed {
        return Ok(tell(seed, mutation));
    }
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let campaign = Campaign {
        seeds: options.from..options.from.saturating_add(options.seeds),
        jobs: options.jobs.unwrap_or_else(cores),
        time: options.time.map(Duration::from_secs),
        mutation,
    };
    let start = Instant::now();
    let tally = campaign.play(|begun| {
        if begun.is_multiple_of(PROGRESS_EVERY) && begun > 0 {
            eprint!("\r{begun} of {} seeds", options.seeds);
            // Progress is a courtesy; a closed terminal is no reason to stop.
            let _ = std::io::stderr().flush();
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    #[allow(clippy::cast_precision_loss)]
    let rate = tally.seeds as f64 / seconds;
    eprintln!();
    println!(
        "{} seeds in {seconds:.1} s ({rate:.0} each second): {} events, {} agents",
        tally.seeds, tally.events, tally.agents
    );
    Ok(tally.failed.map_or(ExitCode::SUCCESS, |seed| tell(seed, mutation)))
}

fn tell(seed: u64, mutation: Option<Mutation>) -> ExitCode {
    if let Some(story) = explain(seed, mutation) {
        println!("{story}");
        return ExitCode::FAILURE;
    }
    println!("seed {seed}: every invariant holds");
    ExitCode::SUCCESS
}

fn mutation(name: &str) -> anyhow::Result<Mutation> {
    let names = || Mutation::ALL.map(Mutation::name).join(", ");
    Mutation::ALL
        .into_iter()
        .find(|mutation| mutation.name() == name)
        .with_context(|| format!("there is no mutation `{name}`; there are: {}", names()))
}
