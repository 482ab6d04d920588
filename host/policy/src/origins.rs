//! Which addresses plugins may be sent to, and which agents may reach.

use std::fmt;

use hostler_engine::rights::Origin;

use crate::host_name::HostName;

/// Origins of HTTP requests: `https://api.example.com`, `https://*.example.com:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OriginRule {
    scheme: String,
    host: HostName,
    port: u16,
}

impl OriginRule {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (below, plain) = match text.split_once("://*.") {
            Some((scheme, parent)) => (true, format!("{scheme}://{parent}")),
            None => (false, text.to_owned()),
        };
        let origin = Origin::of(&plain).map_err(|error| error.to_string())?;
        let alone = |url: &url::Url| url.path() == "/" && url.query().is_none() && url.fragment().is_none();
        if !url::Url::parse(&plain).is_ok_and(|url| alone(&url)) {
            return Err(format!("`{text}` is more than an origin: leave out what follows the host and port"));
        }
        let host = HostName::parse(&format!("{}{}", if below { "*." } else { "" }, origin.host))?;
        Ok(Self { scheme: origin.scheme, host, port: origin.port })
    }

    pub(crate) fn covers(&self, origin: &Origin) -> bool {
        self.scheme == origin.scheme && self.port == origin.port && self.host.covers(&origin.host)
    }
}

/// Where connections of agents may go: `github.com:443`, `*.example.com:443`, `[::1]:80`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    host: HostName,
    port: u16,
}

impl Destination {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let Some((host, port)) = parts.filter(|(host, port)| *port != 0 && is_whole(host)) else {
            return Err(format!("`{text}` is not a host and port: write it like `github.com:443`"));
        };
        Ok(Self { host: HostName::parse(host)?, port })
    }

    pub(crate) fn covers(&self, host: &str, port: u16) -> bool {
        self.port == port && self.host.covers(host)
    }
}

/// As policies write it.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// Without brackets, the last part of an IPv6 address would be taken for a port.
fn is_whole(host: &str) -> bool {
    !host.contains(':') || (host.starts_with('[') && host.ends_with(']'))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn covers(rule: &str, address: &str) -> bool {
        OriginRule::parse(rule).unwrap().covers(&Origin::of(address).unwrap())
    }

    #[test]
    fn an_origin_is_allowed_with_its_scheme_its_host_and_its_port() {
        assert!(covers("https://api.example.com", "https://API.example.com:443/x?y"));
        assert!(covers("https://api.example.com/", "https://api.example.com."));
        assert!(!covers("https://api.example.com", "http://api.example.com"));
        assert!(!covers("https://api.example.com", "https://api.example.com:8443"));
        assert!(!covers("https://api.example.com", "https://example.com"));
    }

    #[test]
    fn a_star_allows_the_names_below_at_the_same_port() {
        assert!(covers("https://*.example.com", "https://a.b.example.com"));
        assert!(!covers("https://*.example.com", "https://example.com"));
        assert!(!covers("https://*.example.com", "https://a.example.com:444"));
        assert!(covers("http://*.example.com:8080", "http://a.example.com:8080"));
    }

    #[test]
    fn what_is_more_or_less_than_an_origin_is_refused() {
        for wrong in [
            "example.com",
            "ftp://example.com",
            "https://example.com/api",
            "https://example.com?x",
            "https://user@example.com",
            "https://*",
            "https://*.127.0.0.1",
            "https://a.*.example.com",
            "",
        ] {
            assert!(OriginRule::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_destination_is_a_host_and_a_port() {
        let rule = |text: &str| Destination::parse(text).unwrap();
        assert!(rule("github.com:443").covers("GitHub.com.", 443));
        assert!(!rule("github.com:443").covers("github.com", 80));
        assert!(rule("*.github.com:443").covers("api.github.com", 443));
        assert_eq!(rule("*.GitHub.com.:443").to_string(), "*.github.com:443");
        assert!(rule("[::1]:80").covers("::1", 80));
        for wrong in
            ["github.com", "github.com:", "github.com:0", "github.com:65536", "::1:80", ":443", "*:443"]
        {
            assert!(Destination::parse(wrong).is_err(), "{wrong}");
        }
        assert!(rule("a.example:65535").covers("a.example", 65535));
    }
}
