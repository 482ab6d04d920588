//! The proxy of the host's environment: which origins are reached through it. Pure.

use std::net::IpAddr;

use hostler_engine::rights::{AddressBlock, Origin};
use url::Url;

/// Why a proxy cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Not the address of a proxy. It is not repeated, since it may hold a password.
    #[error(
        "the value of `{variable}` is not the address of a proxy: write it like `http://proxy.example:3128`"
    )]
    Address {
        /// The environment variable or setting.
        variable: &'static str,
    },
    /// Some other kind of proxy.
    #[error(
        "`{variable}` names a proxy for `{scheme}`, but only http and https proxies can be used: name one of these"
    )]
    Scheme {
        /// The environment variable or setting.
        variable: &'static str,
        /// What it begins with.
        scheme: String,
    },
}

/// Through which proxy requests go, and which do not.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    http: Option<Url>,
    https: Option<Url>,
    direct: Vec<Direct>,
}

/// What is reached without the proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Direct {
    Everything,
    Addresses(AddressBlock),
    /// A name and all below it.
    Name(String, Option<u16>),
}

impl Proxy {
    /// Reads `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in capitals or
    /// not; `None` if no proxy is named. `variable` gives the value of one.
    pub fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, ProxyError> {
        let either = |name: &str| {
            let value = variable(name).or_else(|| variable(&name.to_ascii_lowercase()));
            value.map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let named = |name: &'static str| either(name).map(|value| address(name, &value)).transpose();
        let all = named("ALL_PROXY")?;
        let (http, https) = (named("HTTP_PROXY")?.or_else(|| all.clone()), named("HTTPS_PROXY")?.or(all));
        if http.is_none() && https.is_none() {
            return Ok(None);
        }
        Ok(Some(Self { http, https, direct: Direct::list(&either("NO_PROXY").unwrap_or_default()) }))
    }

    /// A proxy for everything but `direct`, which is written like `NO_PROXY`. `setting`
    /// is where the address was written, for the error.
    pub fn named(setting: &'static str, proxy: &str, direct: &str) -> Result<Self, ProxyError> {
        let url = Some(address(setting, proxy.trim())?);
        Ok(Self { http: url.clone(), https: url, direct: Direct::list(direct) })
    }

    /// The proxy for requests to this origin. The machine itself is never reached
    /// through one.
    pub(crate) fn towards(&self, origin: &Origin) -> Option<&Url> {
        let literal = literal(&origin.host);
        let here = origin.host == "localhost" || literal.is_some_and(|address| address.is_loopback());
        if here || self.direct.iter().any(|direct| direct.covers(origin, literal)) {
            return None;
        }
        if origin.scheme == "https" { self.https.as_ref() } else { self.http.as_ref() }
    }
}

/// A proxy's address may hold its password.
impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |url: &Option<Url>| url.as_ref().and_then(|url| Origin::of(&bare(url)).ok());
        f.debug_struct("Proxy")
            .field("http", &shown(&self.http))
            .field("https", &shown(&self.https))
            .field("direct", &self.direct)
            .finish()
    }
}

/// Which proxies, without user names and passwords.
impl std::fmt::Display for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.https, &self.http) {
            (Some(https), Some(http)) if https == http => f.write_str(&bare(https)),
            (https, http) => {
                let named = [("https", https), ("http", http)];
                let named = named.iter().filter_map(|(scheme, url)| Some((scheme, bare(url.as_ref()?))));
                let named: Vec<String> = named.map(|(scheme, url)| format!("{url} for {scheme}")).collect();
                f.write_str(&named.join(", "))
            }
        }
    }
}

/// The address without user name and password.
fn bare(url: &Url) -> String {
    let (host, port) = (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(0));
    format!("{}://{host}:{port}", url.scheme())
}

fn address(variable: &'static str, value: &str) -> Result<Url, ProxyError> {
    let whole = if value.contains("://") { value.to_owned() } else { format!("http://{value}") };
    let url = Url::parse(&whole).map_err(|_| ProxyError::Address { variable })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(ProxyError::Scheme { variable, scheme: url.scheme().to_owned() });
    }
    Ok(url)
}

/// The address that a host is, if it is one.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

impl Direct {
    fn list(text: &str) -> Vec<Self> {
        let names = text.split([',', ' ']).map(str::trim).filter(|name| !name.is_empty());
        names.map(Self::read).collect()
    }

    fn read(text: &str) -> Self {
        if text == "*" {
            return Self::Everything;
        }
        if let Some(block) = text.parse().ok().or_else(|| literal(text).map(AddressBlock::only)) {
            return Self::Addresses(block);
        }
        let (name, port) = match text.rsplit_once(':').map(|(name, port)| (name, port.parse())) {
            Some((name, Ok(port))) => (name, Some(port)),
            _ => (text, None),
        };
        match literal(name) {
            Some(address) if port.is_none() => Self::Addresses(AddressBlock::only(address)),
            _ => {
                let name = name.trim_start_matches("*.").trim_matches('.');
                Self::Name(name.to_ascii_lowercase(), port)
            }
        }
    }

    fn covers(&self, origin: &Origin, literal: Option<IpAddr>) -> bool {
        match self {
            Self::Everything => true,
            Self::Addresses(block) => literal.is_some_and(|address| block.contains(address)),
            Self::Name(name, port) => {
                let below = origin.host.strip_suffix(name.as_str());
                let same = below.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
                same && !name.is_empty() && port.is_none_or(|port| port == origin.port)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn proxy(variables: &[(&str, &str)]) -> Result<Option<Proxy>, ProxyError> {
        Proxy::from_environment(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    fn through(proxy: &Proxy, origin: &str) -> Option<String> {
        proxy.towards(&Origin::of(origin).unwrap()).map(ToString::to_string)
    }

    #[test]
    fn each_scheme_has_its_proxy_and_the_common_one_fills_in() {
        let both = proxy(&[("HTTPS_PROXY", "http://s.example:1"), ("http_proxy", "p.example:2")]);
        let both = both.unwrap().unwrap();
        assert_eq!(through(&both, "https://a.example").unwrap(), "http://s.example:1/");
        assert_eq!(through(&both, "http://a.example").unwrap(), "http://p.example:2/");
        let all = proxy(&[("all_proxy", "http://all.example:3"), ("HTTP_PROXY", " ")]).unwrap().unwrap();
        assert_eq!(through(&all, "http://a.example"), through(&all, "https://a.example"));
        let one = proxy(&[("HTTPS_PROXY", "http://s.example:1")]).unwrap().unwrap();
        assert_eq!(through(&one, "http://a.example"), None);
        assert_eq!(proxy(&[("NO_PROXY", "a.example")]), Ok(None));
    }

    #[test]
    fn a_proxy_of_the_configuration_is_for_both_schemes_and_shown_without_its_password() {
        let own =
            Proxy::named("network.proxy", " me:hunter2@p.example:3128 ", "a.example b.example").unwrap();
        for (origin, through_it) in
            [("https://c.example", true), ("http://c.example", true), ("https://a.example", false)]
        {
            assert_eq!(through(&own, origin).is_some(), through_it, "{origin}");
        }
        assert_eq!(own.to_string(), "http://p.example:3128");
        let two = proxy(&[("HTTPS_PROXY", "http://s.example:1"), ("HTTP_PROXY", "p.example")]).unwrap();
        assert_eq!(two.unwrap().to_string(), "http://s.example:1 for https, http://p.example:80 for http");
        let wrong = Proxy::named("network.proxy", "socks5://me:hunter2@p.example", "").unwrap_err();
        assert!(wrong.to_string().starts_with("`network.proxy` names a proxy for `socks5`"), "{wrong}");
    }

    #[test]
    fn what_is_to_be_reached_directly_is() {
        let direct = "internal.example, .corp,*.lab 10.0.0.0/8,192.168.1.9,[fd00::1],ported.example:8443";
        let proxy = proxy(&[("ALL_PROXY", "http://p.example:1"), ("NO_PROXY", direct)]).unwrap().unwrap();
        for origin in [
            "https://internal.example",
            "https://a.internal.example",
            "https://a.corp",
            "https://a.lab",
            "https://10.1.2.3",
            "https://192.168.1.9",
            "https://[fd00::1]",
            "https://ported.example:8443",
            "http://localhost:3000",
            "http://127.0.0.1:3000",
            "http://[::1]:3000",
        ] {
            assert_eq!(through(&proxy, origin), None, "{origin}");
        }
        for origin in [
            "https://notinternal.example",
            "https://internal.example.org",
            "https://11.0.0.1",
            "https://ported.example",
            "https://192.168.1.8",
        ] {
            assert!(through(&proxy, origin).is_some(), "{origin}");
        }
        let none = super::tests::proxy(&[("ALL_PROXY", "http://p.example:1"), ("NO_PROXY", "*")]);
        assert_eq!(through(&none.unwrap().unwrap(), "https://a.example"), None);
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_named_without_its_password() {
        let socks = proxy(&[("ALL_PROXY", "socks5://me:hunter2@p.example")]).unwrap_err();
        assert!(socks.to_string().contains("`ALL_PROXY`") && socks.to_string().contains("`socks5`"));
        let broken = proxy(&[("HTTPS_PROXY", "http://me:hunter2@")]).unwrap_err();
        assert_eq!(broken, ProxyError::Address { variable: "HTTPS_PROXY" });
        let fine = proxy(&[("HTTPS_PROXY", "http://me:hunter2@p.example:1")]).unwrap().unwrap();
        assert!(!format!("{fine:?} {socks}").contains("hunter2"));
        assert!(format!("{fine:?}").contains("p.example"));
    }
}
