//! What contained agents send to their way out, against a second reading of the bytes
//! that knows no library.

use hostler_broker::egress::{Understood, understood};
use hostler_engine::sandbox::{Destination, Endpoint};

/// Where the agent finds its proxy.
const PORT: u16 = 3128;

/// Headers that are about one connection only.
const CONNECTION_ONLY: [&str; 11] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "host",
    "content-length",
];

/// Rules, and what a name has to be to be covered: this very name, or one below it.
const RULES: [(&str, &str, bool, Option<u16>); 3] = [
    ("a.example:443", "a.example", false, Some(443)),
    ("*.a.example:*", "a.example", true, None),
    ("127.0.0.1:80", "127.0.0.1", false, Some(80)),
];

/// The bytes are a connection. The first request on it is understood as it is written,
/// or refused; nothing about the connection goes on; and rules cover the host that is
/// written there. One in plain words is never refused.
pub fn check(data: &[u8]) {
    let requests = understood(data, PORT).unwrap_or_else(|error| panic!("no runtime: {error}"));
    let head = Head::of(data);
    match requests.first() {
        Some(Understood::Tunnel(to)) => {
            let head = head.unwrap_or_else(|| panic!("a tunnel without a head"));
            assert_eq!(head.method, "CONNECT");
            assert_eq!(written(head.target, None).as_ref(), Some(to), "{}", head.target);
            check_rules(to, head.target);
        }
        Some(Understood::Plain { to, path, headers }) => {
            let head = head.unwrap_or_else(|| panic!("a request without a head"));
            let (authority, rest) =
                head.split_target().unwrap_or_else(|| panic!("not whole: {}", head.target));
            assert_eq!(written(authority, Some(80)).as_ref(), Some(to), "{}", head.target);
            for host in head.values("host") {
                assert_eq!(written(&host, Some(80)).as_ref(), Some(to), "the header says {host}");
            }
            assert!(head.values("host").len() < 2, "two hosts");
            // What stands behind a `#` is for whoever wrote it.
            let rest = rest.split('#').next().unwrap_or_default();
            assert!(*path == rest || *path == format!("/{rest}"), "{rest} became {path}");
            assert!(path.starts_with('/') || path == "*", "{path}");
            check_headers(&head, headers);
            check_rules(to, authority);
        }
        Some(Understood::Model(name, path)) => {
            assert!(!name.contains('/') && (path.is_empty() || path.starts_with('/')), "{name} {path}");
        }
        Some(Understood::Refused(_)) | None => {
            let plain = head.filter(Head::is_plain);
            assert!(plain.is_none(), "{requests:?}: {}", String::from_utf8_lossy(data));
        }
    }
}

fn check_headers(head: &Head, onward: &[(String, Vec<u8>)]) {
    let named: Vec<String> = head
        .values("connection")
        .iter()
        .filter(|value| value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '))
        .flat_map(|value| value.split(',').map(|name| name.trim().to_ascii_lowercase()).collect::<Vec<_>>())
        .collect();
    for (name, _) in onward {
        assert!(!CONNECTION_ONLY.contains(&name.as_str()) && !named.contains(name), "{name} goes on");
    }
}

/// A rule covers a name exactly if its text says so.
fn check_rules(to: &Endpoint, authority: &str) {
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host).to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    if !is_name(host) {
        return;
    }
    assert_eq!(to.host(), host, "a plain name is another host");
    for (rule, name, below, port) in RULES {
        let named = if below { host.ends_with(&format!(".{name}")) } else { host == name };
        let destination: Destination = rule.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            destination.covers(to),
            named && port.is_none_or(|port| port == to.port()),
            "{rule}: {to}"
        );
    }
}

/// Labels of letters and digits, the last of which begins with a letter: nothing that
/// could be a number or has another spelling.
fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with("xn--")
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    let last = host.rsplit('.').next().unwrap_or_default();
    host.split('.').all(label) && last.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// A host and port as they are written.
fn written(authority: &str, usual: Option<u16>) -> Option<Endpoint> {
    if authority.contains('@') {
        return None;
    }
    let (host, port) = match authority.rsplit_once(':') {
        // The colon belongs to an address in brackets.
        Some((_, behind)) if behind.contains(']') => (authority, usual?),
        Some((host, port)) => {
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            (host, port.parse().ok().filter(|_| digits)?)
        }
        None => (authority, usual?),
    };
    Endpoint::new(host, port)
}

/// The head of the first request, split by hand.
struct Head<'a> {
    method: &'a str,
    target: &'a str,
    version: &'a str,
    headers: Vec<(String, &'a [u8])>,
    /// Whether the empty line at its end is there.
    ended: bool,
}

impl<'a> Head<'a> {
    fn of(data: &'a [u8]) -> Option<Self> {
        let mut lines =
            data.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
        let first = lines.by_ref().find(|line| !line.is_empty())?;
        let mut words = std::str::from_utf8(first).ok()?.split(' ').filter(|word| !word.is_empty());
        let (method, target, version) = (words.next()?, words.next()?, words.next()?);
        let headers = lines.take_while(|line| !line.is_empty()).map(|line| {
            let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
            let value = line.get(colon + 1..).unwrap_or_default();
            (String::from_utf8_lossy(&line[..colon]).to_ascii_lowercase(), value.trim_ascii())
        });
        let headers = headers.collect();
        let ended = data.windows(4).any(|window| window == b"\r\n\r\n");
        words.next().is_none().then_some(Self { method, target, version, headers, ended })
    }

    fn values(&self, name: &str) -> Vec<String> {
        let values = self.headers.iter().filter(|(own, _)| own == name);
        values.map(|(_, value)| String::from_utf8_lossy(value).into_owned()).collect()
    }

    /// What stands between the scheme and the path, and from the path on.
    fn split_target(&self) -> Option<(&'a str, &'a str)> {
        let (scheme, rest) = self.target.split_once("://")?;
        let at = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        scheme.eq_ignore_ascii_case("http").then(|| rest.split_at(at))
    }

    /// A tunnel to a plain name, ended as it should be, with nothing besides.
    fn is_plain(&self) -> bool {
        let host = self.target.strip_suffix(":443").unwrap_or_default();
        let plain = self.method == "CONNECT" && self.version == "HTTP/1.1" && self.headers.is_empty();
        plain && self.ended && is_name(host) && host.len() < 64
    }
}
