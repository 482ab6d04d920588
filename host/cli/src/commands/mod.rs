//! One file per command: it reads, asks and hands on; what people see is drawn by
//! [`crate::screens`].

mod audit;
mod config;
mod detach;
mod disk;
mod doctor;
mod explain;
mod gc;
mod help;
mod logs;
mod message;
mod plugin;
mod policy;
mod replay;
mod run;
mod runs;
mod secret;
mod setup;
mod show;
mod standing;
mod status;
mod stop;

use std::process::ExitCode;

use hostler_daemon::history::History;
use hostler_daemon::view::RunView;

use crate::arguments::Command;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Carries out one command.
pub fn execute(command: Command, context: &Context) -> Result<ExitCode, Failure> {
    let done = |result: Result<(), Failure>| result.map(|()| Exit::Ok.into());
    match command {
        Command::Run(args) => in_runtime(run::run(&args, context)),
        Command::Setup(args) => done(in_runtime(setup::setup(&args, context))),
        Command::Runs(args) => done(runs::runs(&args, context)),
        Command::Show(args) => done(show::show(&args, context)),
        Command::Logs(args) => done(logs::logs(&args, context)),
        Command::Stop(args) => done(in_runtime(stop::stop(&args, context))),
        Command::Message(args) => done(in_runtime(message::message(&args, context))),
        Command::Detach => done(in_runtime(detach::detach(context))),
        Command::Status(args) => done(in_runtime(status::status(&args, context))),
        Command::Explain(args) => done(explain::explain(&args, context)),
        Command::Replay(args) => in_runtime(replay::replay(&args, context)),
        Command::Audit(args) => done(audit::audit(&args, context)),
        Command::Disk(args) => done(disk::disk(&args, context)),
        Command::Gc(args) => done(gc::gc(&args, context)),
        Command::Doctor(args) => in_runtime(doctor::doctor(&args, context)),
        Command::Plugin(args) => done(plugin::plugin(args.command, context)),
        Command::Policy(args) => policy::policy(args.command, context),
        Command::Secret(args) => done(secret::secret(args.command, context)),
        Command::Config(args) => done(config::config(args.command, context)),
        Command::Help(args) => done(help::help(&args)),
    }
}

/// Runs a command that waits for many things at once.
fn in_runtime<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        let remedy = "the system may be out of threads or memory";
        Failure::new(Exit::Failed, format!("threads cannot be started ({error}); {remedy}"))
    })?;
    runtime.block_on(work)
}

/// The run that a person means.
fn find_run(name: &str, context: &Context) -> Result<(History, RunView), Failure> {
    let absent = || {
        Failure::new(
            Exit::Absent,
            format!("no run matches `{name}`: no host has run here yet; start one with `host run`"),
        )
    };
    let history = History::open(&context.home)?.ok_or_else(absent)?;
    let run = history.run(name)?;
    Ok((history, run))
}
