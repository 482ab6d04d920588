//! `host help`.

use clap::CommandFactory;

use crate::arguments::{Cli, HelpArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

/// Help on a command, on everything, or on the exit codes.
pub fn help(args: &HelpArgs) -> Result<(), Failure> {
    if args.topic.iter().map(String::as_str).eq(["exit-codes"]) {
        return output::print(&Exit::table());
    }
    let mut command = Cli::command();
    command.build();
    for word in &args.topic {
        let below = command.find_subcommand(word).cloned();
        command = below.ok_or_else(|| {
            let known: Vec<_> = command.get_subcommands().filter(|one| !one.is_hide_set()).collect();
            let known: Vec<_> = known.iter().map(|one| one.get_name()).collect();
            let known = if known.is_empty() { "nothing below it".to_owned() } else { known.join(", ") };
            Failure::new(
                Exit::Usage,
                format!("there is no help on `{word}`: there is {known}, and exit-codes"),
            )
        })?;
    }
    // A reader that has gone away wants no more help.
    let _ = command.print_help();
    Ok(())
}
