#![allow(clippy::unwrap_used)]

use hostler_engine::redaction::MOST_SECRETS;

use super::*;

fn allowed(to: &str, addresses: &[&str]) -> Allowed {
    let addresses = addresses.iter().map(|block| block.parse().unwrap()).collect();
    Allowed { to: to.parse().unwrap(), addresses }
}

fn rules(allow: &[&str], deny: &[&str]) -> EgressRules {
    EgressRules {
        allow: allow.iter().map(|to| allowed(to, &[])).collect(),
        deny: deny.iter().map(|to| to.parse().unwrap()).collect(),
        ..EgressRules::default()
    }
}

fn to(host: &str, port: u16) -> Endpoint {
    Endpoint::new(host, port).unwrap()
}

fn addresses(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn nobody(_: IpAddr) -> bool {
    false
}

#[test]
fn without_a_rule_nothing_is_reached() {
    let denial = EgressRules::default().admit(&to("a.example", 443)).unwrap_err();
    assert_eq!(denial, EgressDenial::Unlisted(to("a.example", 443)));
}

#[test]
fn what_is_denied_is_not_reached_whatever_allows_it() {
    let rules = rules(&["*.a.example:443", "evil.a.example:443"], &["evil.a.example:*"]);
    rules.admit(&to("good.a.example", 443)).unwrap();
    let denial = rules.admit(&to("EVIL.a.example.", 443)).unwrap_err();
    assert_eq!(denial.reason(), "egress-forbidden");
    assert!(denial.to_string().contains("\"evil.a.example:*\""), "{denial}");
    let models = vec![route("a", "{}", "key")];
    let denied =
        EgressRules { models, deny: vec!["*.example:443".parse().unwrap()], ..EgressRules::default() };
    assert_eq!(denied.model("a").unwrap_err().reason(), "egress-forbidden");
    assert_eq!(denied.model("b").unwrap_err().reason(), "egress-model");
}

/// What a line of a policy lets agents connect to.
#[derive(Debug)]
struct Line7(Vec<Destination>);

impl Ceiling for Line7 {
    fn admits(&self, _: &Origin) -> Result<(), String> {
        Ok(())
    }

    fn connects(&self, to: &Endpoint) -> Result<(), String> {
        let covered = self.0.iter().any(|most| most.covers(to));
        if covered { Ok(()) } else { Err("line 7 of policy.toml".to_owned()) }
    }
}

#[test]
fn a_ceiling_cuts_what_the_operator_allows_and_adds_nothing() {
    let ceiling = |allow: &[&str]| -> Arc<dyn Ceiling> {
        Arc::new(Line7(allow.iter().map(|to| to.parse().unwrap()).collect()))
    };
    let mut rules = rules(&["a.example:443", "b.example:443"], &[]);
    rules.ceiling = ceiling(&["a.example:443", "c.example:443"]);
    rules.admit(&to("a.example", 443)).unwrap();
    let denial = rules.admit(&to("b.example", 443)).unwrap_err();
    assert!(denial.to_string().contains("line 7 of policy.toml"), "{denial}");
    assert_eq!(rules.admit(&to("c.example", 443)).unwrap_err().reason(), "egress-unlisted");
    rules.models = vec![route("a", "{}", "key")];
    assert_eq!(rules.model("a").unwrap_err().reason(), "egress-ceiling");
    rules.ceiling = ceiling(&["api.example:443"]);
    rules.model("a").unwrap();
    rules.ceiling = ceiling(&[]);
    assert_eq!(rules.admit(&to("a.example", 443)).unwrap_err().reason(), "egress-ceiling");
}

#[test]
fn a_name_may_not_stand_for_a_special_address_or_one_of_the_machine() {
    let permit = rules(&["a.example:443"], &[]).admit(&to("a.example", 443)).unwrap();
    for special in [
        "127.0.0.1",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "::1",
        "fd00::1",
        "::ffff:10.0.0.1",
        "0.0.0.0",
    ] {
        let denial = permit.dialled(addresses(&[special]), nobody).unwrap_err();
        assert_eq!(denial.reason(), "egress-address", "{special}");
    }
    let own = |address: IpAddr| address == addresses(&["8.8.8.8"])[0];
    let denial = permit.dialled(addresses(&["8.8.8.8"]), own).unwrap_err();
    assert!(denial.to_string().contains("an address of this machine (8.8.8.8)"), "{denial}");
    let mixed = addresses(&["10.0.0.1", "8.8.4.4", "8.8.8.8"]);
    assert_eq!(permit.dialled(mixed, own).unwrap(), addresses(&["8.8.4.4"]));
    assert_eq!(permit.dialled(Vec::new(), own).unwrap(), Vec::<IpAddr>::new());
}

#[test]
fn a_rule_that_names_the_address_lets_it_be_dialled_and_no_other() {
    let granted = EgressRules {
        allow: vec![allowed("a.example:443", &["10.0.0.0/8"]), allowed("10.9.9.9:443", &[])],
        ..EgressRules::default()
    };
    let permit = granted.admit(&to("a.example", 443)).unwrap();
    assert_eq!(permit.dialled(addresses(&["10.1.2.3", "::1"]), nobody).unwrap(), addresses(&["10.1.2.3"]));
    let literal = granted.admit(&to("10.9.9.9", 443)).unwrap();
    literal.dialled(addresses(&["10.9.9.9"]), nobody).unwrap();
    literal.dialled(addresses(&["10.9.9.8"]), nobody).unwrap_err();
    let localhost = rules(&["localhost:80"], &[]).admit(&to("localhost", 80)).unwrap();
    localhost.dialled(addresses(&["127.0.0.1"]), |_| true).unwrap();
    localhost.dialled(addresses(&["10.0.0.1"]), nobody).unwrap_err();
}

fn route(name: &str, form: &str, key: &str) -> ModelRoute {
    ModelRoute {
        name: name.to_owned(),
        upstream: Origin::of("https://api.example").unwrap(),
        addresses: Vec::new(),
        header: HeaderName::from_static("authorization"),
        form: form.to_owned(),
        sentinel: Secret::new("stand-in"),
        key: Secret::new(key),
    }
}

fn models(models: Vec<ModelRoute>) -> Result<(), ModelRouteError> {
    EgressRules { models, ..EgressRules::default() }.keyed_models().map(drop)
}

#[test]
fn a_route_that_could_not_work_is_refused_before_it_is_used() {
    models(vec![route("a", "Bearer {}", "key"), route("b", "{}", "key")]).unwrap();
    for name in ["", "a/b", "..", "a b"] {
        assert_eq!(models(vec![route(name, "{}", "key")]), Err(ModelRouteError::Name(name.to_owned())));
    }
    let a = || "a".to_owned();
    assert_eq!(models(vec![route("a", "Bearer", "key")]), Err(ModelRouteError::Form(a())));
    assert_eq!(models(vec![route("a", "{}", "")]), Err(ModelRouteError::Key(a())));
    assert_eq!(models(vec![route("a", "{}", "k\ney")]), Err(ModelRouteError::Key(a())));
    models(vec![route("a", "{}", &"k".repeat(MOST_SECRETS))]).unwrap();
    assert_eq!(models(vec![route("a", "{}", &"k".repeat(MOST_SECRETS + 1))]), Err(ModelRouteError::Key(a())));
    let twice = vec![route("a", "{}", "key"), route("a", "{}", "key")];
    assert_eq!(models(twice), Err(ModelRouteError::Twice(a())));
}

#[test]
fn the_stand_in_counts_once_and_in_its_form_only() {
    let route = route("a", "Bearer {}", "key");
    let carries = |values: &[&str]| {
        let values: Vec<HeaderValue> = values.iter().map(|value| value.parse().unwrap()).collect();
        route.carries_sentinel(values.iter())
    };
    assert!(carries(&["Bearer stand-in"]));
    for wrong in [&[][..], &["stand-in"], &["Bearer key"], &["Bearer stand-in", "Bearer stand-in"], &[""]] {
        assert!(!carries(wrong), "{wrong:?}");
    }
    assert_eq!(route.credential().unwrap().as_bytes(), b"Bearer key");
    assert!(!format!("{route:?}").contains("key\""), "{route:?}");
}

#[test]
fn the_path_of_a_model_is_its_name_and_what_the_model_is_asked_for() {
    assert_eq!(model_path("/hostler/model/a/v1/messages"), Some(("a", "/v1/messages")));
    assert_eq!(model_path("/hostler/model/a"), Some(("a", "")));
    assert_eq!(model_path("/hostler/models/a"), None);
    assert_eq!(route("a", "{}", "key").base_url(3128), "http://127.0.0.1:3128/hostler/model/a");
}
