//! The person the host works for: whose configuration, keys and name are used
//! where the host acts at a remote.

use std::ffi::{OsStr, OsString};

/// What network commands may see of the operator's environment: where the
/// configuration and keys are, how to reach the network, and nothing else.
const PASSED_ON: &[&str] = &[
    "HOME",
    "USER",
    "LOGNAME",
    "PATH",
    "TMPDIR",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_STATE_HOME",
    "XDG_CACHE_HOME",
    "XDG_RUNTIME_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "GNUPGHOME",
    "KRB5CCNAME",
    "SSH_AUTH_SOCK",
    "GIT_SSH_COMMAND",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
];

/// What the GitHub command line sees besides.
const FOR_GH: &[&str] =
    &["GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN", "GH_CONFIG_DIR"];

/// The part of an environment that acting in the operator's name needs.
///
/// Values are never shown, not even by `Debug`: some of them are tokens.
#[derive(Clone, Default)]
pub struct Operator {
    variables: Vec<(OsString, OsString)>,
    for_gh: Vec<(OsString, OsString)>,
}

impl Operator {
    /// Who started this process.
    pub fn from_environment() -> Self {
        Self::new(std::env::vars_os())
    }

    /// Takes what is needed out of `environment`.
    pub fn new(environment: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut operator = Self::default();
        for (name, value) in environment {
            let is_in = |list: &[&str]| list.iter().any(|known| name == *known);
            if is_in(PASSED_ON) {
                operator.variables.push((name, value));
            } else if is_in(FOR_GH) {
                operator.for_gh.push((name, value));
            }
        }
        operator
    }

    /// For every command that uses the network.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }

    /// For the GitHub command line only.
    pub(crate) fn variables_for_gh(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        let own = self.for_gh.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()));
        self.variables().chain(own)
    }

    /// One of the variables every network command sees.
    pub(crate) fn get(&self, name: &str) -> Option<&OsStr> {
        self.variables().find(|(known, _)| *known == name).map(|(_, value)| value)
    }
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&OsString> = self.variables.iter().chain(&self.for_gh).map(|(name, _)| name).collect();
        f.debug_tuple("Operator").field(&names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operator() -> Operator {
        let pairs =
            [("HOME", "/home/a"), ("GH_TOKEN", "t0ken"), ("GIT_DIR", "/evil"), ("TRAKKAR_TOKEN", "s")];
        Operator::new(pairs.map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn only_what_is_needed_is_passed_on_and_tokens_only_to_gh() {
        let names = |list: Vec<(&OsStr, &OsStr)>| -> Vec<String> {
            list.iter().map(|(name, _)| name.to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names(operator().variables().collect()), ["HOME"]);
        assert_eq!(names(operator().variables_for_gh().collect()), ["HOME", "GH_TOKEN"]);
    }

    #[test]
    fn debug_output_shows_no_value() {
        assert!(!format!("{:?}", operator()).contains("t0ken"));
    }
}
