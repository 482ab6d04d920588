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
mod log;
mod output;
mod page;
mod paint;
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
use crate::context::{Context, SHIM};

fn main() -> ExitCode {
    // Before anything else: a supervisor may live for days, and pays for what it touches.
    if std::env::args_os().skip(1).eq([SHIM]) {
        return hostler_daemon::shim_main();
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
