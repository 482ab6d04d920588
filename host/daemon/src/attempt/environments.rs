//! Environment variables that trackers give for agents: kept in memory, handed to
//! the agent's process, and forgotten. Never written down.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::{Mutex, PoisonError};

use hostler_components::operation::AgentEnvironment;
use hostler_engine::task::RunId;

/// Names that decide which programs and libraries are run, or that carry the
/// host's own marks: no tracker sets them.
const RESERVED: [&str; 7] = ["PATH", "HOME", "SHELL", "IFS", "ENV", "BASH_ENV", "NODE_OPTIONS"];

/// The same for whole families of names.
const RESERVED_PREFIXES: [&str; 5] = ["LD_", "DYLD_", "HOSTLER_", "GIT_", "PYTHON"];

/// The variables of all runs.
#[derive(Default)]
pub struct Environments(Mutex<BTreeMap<RunId, AgentEnvironment>>);

impl Environments {
    /// Keeps the variables of a run until it is closed.
    pub fn keep(&self, run: RunId, variables: AgentEnvironment) {
        if !variables.reveal().is_empty() {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(run, variables);
        }
    }

    /// The variables of a run, if this host still has them.
    pub fn of(&self, run: &RunId) -> Option<AgentEnvironment> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(run).cloned()
    }

    /// Forgets the variables of a run.
    pub fn forget(&self, run: &RunId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
    }
}

/// Adds a tracker's variables below the operator's: what is there already wins, and
/// reserved names are left out.
pub fn merge(
    mut operators: Vec<(OsString, OsString)>,
    trackers: &AgentEnvironment,
) -> Vec<(OsString, OsString)> {
    for (name, value) in trackers.reveal() {
        let taken = operators.iter().any(|(there, _)| there.as_os_str() == name.as_str());
        if taken || !is_allowed(name) || value.contains('\0') {
            tracing::warn!("the environment variable {name:?} of the task is left out");
            continue;
        }
        operators.push((name.into(), value.into()));
    }
    operators
}

/// The variables but for those that are withheld. What every program needs to be found
/// and to find itself is never among them.
pub fn withhold(mut operators: Vec<(OsString, OsString)>, withheld: &[String]) -> Vec<(OsString, OsString)> {
    operators
        .retain(|(name, _)| !withheld.iter().any(|own| name.as_os_str() == own.as_str() && is_allowed(own)));
    operators
}

fn is_allowed(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    starts_well
        && name.chars().all(plain)
        && !RESERVED.contains(&name)
        && !RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> AgentEnvironment {
        AgentEnvironment::new(pairs.iter().map(|&(name, value)| (name.into(), value.into())).collect())
    }

    #[test]
    fn a_tracker_adds_variables_but_replaces_none_and_sets_nothing_that_runs_programs() {
        let operators = vec![("PATH".into(), "/bin".into()), ("MODE".into(), "mine".into())];
        let trackers = given(&[
            ("API_BASE", "x"),
            ("MODE", "theirs"),
            ("PATH", "/evil"),
            ("LD_PRELOAD", "evil.so"),
            ("GIT_SSH_COMMAND", "evil"),
            ("HOSTLER_RUN", "other"),
            ("A=B", "x"),
            ("", "x"),
        ]);
        let merged = merge(operators, &trackers);
        let expected: Vec<(OsString, OsString)> = vec![
            ("PATH".into(), "/bin".into()),
            ("MODE".into(), "mine".into()),
            ("API_BASE".into(), "x".into()),
        ];
        assert_eq!(merged, expected);
    }

    #[test]
    fn what_is_withheld_is_not_there_and_what_programs_need_always_is() {
        let operators: Vec<(OsString, OsString)> =
            ["PATH", "ANTHROPIC_API_KEY", "LANG"].map(|name| (name.into(), "x".into())).into();
        let withheld = ["ANTHROPIC_API_KEY", "PATH", "ABSENT"].map(str::to_owned);
        let left: Vec<OsString> = withhold(operators, &withheld).into_iter().map(|(name, _)| name).collect();
        assert_eq!(left, ["PATH", "LANG"]);
    }

    #[test]
    fn values_are_never_printed() {
        let printed = format!("{:?}", given(&[("TOKEN", "hunter2")]));
        assert!(printed.contains("TOKEN") && !printed.contains("hunter2"), "{printed}");
    }
}
