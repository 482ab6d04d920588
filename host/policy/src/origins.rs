//! Which addresses the requests of plugins may be sent to.

use hostler_engine::rights::Origin;
use hostler_engine::sandbox::{Destination, Endpoint};

/// Origins of HTTP requests: `https://api.example.com`, `https://*.example.com:8443`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OriginRule {
    scheme: String,
    to: Destination,
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
        let to = format!("{}{}:{}", if below { "*." } else { "" }, origin.host, origin.port);
        let to = to.parse().map_err(|_| format!("`{text}` is no origin: `*.` stands before a name"))?;
        Ok(Self { scheme: origin.scheme, to })
    }

    pub(crate) fn covers(&self, origin: &Origin) -> bool {
        let to = Endpoint::new(&origin.host, origin.port);
        self.scheme == origin.scheme && to.is_some_and(|to| self.to.covers(&to))
    }
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
}
