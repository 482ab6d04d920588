//! What an agent gets to see of the host's environment: a list of what it may,
//! never a list of what it may not.

use std::ffi::{OsStr, OsString};

/// Passed on as they are. A coding CLI needs them to find its programs, its
/// files and its language, and none of them is a secret.
const PASSED: [&str; 8] = ["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TMPDIR", "TZ"];

/// All variables of this kind say how to show text.
const PASSED_PREFIX: &str = "LC_";

/// What a terminal can do.
const TERMINAL: &str = "TERM";

/// The environment for an agent: the common names, the names the operator
/// granted, and the settings of the grant, which win. `TERM` is `dumb`, so that
/// nobody draws. Sorted by name, each name once.
///
/// The marker of the run is added at start, see [`crate::RUN_VARIABLE`].
pub fn agent_environment(
    host: &[(OsString, OsString)],
    granted: &[String],
    settings: &[(String, String)],
) -> Vec<(OsString, OsString)> {
    let passed =
        host.iter().filter(|(name, _)| is_common(name) || granted.iter().any(|grant| name == grant.as_str()));
    let settings = settings.iter().map(|(name, value)| (name.into(), value.into()));
    let mut environment = std::collections::BTreeMap::from([(TERMINAL.into(), "dumb".into())]);
    environment.extend(passed.cloned());
    environment.extend(settings);
    environment.into_iter().collect()
}

/// Whether agents see a variable of this name whatever is granted: it says where programs
/// and files are and how to show text, and is no secret.
pub fn is_always_seen(name: &OsStr) -> bool {
    name == TERMINAL || is_common(name)
}

fn is_common(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| PASSED.contains(&name) || name.starts_with(PASSED_PREFIX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
        pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    #[test]
    fn only_common_and_granted_names_pass() {
        let host = pairs(&[
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("TERM", "xterm"),
            ("TRAKKAR_TOKEN", "secret"),
            ("CLAUDECODE", "1"),
            ("ANTHROPIC_API_KEY", "key"),
            ("PATHS", "no"),
            ("LD_PRELOAD", "evil.so"),
        ]);
        assert_eq!(
            agent_environment(&host, &["ANTHROPIC_API_KEY".into(), "ABSENT".into()], &[]),
            pairs(&[("ANTHROPIC_API_KEY", "key"), ("LC_ALL", "C"), ("PATH", "/bin"), ("TERM", "dumb")])
        );
    }

    #[test]
    fn what_agents_see_without_any_grant_is_what_is_always_seen() {
        let host = pairs(&[("PATH", "/bin"), ("LC_ALL", "C"), ("TERM", "xterm"), ("API_KEY", "key")]);
        let seen = agent_environment(&host, &[], &[]);
        assert!(seen.iter().all(|(name, _)| is_always_seen(name)) && seen.len() == 3, "{seen:?}");
        assert!(!is_always_seen(OsStr::new("API_KEY")));
    }

    #[test]
    fn settings_of_the_grant_win() {
        let host = pairs(&[("HOME", "/home/me")]);
        let settings = [("HOME".to_owned(), "/run/home".to_owned()), ("CI".to_owned(), "1".to_owned())];
        assert_eq!(
            agent_environment(&host, &[], &settings),
            pairs(&[("CI", "1"), ("HOME", "/run/home"), ("TERM", "dumb")])
        );
    }

    #[test]
    fn a_granted_term_replaces_the_dumb_one() {
        assert_eq!(
            agent_environment(&pairs(&[("TERM", "xterm")]), &["TERM".into()], &[]),
            pairs(&[("TERM", "xterm")])
        );
    }
}
