//! What can be connected to, in normal form, and how rules name it. Pure.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use url::Host;

use crate::rights::Origin;

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    host: String,
    port: u16,
}

impl Endpoint {
    /// Brings a host into the one form in which it is matched and dialled: lower case,
    /// an address in its usual spelling however it was written, IPv6 in brackets.
    /// `None` for what is no host, and for port 0.
    pub fn new(host: &str, port: u16) -> Option<Self> {
        let host = normal(host)?.to_string();
        (port != 0).then_some(Self { host, port })
    }

    /// A name in lower case without a trailing dot, or an address; IPv6 in brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Never 0.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address that the host is, if it is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// The same with a scheme, by which proxies are chosen.
    pub fn origin(&self, scheme: &str) -> Origin {
        Origin { scheme: scheme.to_owned(), host: self.host.clone(), port: self.port }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn normal(host: &str) -> Option<Host> {
    match Host::parse(host).ok()? {
        Host::Domain(name) => {
            let name = name.strip_suffix('.').unwrap_or(&name);
            let named = !name.is_empty() && !name.starts_with('.') && !name.ends_with('.');
            named.then(|| Host::Domain(name.to_owned()))
        }
        address => Some(address),
    }
}

/// What a rule covers: `registry.npmjs.org:443`, `*.example.com:443` for all names
/// below one, `example.com:*` for every port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Destination {
    host: Pattern,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Exactly(String),
    /// The name behind the `*.`.
    Below(String),
}

/// Why a text is no destination.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a destination for agents: write it like `registry.npmjs.org:443`, \
     or like `*.example.com:443` for all names below one"
)]
pub struct DestinationError(pub String);

impl Destination {
    /// Whether it covers this host and port.
    pub fn covers(&self, to: &Endpoint) -> bool {
        let host = match &self.host {
            Pattern::Exactly(host) => *host == to.host,
            Pattern::Below(name) => {
                let below = to.host.strip_suffix(name.as_str()).and_then(|rest| rest.strip_suffix('.'));
                to.address().is_none() && below.is_some_and(|rest| !rest.is_empty())
            }
        };
        host && self.port.is_none_or(|port| port == to.port)
    }

    /// Whether it covers everything that the other covers.
    pub fn includes(&self, other: &Self) -> bool {
        let host = match (&self.host, &other.host) {
            (Pattern::Below(above), Pattern::Exactly(name) | Pattern::Below(name)) => {
                self.host == other.host
                    || name.strip_suffix(above.as_str()).is_some_and(|rest| rest.ends_with('.'))
            }
            (Pattern::Exactly(_), _) => self.host == other.host,
        };
        host && (self.port.is_none() || self.port == other.port)
    }
}

impl TryFrom<String> for Destination {
    type Error = DestinationError;

    fn try_from(text: String) -> Result<Self, DestinationError> {
        text.parse()
    }
}

impl From<Destination> for String {
    fn from(destination: Destination) -> Self {
        destination.to_string()
    }
}

impl FromStr for Destination {
    type Err = DestinationError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || DestinationError(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = match port {
            "*" => None,
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(digits.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?)
            }
            _ => return Err(wrong()),
        };
        let (host, below) = host.strip_prefix("*.").map_or((host, false), |name| (name, true));
        let host = match normal(host).filter(|_| !host.contains('*')) {
            Some(Host::Domain(name)) if below => Pattern::Below(name),
            Some(host) if !below => Pattern::Exactly(host.to_string()),
            _ => return Err(wrong()),
        };
        Ok(Self { host, port })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Pattern::Exactly(host) => f.write_str(host)?,
            Pattern::Below(name) => write!(f, "*.{name}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => f.write_str(":*"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn covers(rule: &str, host: &str, port: u16) -> bool {
        let rule: Destination = rule.parse().unwrap();
        rule.covers(&Endpoint::new(host, port).unwrap())
    }

    #[test]
    fn a_host_is_the_same_however_it_is_spelt() {
        for (written, normal) in [
            ("GitHub.com", "github.com"),
            ("github.com.", "github.com"),
            ("127.1", "127.0.0.1"),
            ("0x7f.0.0.1", "127.0.0.1"),
            ("2130706433", "127.0.0.1"),
            ("[::FFFF:10.0.0.1]", "[::ffff:a00:1]"),
            ("bücher.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(Endpoint::new(written, 443).unwrap().host(), normal, "{written}");
        }
        for wrong in ["", ".", "a..", ".a", "a b", "a/b", "a@b", "[::1", "a:1", "a\0b", "a#b", "a?b"] {
            assert_eq!(Endpoint::new(wrong, 443), None, "{wrong:?}");
        }
        assert_eq!(Endpoint::new("a.example", 0), None);
    }

    #[test]
    fn a_destination_covers_its_host_and_port_and_nothing_beside() {
        assert!(covers("A.example:443", "a.example.", 443));
        assert!(!covers("a.example:443", "a.example", 80));
        assert!(!covers("a.example:443", "b.a.example", 443));
        assert!(!covers("a.example:443", "xa.example", 443));
        assert!(covers("a.example:*", "a.example", 1));
        assert!(covers("127.0.0.1:80", "127.1", 80));
        assert!(covers("[::1]:80", "[0::1]", 80));
    }

    #[test]
    fn a_star_covers_what_is_below_a_name_and_not_the_name() {
        assert!(covers("*.a.example:443", "b.a.example", 443));
        assert!(covers("*.a.example:443", "c.b.a.example", 443));
        assert!(!covers("*.a.example:443", "a.example", 443));
        assert!(!covers("*.a.example:443", "xa.example", 443));
        assert!(!covers("*.a.example:443", "a.example.evil.example", 443));
    }

    #[test]
    fn a_destination_includes_what_it_covers_more_narrowly() {
        let includes = |wide: &str, narrow: &str| {
            let (wide, narrow): (Destination, Destination) = (wide.parse().unwrap(), narrow.parse().unwrap());
            wide.includes(&narrow)
        };
        assert!(includes("a.example:443", "A.example.:443") && includes("a.example:*", "a.example:443"));
        assert!(includes("*.example:443", "a.example:443") && includes("*.example:443", "*.a.example:443"));
        assert!(includes("*.example:443", "*.example:443"));
        assert!(!includes("a.example:443", "a.example:*") && !includes("a.example:443", "*.a.example:443"));
        assert!(!includes("*.example:443", "example:443") && !includes("*.example:443", "badexample:443"));
    }

    #[test]
    fn what_is_no_destination_is_refused_with_how_to_write_one() {
        for wrong in [
            "a.example",
            "a.example:",
            "a.example:0",
            "a.example:65536",
            "a.example:+1",
            "*:443",
            "*.:443",
            "a.*.example:443",
            "*.*.example:443",
            "*.0.0.1:443",
            "https://a.example:443",
            "me@a.example:443",
            "",
        ] {
            let error = wrong.parse::<Destination>().unwrap_err();
            assert!(error.to_string().contains("write it like"), "{wrong}");
        }
        for fine in ["a.example:443", "*.a.example:65535", "[::1]:1", "a.example:*"] {
            assert_eq!(fine.parse::<Destination>().unwrap().to_string(), fine);
        }
    }
}
