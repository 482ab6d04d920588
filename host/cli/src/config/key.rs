//! The settings there are, and the names each goes by.

use std::collections::BTreeMap;

use super::error::ConfigError;
use super::file::Given;
use super::origin::Origin;

/// A setting with one value (or one list).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The tracker plugin.
    Plugin,
    /// The provider plugins; the first is the default.
    Provider,
    /// The model, where the tracker wishes none.
    Model,
    /// What agents may do, where the tracker wishes nothing.
    Permission,
    /// The most a task may ask for.
    PermissionCeiling,
    /// Runs at once.
    Slots,
    /// Attempts per run.
    Attempts,
    /// Time for one attempt.
    TimeLimit,
    /// Longest silence of an agent.
    StallLimit,
    /// Tokens for one run.
    TokenLimit,
    /// US dollars for one run.
    CostLimit,
    /// Memory for one attempt.
    MemoryLimit,
    /// Processors for one attempt.
    CpuLimit,
    /// How the processes of an attempt are held together.
    Containment,
    /// What the git of agents works with.
    Isolation,
    /// How far agents are walled in.
    Sandbox,
    /// How far finished work may land.
    Landing,
    /// Whether verify commands of trackers are run.
    Verify,
    /// Time for one of them.
    VerifyLimit,
    /// What coming back from a pull request has its task go on.
    FollowUp,
    /// Whether to work in folders that are in no git repository.
    InPlace,
    /// How much the signatures of plugins matter.
    Signatures,
    /// What trackers call this host.
    Name,
}

impl Key {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 23] = [
        Self::Plugin,
        Self::Provider,
        Self::Model,
        Self::Permission,
        Self::PermissionCeiling,
        Self::Slots,
        Self::Attempts,
        Self::TimeLimit,
        Self::StallLimit,
        Self::TokenLimit,
        Self::CostLimit,
        Self::MemoryLimit,
        Self::CpuLimit,
        Self::Containment,
        Self::Isolation,
        Self::Sandbox,
        Self::Landing,
        Self::Verify,
        Self::VerifyLimit,
        Self::FollowUp,
        Self::InPlace,
        Self::Signatures,
        Self::Name,
    ];

    /// As it stands in a file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plugin => "plugin",
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Permission => "permission",
            Self::PermissionCeiling => "permission-ceiling",
            Self::Slots => "slots",
            Self::Attempts => "attempts",
            Self::TimeLimit => "time-limit",
            Self::StallLimit => "stall-limit",
            Self::TokenLimit => "token-limit",
            Self::CostLimit => "cost-limit",
            Self::MemoryLimit => "memory-limit",
            Self::CpuLimit => "cpu-limit",
            Self::Containment => "containment",
            Self::Isolation => "isolation",
            Self::Sandbox => "sandbox",
            Self::Landing => "landing",
            Self::Verify => "verify",
            Self::VerifyLimit => "verify-limit",
            Self::FollowUp => "follow-up",
            Self::InPlace => "in-place",
            Self::Signatures => "signatures",
            Self::Name => "name",
        }
    }

    /// The key with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|key| key.name() == name)
    }

    /// As a flag: `--time-limit`.
    pub fn flag(self) -> String {
        format!("--{}", self.name())
    }

    /// As an environment variable: `HOSTLER_TIME_LIMIT`.
    pub fn environment(self) -> String {
        format!("HOSTLER_{}", self.name().to_ascii_uppercase().replace('-', "_"))
    }

    /// Whether a repository may set it: whoever can write to the repository must
    /// not gain anything by it.
    pub const fn allowed_in_repository(self) -> bool {
        matches!(self, Self::Provider | Self::Model)
    }
}

/// Refuses a table with a name that is none of these.
pub fn check_names(table: &BTreeMap<String, Given>, known: &[&str]) -> Result<(), ConfigError> {
    match table.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, given)) => Err(unknown(name, known.iter().copied(), given.origin.clone())),
        None => Ok(()),
    }
}

/// Nobody knows this name; perhaps one of these was meant.
pub fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>, place: Origin) -> ConfigError {
    let nearest = nearest(name, known).into_iter().map(str::to_owned).collect();
    ConfigError::UnknownKey { place, key: name.to_owned(), nearest }
}

/// The known names nearest to a mistyped one, best first; at most two, and the second
/// only if it is about as near.
fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut close: Vec<(usize, &str)> = known
        .map(|name| (strsim::osa_distance(typed, name), name))
        .filter(|(distance, name)| *distance <= name.len().max(typed.len()) / 2)
        .collect();
    close.sort_unstable();
    let best = close.first().map_or(0, |(distance, _)| *distance);
    close
        .into_iter()
        .take_while(|(distance, _)| *distance <= best + 1)
        .take(2)
        .map(|(_, name)| name)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typo_finds_what_was_meant() {
        let known = || Key::ALL.into_iter().map(Key::name);
        assert_eq!(nearest("slot", known()), ["slots"]);
        assert_eq!(nearest("time_limit", known()), ["time-limit"]);
        assert_eq!(nearest("xyzzy", known()), [""; 0]);
    }
}
