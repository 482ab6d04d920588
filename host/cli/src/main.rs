//! `host`: the program people meet.
//!
//! It reads settings ([`config`]), asks for grants, starts a host or asks one, and
//! draws what comes back ([`screens`], pure). It never decides anything about runs
//! and knows no crate of this project but the daemon.
//!
//! Each file of [`commands`] is one command; [`arguments`] is the whole command
//! line; [`exit`] the exit codes.

mod arguments;
mod commands;
mod config;
mod context;
mod exit;
mod failure;
mod found;
mod grant;
mod inside;
mod keyring;
mod log;
mod output;
mod page;
mod paint;
mod person;
mod progress;
mod question;
mod reach;
mod screens;
mod setup;
mod table;
mod text;
mod usage;

use std::process::ExitCode;

use clap::Parser;

use crate::arguments::Cli;
use crate::context::{Context, PROVE, SHIM};

fn main() -> ExitCode {
    // Before anything else: a supervisor may live for days, and pays for what it touches.
    if std::env::args_os().skip(1).eq([SHIM]) {
        return hostler_daemon::shim_main();
    }
    if let [word, file] = &std::env::args_os().skip(1).collect::<Vec<_>>()[..]
        && word == PROVE
    {
        return prove(std::path::Path::new(file));
    }
    let words: Vec<String> = std::env::args_os().skip(1).filter_map(|word| word.into_string().ok()).collect();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage::tell(&error, &words),
    };
    match Context::from_process().and_then(|context| commands::execute(cli.command, &context)) {
        Ok(code) => code,
        Err(failure) => {
            output::complain(&failure);
            failure.exit.into()
        }
    }
}

/// Tries a plugin out under limits, for the `host plugin install` that started this.
fn prove(file: &std::path::Path) -> ExitCode {
    let (line, proven) = match Context::from_process() {
        Ok(context) => hostler_daemon::proving::prove_here(&context.home, file),
        Err(failure) => (failure.to_string(), false),
    };
    let said = output::line(line);
    if proven && said.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
