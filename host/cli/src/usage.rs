//! A wrong command line, told in one sentence instead of a page.

use std::process::ExitCode;

use clap::CommandFactory;
use clap::error::ErrorKind;

use crate::arguments::Cli;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output;

/// Prints help where it was asked for, else what is wrong.
pub fn tell(error: &clap::Error, words: &[String]) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that has gone away wants no more help.
            let _ = error.print();
            Exit::Ok.into()
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            Exit::Usage.into()
        }
        _ => {
            output::complain(&Failure::new(Exit::Usage, sentence(error, words)));
            Exit::Usage.into()
        }
    }
}

/// What is wrong, what was perhaps meant, and where to read on.
fn sentence(error: &clap::Error, words: &[String]) -> String {
    let rendered = error.to_string();
    let mut parts = rendered.split("\n\n");
    let what = parts.next().unwrap_or_default().trim_start_matches("error: ");
    let tips = parts.filter_map(|part| part.trim().strip_prefix("tip: ")).map(str::trim);
    let said = std::iter::once(what).chain(tips).collect::<Vec<_>>().join("; ");
    format!("{said}; see `{} --help`", command(words))
}

/// `host plugin try`: the commands among the words, as deep as they go.
fn command(words: &[String]) -> String {
    let mut command = Cli::command();
    let mut path = "host".to_owned();
    for word in words {
        if let Some(below) = command.find_subcommand(word).cloned() {
            path = format!("{path} {word}");
            command = below;
        }
    }
    path
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use clap::Parser;

    fn said(words: &str) -> String {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        sentence(&Cli::try_parse_from(&words).unwrap_err(), words.get(1..).unwrap())
    }

    #[test]
    fn a_wrong_command_line_is_told_in_one_sentence_with_a_way_on() {
        let all = [
            "host rnus",
            "host run --slot 2",
            "host show",
            "host runs --limit 0",
            "host run --log-format xml",
            "host show a --diff --json",
        ];
        insta::assert_snapshot!(all.map(said).map(|text| crate::text::one_line(&text)).join("\n"));
    }

    #[test]
    fn every_command_explains_itself_with_examples() {
        fn visit(command: &mut clap::Command, pages: &mut String) {
            let name = command.get_name().to_owned();
            let help = command.clone().render_help().to_string();
            if !command.is_hide_set() {
                assert!(help.contains("Examples:"), "{name}");
                pages.extend(["==== ", &name, " ====\n", &help, "\n"]);
            }
            for below in command.get_subcommands_mut() {
                visit(below, pages);
            }
        }
        let mut command = Cli::command();
        command.build();
        let mut pages = String::new();
        visit(&mut command, &mut pages);
        insta::assert_snapshot!(pages);
    }
}
