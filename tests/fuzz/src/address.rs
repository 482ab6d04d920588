//! Addresses that plugins ask for, against what they were granted: the broker's
//! matcher and a second one that splits text by hand and knows no library.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use hostler_broker::{Gate, Limits, Secrets, URL_BYTES};
use hostler_engine::request::HttpRequest;
use hostler_engine::rights::{HttpRight, Rights};

/// What is granted: scheme, host, port, method, and the beginning of the path.
const GRANTED: [(&str, &str, u16, &str, &str); 4] = [
    ("https", "api.example.com", 443, "GET", "/v1/"),
    ("https", "api.example.com", 443, "POST", "/v1/tasks"),
    ("https", "api.example.com", 8443, "GET", "/"),
    ("http", "tracker.test", 8080, "POST", "/api/"),
];

/// Lengths of path at which the two may differ only by the limit on all of it.
const LONGEST: usize = URL_BYTES / 4;

/// The first byte chooses the method, the rest is the address. What would be sent is
/// covered by any reading; on plain addresses both matchers agree both ways.
pub fn check(data: &[u8]) {
    let Some((choice, address)) = data.split_first() else { return };
    let Ok(address) = std::str::from_utf8(address) else { return };
    let method = if choice % 2 == 0 { "GET" } else { "POST" };
    let sent = gate().destination(request(method, address));
    if let Ok(sent) = &sent {
        assert_eq!(plain(sent).map(|plain| covered(method, &plain)), Some(true), "{address:?} as {sent:?}");
        assert_eq!(gate().destination(request(method, sent)).ok().as_ref(), Some(sent), "no normal form");
    }
    if let Some(plain) = plain(address).filter(|_| address.len() < LONGEST) {
        assert_eq!(sent.is_ok(), covered(method, &plain), "{method} {address:?}: {sent:?}");
    }
}

fn gate() -> &'static Gate {
    static GATE: OnceLock<Gate> = OnceLock::new();
    GATE.get_or_init(|| {
        let rights = Rights { http: GRANTED.iter().map(right).collect(), ..Rights::default() };
        let (config, secrets) = (BTreeMap::new(), Secrets::default());
        Gate::new(&rights, &config, &secrets, Path::new("/"), Limits::default())
            .unwrap_or_else(|error| panic!("{error}"))
    })
}

fn right((scheme, host, port, method, path): &(&str, &str, u16, &str, &str)) -> HttpRight {
    HttpRight {
        origin: Some(format!("{scheme}://{host}:{port}")),
        origin_from: None,
        methods: vec![(*method).to_owned()],
        path: (*path).to_owned(),
        addresses: Vec::new(),
        reason: String::new(),
    }
}

fn request(method: &str, url: &str) -> HttpRequest {
    HttpRequest {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        credential: None,
        timeout: None,
    }
}

/// An address that can be read in one way only.
struct Plain {
    scheme: String,
    host: String,
    port: u16,
    /// Without dots that climb, unless they hide behind a percent sign.
    path: String,
}

/// Reads an address, if it is a plain one: letters, digits and harmless signs, no user,
/// no fragment, nothing that libraries read in ways of their own.
fn plain(address: &str) -> Option<Plain> {
    let (scheme, rest) = address.split_once("://")?;
    // Libraries drop blanks and control characters in front.
    let scheme =
        Some(scheme.to_ascii_lowercase()).filter(|it| it.bytes().all(|byte| byte.is_ascii_alphanumeric()))?;
    let at = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let (host, port) = match authority.split_once(':') {
        Some((host, port)) => {
            // Rust would take a plus in front.
            let plain = (1..6).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit());
            (host, Some(port).filter(|_| plain)?.parse().ok()?)
        }
        None => (authority, if scheme == "https" { 443 } else { 80 }),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let is_sign = |byte: u8| byte.is_ascii_graphic() && byte != b'#';
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    // In a query a backslash is what it is.
    let is_plain = path.bytes().all(|byte| is_sign(byte) && byte != b'\\') && query.bytes().all(is_sign);
    if host.is_empty() || !host.bytes().all(is_name) || !is_plain {
        return None;
    }
    // A name is sent without its dots at the end, so it is matched without them.
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    Some(Plain { scheme, host, port, path: walked(path) })
}

/// A path with `.` and `..` followed, however they are written.
fn walked(path: &str) -> String {
    let mut names: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path.strip_prefix('/').unwrap_or(path).split('/').collect();
    for (place, segment) in segments.iter().enumerate() {
        let last = place + 1 == segments.len();
        match segment.to_ascii_lowercase().replace("%2e", ".").as_str() {
            "." if last => names.push(""),
            "." => {}
            ".." => {
                names.pop();
                if last {
                    names.push("");
                }
            }
            _ => names.push(segment),
        }
    }
    format!("/{}", names.join("/"))
}

/// Whether one grant covers all of it.
fn covered(method: &str, at: &Plain) -> bool {
    GRANTED.iter().any(|(scheme, host, port, granted, prefix)| {
        (at.scheme.as_str(), at.host.as_str(), at.port, method) == (*scheme, *host, *port, *granted)
            && below(prefix, &at.path)
    })
}

/// Whether a path stays below a prefix whatever a server decodes.
fn below(prefix: &str, path: &str) -> bool {
    let Some(rest) = path.strip_prefix(prefix) else { return false };
    let ends = prefix.ends_with('/') || rest.is_empty() || rest.starts_with('/');
    // Percent signs may be decoded twice by what stands before a server.
    let decoded = rest.to_ascii_lowercase().replace("%25", "%").replace("%2e", ".").replace("%3b", ";");
    let hidden = ["%2f", "%5c"].iter().any(|sign| decoded.contains(sign));
    let climbs = decoded.split('/').any(|name| [".", ".."].contains(&name.split(';').next().unwrap_or(name)));
    ends && !hidden && !climbs
}
