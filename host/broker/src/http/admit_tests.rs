#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use hostler_engine::rights::{HttpRight, Rights, SecretRight};
use proptest::prelude::*;

use super::*;
use crate::limits::REQUEST_BODY_BYTES;
use crate::secret::Secrets;

const GRANTED: &str = "https://api.example.com";

fn grant() -> HttpGrant {
    let http = HttpRight {
        origin: Some(GRANTED.to_owned()),
        origin_from: None,
        methods: vec!["GET".to_owned()],
        path: "/v1/".to_owned(),
        addresses: Vec::new(),
        reason: String::new(),
    };
    let secret = SecretRight {
        handle: "token".to_owned(),
        from: "token".to_owned(),
        header: "Authorization".to_owned(),
        form: "Bearer {}".to_owned(),
        origin: Some(GRANTED.to_owned()),
        origin_from: None,
        reason: String::new(),
    };
    let rights = Rights { http: vec![http], secret: vec![secret], ..Rights::default() };
    HttpGrant::resolve(&rights, &BTreeMap::new(), &Secrets::default()).unwrap()
}

fn get(url: &str) -> HttpRequest {
    HttpRequest {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        credential: None,
        timeout: None,
    }
}

/// The address that would be sent, if any.
fn sent(url: &str) -> Option<String> {
    let grant = grant();
    let admitted = admit(get(url), &grant, &Limits::default(), Mode::Enforce).ok()?;
    Some(admitted.url.to_string())
}

fn denied(request: HttpRequest) -> Denial {
    match admit(request, &grant(), &Limits::default(), Mode::Enforce).unwrap_err() {
        Refusal::Denied(denial) => denial,
        Refusal::Problem(problem) => panic!("{problem}"),
    }
}

#[test]
fn an_address_is_sent_in_the_form_it_was_matched_in() {
    let plain = Some("https://api.example.com/v1/tasks".to_owned());
    for url in [
        "https://api.example.com/v1/tasks",
        "HTTPS://API.Example.COM:443/v1/tasks",
        "https://api.example.com./v1/tasks",
        "https:\\\\api.example.com\\v1\\tasks",
        " https://api.exam\nple.com/v1/x/../tasks\t",
        "https://api。example。com/v1/tasks",
    ] {
        assert_eq!(sent(url), plain, "{url:?}");
    }
}

#[test]
fn a_path_that_climbs_out_of_the_prefix_is_denied() {
    for path in ["/v1/../admin", "/v1/%2e%2e/admin", "/v1/..%2fadmin", "/v1/..\\admin", "/v1", "/", "/v12"] {
        let denial = denied(get(&format!("{GRANTED}{path}")));
        assert!(matches!(denial, Denial::Path { .. }), "{path}: {denial}");
    }
}

#[test]
fn only_the_granted_scheme_host_and_port_are_reached() {
    for url in [
        "http://api.example.com/v1/",
        "https://api.example.com:8443/v1/",
        "https://example.com/v1/",
        "https://api.example.com.evil.test/v1/",
        "https://evil.test/https://api.example.com/v1/",
        "https://evil.test\\@api.example.com/v1/",
        "https://api.example.com%2eevil.test/v1/",
        "https://xapi.example.com/v1/",
    ] {
        assert!(matches!(denied(get(url)), Denial::Origin { .. }), "{url}");
    }
    for url in ["ftp://api.example.com/v1/", "file:///v1/", "data:text/plain,v1", "unix:/v1/"] {
        assert!(matches!(denied(get(url)), Denial::Scheme { .. }), "{url}");
    }
}

#[test]
fn an_address_with_a_user_or_password_is_denied_and_not_repeated() {
    for url in ["https://me@api.example.com/v1/", "https://me:hunter2@api.example.com/v1/"] {
        let denial = denied(get(url));
        assert_eq!(denial, Denial::UserInfo);
        assert!(!denial.to_string().contains("hunter2"));
    }
}

#[test]
fn methods_are_matched_exactly_and_some_are_never_sent() {
    let with = |method: &str| HttpRequest { method: method.to_owned(), ..get("https://api.example.com/v1/") };
    assert!(matches!(denied(with("DELETE")), Denial::Method { .. }));
    for method in ["get", "CONNECT", "TRACE", "", "G ET", "GET\r\nX"] {
        let refusal = admit(with(method), &grant(), &Limits::default(), Mode::Enforce).unwrap_err();
        assert!(matches!(refusal, Refusal::Problem(_)), "{method:?}");
    }
}

#[test]
fn the_header_of_a_granted_secret_belongs_to_the_host() {
    let headers = vec![("AUTHORIZATION".to_owned(), "Bearer mine".to_owned())];
    let denial = denied(HttpRequest { headers, ..get("https://api.example.com/v1/") });
    assert!(matches!(denial, Denial::Header { .. }), "{denial}");
}

#[test]
fn an_unusable_address_is_a_problem_that_hides_its_query() {
    for url in ["", "v1/tasks", "https://", "https://[::1/v1/", "https://api.example.com/v1/#part"] {
        let refusal = admit(get(url), &grant(), &Limits::default(), Mode::Enforce).unwrap_err();
        assert!(matches!(refusal, Refusal::Problem(_)), "{url}");
    }
    let Err(Refusal::Problem(problem)) =
        admit(get("nowhere?key=hunter2"), &grant(), &Limits::default(), Mode::Enforce)
    else {
        panic!("an address without a scheme was taken");
    };
    assert!(!problem.message.contains("hunter2"), "{problem}");
}

#[test]
fn addresses_and_bodies_are_capped() {
    let start = "https://api.example.com/v1/";
    let of_length = |length: usize| get(&format!("{start}{}", "x".repeat(length - start.len())));
    assert!(admit(of_length(URL_BYTES), &grant(), &Limits::default(), Mode::Enforce).is_ok());
    assert!(admit(of_length(URL_BYTES + 1), &grant(), &Limits::default(), Mode::Enforce).is_err());
    // A control character is three bytes of what is sent.
    let prefix = format!("{GRANTED}/v1/");
    let encoded = |length: usize| prefix.clone() + "\u{1}" + &"a".repeat(length - prefix.len() - 3);
    assert_eq!(sent(&encoded(URL_BYTES)).unwrap().len(), URL_BYTES);
    assert_eq!(sent(&encoded(URL_BYTES + 1)), None);
    let with_body = |length: usize| HttpRequest { body: vec![0; length], ..get(start) };
    assert!(admit(with_body(REQUEST_BODY_BYTES), &grant(), &Limits::default(), Mode::Enforce).is_ok());
    assert!(admit(with_body(REQUEST_BODY_BYTES + 1), &grant(), &Limits::default(), Mode::Enforce).is_err());
}

/// A second opinion on what an address reaches: splits the text by hand, knows
/// nothing of the `url` crate, and only reads addresses in plain form.
fn reached(url: &str) -> Option<(String, String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    if authority.contains('@') {
        return None;
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, if scheme == "https" { 443 } else { 80 }),
    };
    Some((scheme.to_owned(), host.to_owned(), port))
}

fn granted_origin() -> (String, String, u16) {
    ("https".to_owned(), "api.example.com".to_owned(), 443)
}

/// Pieces of addresses, honest and not.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "https",
        "http",
        "HTTPS",
        "://",
        ":/",
        ":",
        "//",
        "/",
        "\\",
        "@",
        "?",
        "#",
        ".",
        "..",
        "%2e",
        "%2f",
        "%40",
        "%00",
        "\t",
        "\n",
        " ",
        "api.example.com",
        "API.EXAMPLE.COM",
        "api。example．com",
        "example.com",
        "evil.test",
        ":443",
        ":8443",
        ":0443",
        ":80",
        ":",
        "v1",
        "/v1/",
        "user",
        "user:pass",
        "[::1]",
        "127.1",
        "xn--",
        "。",
        "\u{ad}",
    ]);
    prop::collection::vec(piece, 1..12).prop_map(|pieces| pieces.concat())
}

/// Addresses in plain form: here both matchers must agree, both ways.
fn plain_addresses() -> impl Strategy<Value = String> {
    let scheme = prop::sample::select(vec!["https", "http"]);
    let host =
        prop::sample::select(vec!["api.example.com", "example.com", "api.example.com.evil.test", "api"]);
    let port = prop::sample::select(vec!["", ":443", ":80", ":8443"]);
    (scheme, host, port).prop_map(|(scheme, host, port)| format!("{scheme}://{host}{port}/v1/tasks"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn what_is_sent_reaches_the_granted_origin_by_any_reading(
        url in prop_oneof![
            pieces(),
            pieces().prop_map(|rest| format!("https://{rest}")),
            pieces().prop_map(|rest| format!("{GRANTED}{rest}")),
            (pieces(), pieces()).prop_map(|(a, b)| format!("{GRANTED}{a}/v1/{b}")),
            pieces().prop_map(|rest| format!("{GRANTED}/v1/{rest}")),
            "https://\\PC{0,40}",
        ],
    ) {
        if let Some(sent) = sent(&url) {
            prop_assert_eq!(reached(&sent), Some(granted_origin()), "{:?} as {:?}", url, sent);
            // The client reads the address once more, with a parser of its own.
            let uri: axum::http::Uri = sent.parse().unwrap();
            prop_assert_eq!(uri.scheme_str(), Some("https"));
            prop_assert_eq!(uri.host(), Some("api.example.com"));
            prop_assert!(matches!(uri.port_u16(), None | Some(443)));
            prop_assert!(uri.path().starts_with("/v1/"), "{}", uri);
        }
    }

    #[test]
    fn both_matchers_agree_on_plain_addresses(url in plain_addresses()) {
        let simple = reached(&url) == Some(granted_origin());
        prop_assert_eq!(sent(&url).is_some(), simple, "{}", url);
    }
}
