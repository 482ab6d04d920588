//! `soak TASKS PARALLEL FAULTS SEED`: see `hostler_tests::soak`. `cargo xtask soak`
//! builds what it needs, knows the defaults, and starts it.

use std::process::ExitCode;

use hostler_tests::soak::{Plan, soak};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(plan) = plan(&words) else {
        eprintln!("soak: four numbers are needed, TASKS PARALLEL FAULTS SEED; `cargo xtask soak` gives them");
        return ExitCode::FAILURE;
    };
    match soak(plan) {
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

fn plan(words: &[String]) -> Option<Plan> {
    let [tasks, parallel, faults, seed] = words else { return None };
    Some(Plan {
        tasks: tasks.parse().ok()?,
        parallel: parallel.parse().ok()?,
        faults: faults.parse().ok()?,
        seed: seed.parse().ok()?,
    })
}
