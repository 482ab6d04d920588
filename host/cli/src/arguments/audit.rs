//! `host audit`.

use clap::{Args, Subcommand};
use hostler_daemon::audit::Head;
use hostler_daemon::engine::time::Millis;

use crate::config::value::sum_of_parts;

/// `host audit`.
#[derive(Args, Debug)]
#[command(
    disable_help_subcommand = true,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:
  host audit                               everything, newest last
  host audit --since 2d --kind grant       what was allowed in the last two days
  host audit --run fix-login --json        one run, for a program
  host audit verify                        was anything changed, removed or added?
  host audit head                          the last entry, to be written down elsewhere

Kinds: host-started, admitted, grant, revoke, withdrawn, denied, launch, verify,
verified, landing, landed, reported, host-stopped; policy; and about the log itself
collected, healed, broken. Grants, launches and landings are on the disk before they
happen. No secret, prompt or output of an agent is in it: values are told by SHA-256."
)]
pub struct AuditArgs {
    /// What to do instead of listing.
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
    /// Which entries.
    #[command(flatten)]
    pub entries: EntriesArgs,
}

/// Which entries are listed.
#[derive(Args, Debug)]
pub struct EntriesArgs {
    /// Only entries of this kind; more than one may be named
    #[arg(long, value_name = "KIND")]
    pub kind: Vec<String>,
    /// Only this run: part of its id, or the task's key
    #[arg(long, value_name = "RUN")]
    pub run: Option<String>,
    /// Only what is not older: 30m, 12h, 2d
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub since: Option<Millis>,
    /// Write the lines of the log as they are
    #[arg(long)]
    pub json: bool,
}

/// What to do with the log.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Prove that nothing in it was changed, removed, added or moved
    #[command(after_help = "Examples:
  host audit verify
  host audit verify --head 134:6ec1…    also against a head that was kept elsewhere

Every entry holds the SHA-256 of the one before. That nothing is missing at the end is
told by the last entry's hash, which is kept beside the log and in the journal. Whoever
can write to the state directory can write all of that anew: only a head that was kept
elsewhere tells then. The exit code is 15 if something is wrong.")]
    Verify {
        /// A head from `host audit head` that was written down elsewhere
        #[arg(long, value_name = "N:HASH")]
        head: Option<Head>,
        /// Write JSON
        #[arg(long)]
        json: bool,
    },
    /// Print number and hash of the last entry
    #[command(after_help = "Examples:
  host audit head                        print it
  host audit head | ssh log tee -a head  keep it where this machine cannot change it")]
    Head,
}

fn age(text: &str) -> Result<Millis, String> {
    let length = sum_of_parts(text).filter(|length| length.0 > 0);
    length.ok_or_else(|| "a length of time with its unit, such as 30m, 12h or 2d".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_has_a_unit_and_is_not_nothing() {
        assert_eq!(age("2d"), Ok(Millis::minutes(2 * 24 * 60)));
        for wrong in ["", "0s", "2", "two days"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }
}
