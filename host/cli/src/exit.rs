//! How the program ends: exit codes that scripts can rely on.

use std::process::ExitCode;

/// Why the program ended. The numbers are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything went well.
    Ok = 0,
    /// It failed for a reason that has no number of its own.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A setting is missing or wrong.
    Configuration = 3,
    /// A plugin was not found or cannot be used.
    Plugin = 4,
    /// A plugin lacks the operator's grant, or the organisation's policy denies something.
    Grant = 5,
    /// The repository cannot be used.
    Repository = 6,
    /// A program is missing: git, or a provider's CLI.
    Program = 7,
    /// Another host runs on this state.
    Busy = 8,
    /// The record cannot be read or written.
    Record = 9,
    /// With `--once`: a task did not succeed.
    Task = 10,
    /// There is no such run, or no host is running.
    Absent = 11,
    /// A replay came out differently.
    Differs = 12,
    /// A plugin asks for more than another build of it.
    Grows = 13,
    /// A message reached no agent.
    NotHeard = 14,
    /// The audit log is not what was written.
    Tampered = 15,
}

impl Exit {
    /// All of them, in order.
    pub const ALL: [Self; 16] = [
        Self::Ok,
        Self::Failed,
        Self::Usage,
        Self::Configuration,
        Self::Plugin,
        Self::Grant,
        Self::Repository,
        Self::Program,
        Self::Busy,
        Self::Record,
        Self::Task,
        Self::Absent,
        Self::Differs,
        Self::Grows,
        Self::NotHeard,
        Self::Tampered,
    ];

    /// The number that the shell sees.
    pub const fn code(self) -> u8 {
        self as u8
    }

    /// What it means, for the manual.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "everything went well",
            Self::Failed => "it failed for a reason that has no number of its own",
            Self::Usage => "the command line is wrong",
            Self::Configuration => "a setting is missing or wrong",
            Self::Plugin => "a plugin was not found or cannot be used",
            Self::Grant => {
                "a plugin lacks your grant (`host plugin allow`), or a policy denies it (`host policy check`)"
            }
            Self::Repository => "the repository cannot be used",
            Self::Program => "a program is missing: git, or a provider's CLI",
            Self::Busy => "another host runs on this state directory",
            Self::Record => "the record cannot be read or written (disk full, damaged)",
            Self::Task => "a task did not succeed (only `host run --once`)",
            Self::Absent => "there is no such run, or no host is running",
            Self::Differs => "a run was not decided the same way again (only `host replay`)",
            Self::Grows => "a plugin asks for more than an earlier build (`host plugin diff` and `install`)",
            Self::NotHeard => "no agent took the message (only `host message`)",
            Self::Tampered => "the audit log was changed or cut off (only `host audit verify`)",
        }
    }

    /// The table of `host help exit-codes`.
    pub fn table() -> String {
        let lines = Self::ALL.iter().map(|exit| format!("  {:>2}  {}\n", exit.code(), exit.meaning()));
        format!("Exit codes:\n{}", lines.collect::<String>())
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_is_its_place_in_the_table() {
        for (place, exit) in Exit::ALL.iter().enumerate() {
            assert_eq!(usize::from(exit.code()), place);
        }
    }

    #[test]
    fn the_table_of_exit_codes_reads_well() {
        insta::assert_snapshot!(Exit::table());
    }
}
