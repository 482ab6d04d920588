//! Names of machines, as policies write them: exactly one, or all below one.

use std::fmt;

use url::Host;

/// Which machines are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostName {
    /// This one.
    Exactly(String),
    /// Every name below this one, and not the name itself.
    Below(String),
}

impl HostName {
    /// Reads `api.example.com` or `*.example.com`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let Some(parent) = text.strip_prefix("*.") else {
            return normal(text).map(Self::Exactly).ok_or_else(|| format!("`{text}` is not a host name"));
        };
        match Host::parse(parent) {
            Ok(Host::Domain(_)) => normal(parent).map(Self::Below),
            _ => None,
        }
        .ok_or_else(|| {
            format!("`{text}` is not a host name: `*.` stands before a name, such as `*.example.com`")
        })
    }

    /// Whether a machine's name is meant, in whatever way it is spelled.
    pub(crate) fn covers(&self, host: &str) -> bool {
        let Some(host) = normal(host) else { return false };
        match self {
            Self::Exactly(name) => *name == host,
            Self::Below(parent) => {
                let label = host.strip_suffix(parent.as_str()).and_then(|rest| rest.strip_suffix('.'));
                label.is_some_and(|label| !label.is_empty())
            }
        }
    }
}

/// As policies write it.
impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(name) => f.write_str(name),
            Self::Below(parent) => write!(f, "*.{parent}"),
        }
    }
}

/// One spelling for each machine: lower case, no dot at the end, addresses in brackets
/// if they need them.
fn normal(host: &str) -> Option<String> {
    let parsed = Host::parse(host).or_else(|_| Host::parse(&format!("[{host}]"))).ok()?;
    let name = parsed.to_string();
    let name = name.strip_suffix('.').unwrap_or(&name);
    (!name.is_empty() && !name.contains('*')).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_name_is_itself_however_it_is_spelled_and_no_other() {
        let name = HostName::parse("Api.Example.com").unwrap();
        for same in ["api.example.com", "API.example.COM", "api.example.com."] {
            assert!(name.covers(same), "{same}");
        }
        for other in ["example.com", "x.api.example.com", "api.example.com.evil.test", "api-example.com", ""]
        {
            assert!(!name.covers(other), "{other}");
        }
        assert!(HostName::parse("::1").unwrap().covers("[::1]"));
    }

    #[test]
    fn a_star_stands_for_every_name_below_and_not_for_the_name_itself() {
        let names = HostName::parse("*.example.com").unwrap();
        assert!(names.covers("a.example.com") && names.covers("a.b.EXAMPLE.com."));
        for other in ["example.com", ".example.com", "evilexample.com", "a.example.com.evil.test"] {
            assert!(!names.covers(other), "{other}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for wrong in ["", "*", "*.", "a*.example.com", "*.*.example.com", "*.127.0.0.1", "a b", "a/b"] {
            assert!(HostName::parse(wrong).is_err(), "{wrong}");
        }
    }
}
