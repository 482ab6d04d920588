#![allow(clippy::unwrap_used)]

use super::*;

fn http(origin: &str, path: &str, methods: &[&str]) -> HttpRight {
    HttpRight {
        origin: Some(origin.to_owned()),
        origin_from: None,
        methods: methods.iter().map(|&method| method.to_owned()).collect(),
        path: path.to_owned(),
        addresses: Vec::new(),
        reason: String::new(),
    }
}

#[test]
fn an_origin_is_the_same_however_it_is_written() {
    let plain = Origin::of("https://api.example.com").unwrap();
    assert_eq!(Origin::of("HTTPS://API.Example.com:443/some/path?q").unwrap(), plain);
    assert_eq!(Origin::of("https://api.example.com.").unwrap(), plain);
    assert_ne!(Origin::of("https://api.example.com:8443").unwrap(), plain);
    assert_ne!(Origin::of("http://api.example.com").unwrap(), plain);
    assert_eq!(plain.to_string(), "https://api.example.com");
}

#[test]
fn an_address_with_a_password_is_refused_and_the_password_not_repeated() {
    let error = Origin::of("https://me:hunter2@example.com").unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
    assert!(matches!(Origin::of("ftp://example.com"), Err(OriginError::Scheme(_))));
    assert!(matches!(Origin::of("example.com"), Err(OriginError::NotAnAddress(_))));
}

#[test]
fn a_path_prefix_ends_at_a_segment() {
    assert!(path_below("/api/v1/", "/api/v1/tasks"));
    assert!(path_below("/api/v1", "/api/v1"));
    assert!(path_below("/api/v1", "/api/v1/tasks"));
    assert!(!path_below("/api/v1", "/api/v1x"));
    assert!(!path_below("/api/v1/", "/api/v1"));
}

#[test]
fn a_path_that_climbs_is_below_nothing() {
    for path in [
        "/api/../admin",
        "/api/%2e%2e/admin",
        "/api/%2E./admin",
        "/api/..%2fadmin",
        "/api/..%5Cadmin",
        "/api/%252e%252E/admin",
        "/api/..%252fadmin",
        "/api/..;/admin",
        "/api/..%3Bx=1/admin",
    ] {
        assert!(!path_below("/api/", path), "{path}");
    }
    assert!(path_below("/api/", "/api/a..b;v=1/100%25"));
    assert!(path_below("/api/a%2Fb/", "/api/a%2Fb/c"), "what was granted encoded is meant so");
    assert!(!path_below("/api/a%2Fb/", "/api/a%2Fb/..%2fc"));
    assert!(!path_below("/api/a", "/api/a%2Fb"));
}

#[test]
fn what_goes_beyond_a_grant_is_named_and_less_is_covered() {
    let granted =
        Rights { http: vec![http("https://a.example", "/api/", &["GET", "POST"])], ..Rights::default() };
    let less = Rights { http: vec![http("https://a.example", "/api/v1/", &["GET"])], ..Rights::default() };
    assert_eq!(less.beyond(&granted), Vec::<String>::new());
    let more = Rights { http: vec![http("https://a.example", "/", &["GET"])], ..Rights::default() };
    assert_eq!(more.beyond(&granted), ["send GET requests to https://a.example/"]);
    let other = Rights { http: vec![http("https://b.example", "/api/", &["GET"])], ..Rights::default() };
    assert_eq!(other.beyond(&granted).len(), 1);
}

#[test]
fn an_origin_can_come_from_the_configuration() {
    let config = BTreeMap::from([("url".to_owned(), "https://tale.example/base".to_owned())]);
    let origin = resolve_origin(None, Some(&"url".to_owned()), &config).unwrap();
    assert_eq!(origin.to_string(), "https://tale.example");
    let missing = resolve_origin(None, Some(&"other".to_owned()), &config).unwrap_err();
    assert_eq!(missing, ResolveError::MissingField("other".to_owned()));
    assert_eq!(resolve_origin(None, None, &config).unwrap_err(), ResolveError::OriginAmbiguous);
}

#[test]
fn special_addresses_are_asked_granted_and_shown() {
    let with = |blocks: &[&str]| {
        let addresses = blocks.iter().map(|block| block.parse().unwrap()).collect();
        let http = HttpRight { addresses, ..http("https://a.example", "/", &["GET"]) };
        Rights { http: vec![http], ..Rights::default() }
    };
    assert!(with(&[]).beyond(&with(&["10.0.0.0/8"])).is_empty());
    assert!(with(&["10.1.0.0/16"]).beyond(&with(&["fd00::/8", "10.0.0.0/8"])).is_empty());
    let line =
        "send GET requests to https://a.example/, also where it is one of the special addresses 10.0.0.0/8";
    assert_eq!(with(&["10.0.0.0/8"]).beyond(&with(&["10.1.0.0/16"])), [line]);
    assert_eq!(with(&["10.0.0.0/8"]).lines()[0].0, line);
}
