//! What a request on the way out asks for, read strictly. Pure.
//!
//! Whoever reads a request more kindly than the next server does can be made to let one
//! through that he never saw, so everything that could be read in two ways is refused.

use hyper::header::HOST;
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{HeaderMap, Method};

use super::denial::EgressDenial;
use super::rules::model_path;
use hostler_engine::sandbox::Endpoint;

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// A connection for whatever the agent's client speaks on it.
    Tunnel(Endpoint),
    /// A request in the clear.
    Plain(Endpoint),
    /// A request to a model: the route's name, and the path behind it.
    Model { name: String, path: String },
}

const TWO_HOSTS: EgressDenial = EgressDenial::Malformed("it names two hosts, so nobody knows which is meant");
const NO_HOST: EgressDenial = EgressDenial::Malformed("it names no host and port that can be connected to");
const USER_INFO: EgressDenial =
    EgressDenial::Malformed("its address has a user name or password, which is never sent on");
const NOT_PLAIN: EgressDenial =
    EgressDenial::Malformed("other schemes than http go through a tunnel: ask for one with CONNECT");
const NO_PROXY: EgressDenial = EgressDenial::Malformed(
    "this is the agent's proxy, not a server: ask it for a whole address, or for a tunnel with CONNECT",
);

/// Reads a request. `port` is where the agent finds this proxy, in case its client asks
/// the proxy for the proxy itself.
pub(super) fn read(parts: &Parts, port: u16) -> Result<Asked, EgressDenial> {
    if parts.headers.get_all(HOST).iter().count() > 1 {
        return Err(TWO_HOSTS);
    }
    let authority = parts.uri.authority();
    if parts.method == Method::CONNECT {
        let to = authority.filter(|_| parts.uri.scheme().is_none()).ok_or(NO_HOST)?;
        return Ok(Asked::Tunnel(endpoint(to, None)?));
    }
    let Some(authority) = authority else { return model(parts).ok_or(NO_PROXY) };
    if parts.uri.scheme_str() != Some("http") {
        return Err(NOT_PLAIN);
    }
    let to = endpoint(authority, Some(80))?;
    if named(&parts.headers).is_some_and(|host| host.as_ref() != Ok(&to)) {
        return Err(TWO_HOSTS);
    }
    let itself = to.port() == port && to.address().is_some_and(|address| address.is_loopback());
    match model(parts) {
        Some(model) if itself => Ok(model),
        _ => Ok(Asked::Plain(to)),
    }
}

fn model(parts: &Parts) -> Option<Asked> {
    let (name, path) = model_path(parts.uri.path())?;
    Some(Asked::Model { name: name.to_owned(), path: path.to_owned() })
}

/// The host of the `Host` header, if there is one.
fn named(headers: &HeaderMap) -> Option<Result<Endpoint, EgressDenial>> {
    let value = headers.get(HOST)?.to_str().ok();
    let authority = value.and_then(|value| value.parse::<Authority>().ok());
    Some(authority.ok_or(NO_HOST).and_then(|authority| endpoint(&authority, Some(80))))
}

fn endpoint(authority: &Authority, usual: Option<u16>) -> Result<Endpoint, EgressDenial> {
    if authority.as_str().contains('@') {
        return Err(USER_INFO);
    }
    let written = authority.as_str().strip_prefix(authority.host()).unwrap_or_default();
    let port = match written.strip_prefix(':') {
        None if written.is_empty() => usual,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok(),
        // Something else stands behind an address in brackets.
        _ => None,
    };
    port.and_then(|port| Endpoint::new(authority.host(), port)).ok_or(NO_HOST)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use hyper::Request;

    use super::*;

    fn asked(method: &str, uri: &str, hosts: &[&str]) -> Result<Asked, EgressDenial> {
        let mut request = Request::builder().method(method).uri(uri);
        for host in hosts {
            request = request.header(HOST, *host);
        }
        read(&request.body(()).unwrap().into_parts().0, 3128)
    }

    fn to(host: &str, port: u16) -> Endpoint {
        Endpoint::new(host, port).unwrap()
    }

    #[test]
    fn a_tunnel_needs_a_host_and_a_port() {
        assert_eq!(asked("CONNECT", "A.example:443", &[]), Ok(Asked::Tunnel(to("a.example", 443))));
        assert_eq!(asked("CONNECT", "[::1]:443", &["x"]), Ok(Asked::Tunnel(to("[::1]", 443))));
        for wrong in ["a.example", "a.example:", "a.example:0", "a.example:65536", "a.example:44x", "/path"] {
            let Ok(uri) = wrong.parse::<hyper::Uri>() else { continue };
            assert_eq!(asked("CONNECT", &uri.to_string(), &[]), Err(NO_HOST), "{wrong}");
        }
        assert_eq!(asked("CONNECT", "http://a.example:80/", &[]), Err(NO_HOST));
    }

    #[test]
    fn a_user_name_in_an_address_is_refused() {
        assert_eq!(asked("CONNECT", "me:pass@a.example:443", &[]), Err(USER_INFO));
        assert_eq!(asked("GET", "http://good.example@evil.example/", &[]), Err(USER_INFO));
    }

    #[test]
    fn a_request_in_the_clear_names_one_host() {
        let plain = Ok(Asked::Plain(to("a.example", 80)));
        assert_eq!(asked("GET", "http://a.example/x", &[]), plain);
        assert_eq!(asked("GET", "http://a.example/x", &["A.example:80"]), plain);
        assert_eq!(asked("GET", "http://a.example/x", &["b.example"]), Err(TWO_HOSTS));
        assert_eq!(asked("GET", "http://a.example/x", &["a.example:81"]), Err(TWO_HOSTS));
        assert_eq!(asked("GET", "http://a.example/x", &["a.example", "a.example"]), Err(TWO_HOSTS));
        assert_eq!(asked("GET", "http://a.example/x", &["me@a.example"]), Err(TWO_HOSTS));
        assert_eq!(asked("GET", "http://a.example/x", &["a b"]), Err(TWO_HOSTS));
        assert_eq!(asked("GET", "http://[::1]3/x", &[]), Err(NO_HOST));
        assert_eq!(asked("GET", "http://[::1]:3/x", &["[::1]3"]), Err(TWO_HOSTS));
        assert_eq!(asked("GET", "https://a.example/x", &[]), Err(NOT_PLAIN));
    }

    #[test]
    fn a_model_is_asked_at_the_proxy_itself_and_nowhere_else() {
        let model = Ok(Asked::Model { name: "a".to_owned(), path: "/v1".to_owned() });
        assert_eq!(asked("POST", "/hostler/model/a/v1", &["127.0.0.1:3128"]), model);
        assert_eq!(asked("POST", "http://127.0.0.1:3128/hostler/model/a/v1", &[]), model);
        let elsewhere = asked("POST", "http://127.0.0.1:80/hostler/model/a/v1", &[]);
        assert_eq!(elsewhere, Ok(Asked::Plain(to("127.0.0.1", 80))));
        assert_eq!(asked("GET", "/", &[]), Err(NO_PROXY));
        assert_eq!(asked("OPTIONS", "*", &[]), Err(NO_PROXY));
    }
}
