//! See `hostler_tests::soak`; `cargo xtask soak` builds what it needs and starts it.

use std::process::ExitCode;

use clap::Parser;
use hostler_tests::soak::{Plan, soak};

/// The server remembers 10,000 requests, and a task takes about five.
const MOST_TASKS: u64 = 1_500;

/// Work through many tasks of a misbehaving server
#[derive(Parser)]
struct Arguments {
    /// How many tasks
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=MOST_TASKS))]
    tasks: u64,
    /// How many at once
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=256))]
    parallel: u32,
    /// How many percent of the requests go wrong
    #[arg(long)]
    faults: f64,
    /// Decides what goes wrong
    #[arg(long)]
    seed: u64,
}

fn main() -> ExitCode {
    let Arguments { tasks, parallel, faults, seed } = Arguments::parse();
    let tasks = usize::try_from(tasks).unwrap_or(usize::MAX);
    match soak(Plan { tasks, parallel, faults, seed }) {
        Ok(account) => {
            println!("{account}");
            if account.wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("soak: {error}");
            ExitCode::FAILURE
        }
    }
}
