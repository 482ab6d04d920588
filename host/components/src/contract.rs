//! Which interfaces of the contract a component exports.

use serde::Serialize;

use crate::refusal::Refusal;

/// The contract this host speaks.
pub const CONTRACT: &str = "hostler:plugin@0.1.0";

/// Every interface of any version of the contract begins like this.
const PACKAGE: &str = "hostler:plugin/";

/// What a plugin is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Speaks the protocol of a tracker.
    Tracker,
    /// Knows how to start and read a coding CLI.
    Provider,
}

impl Kind {
    /// All kinds, in the order in which they are shown.
    pub const ALL: [Self; 2] = [Self::Tracker, Self::Provider];

    /// The interface a plugin of this kind exports.
    pub const fn interface(self) -> &'static str {
        match self {
            Self::Tracker => "hostler:plugin/tracker@0.1.0",
            Self::Provider => "hostler:plugin/provider@0.1.0",
        }
    }

    /// The name of the interface without package and version.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tracker => "tracker",
            Self::Provider => "provider",
        }
    }
}

/// The kinds that these exports make, refusing other versions of the contract.
///
/// Versions must be equal: while the contract is 0.x, any change may be a
/// breaking one.
pub(crate) fn kinds(exports: &[String]) -> Result<Vec<Kind>, Refusal> {
    let foreign: Vec<String> = exports.iter().filter(|export| is_another_version(export)).cloned().collect();
    if !foreign.is_empty() {
        return Err(Refusal::WrongContract(foreign));
    }
    let kinds: Vec<Kind> = Kind::ALL
        .into_iter()
        .filter(|kind| exports.iter().any(|export| export == kind.interface()))
        .collect();
    if kinds.is_empty() {
        return Err(Refusal::NoInterface(exports.to_vec()));
    }
    Ok(kinds)
}

/// The contract that the exports name, as `hostler:plugin@VERSION`.
pub(crate) fn named_contract(exports: &[String]) -> Option<String> {
    exports.iter().find_map(|export| {
        let (interface, version) = export.strip_prefix(PACKAGE)?.split_once('@')?;
        is_ours(interface).then(|| format!("hostler:plugin@{version}"))
    })
}

fn is_ours(interface: &str) -> bool {
    Kind::ALL.iter().any(|kind| kind.name() == interface)
}

fn is_another_version(export: &str) -> bool {
    let Some(rest) = export.strip_prefix(PACKAGE) else {
        return false;
    };
    let interface = rest.split('@').next().unwrap_or(rest);
    is_ours(interface) && Kind::ALL.iter().all(|kind| kind.interface() != export)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn exports(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn both_interfaces_of_this_version_are_recognised() {
        let both = exports(&["hostler:plugin/provider@0.1.0", "hostler:plugin/tracker@0.1.0"]);
        assert_eq!(kinds(&both).unwrap(), [Kind::Tracker, Kind::Provider]);
        assert_eq!(named_contract(&both).as_deref(), Some(CONTRACT));
    }

    #[test]
    fn another_version_or_none_is_named_in_the_refusal() {
        for foreign in
            ["hostler:plugin/tracker@0.2.0", "hostler:plugin/tracker@0.1.1", "hostler:plugin/tracker"]
        {
            let error = kinds(&exports(&[foreign, "hostler:plugin/provider@0.1.0"])).unwrap_err();
            assert!(matches!(&error, Refusal::WrongContract(names) if names == &[foreign]));
            assert!(error.to_string().contains("rebuild it with hostler-sdk 0.1"));
        }
    }

    #[test]
    fn a_component_for_something_else_says_what_it_exports() {
        let error = kinds(&exports(&["wasi:cli/run@0.2.0"])).unwrap_err();
        assert!(error.to_string().contains("`wasi:cli/run@0.2.0`"), "{error}");
    }
}
