//! What policies say together: a further one never allows more, and nothing is allowed
//! by more than the strictest.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};

use hostler_engine::landing::LandingKind;
use hostler_engine::plan::Permission;
use hostler_engine::rights::Origin;
use hostler_engine::sandbox::{Endpoint, Tier};
use hostler_policy::{Member, PluginFacts, Policies, Policy, Program, RepositoryFacts, Signatures, Verdict};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
const OTHER_KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO4";

fn member(path: &str, text: &str) -> Member {
    Member { path: PathBuf::from(path), digest: None, policy: Policy::parse(Path::new(path), text) }
}

fn policies(texts: &[&str]) -> Policies {
    let members = texts.iter().enumerate().map(|(number, text)| member(&format!("/{number}.toml"), text));
    Policies::new(members.collect())
}

fn digest() -> String {
    "a".repeat(64)
}

fn origin(address: &str) -> Origin {
    Origin::of(address).unwrap()
}

fn denied_by(verdict: &Verdict) -> String {
    verdict.denied_by().map(ToString::to_string).unwrap_or_default()
}

/// Every question, with and without what a rule may ask for.
fn answers(policies: &Policies) -> Vec<Verdict> {
    let mut answers = vec![policies.observing()];
    let (digest, keys) = (digest(), vec![KEY.to_owned()]);
    for (signed, publishers) in [(false, &[][..]), (true, &[]), (true, &keys)] {
        for (id, inert_wasi) in [("folder", false), ("folder", true), ("tale", false)] {
            let digest = digest.as_str();
            answers.push(policies.plugin(&PluginFacts { id, digest, signed, publishers, inert_wasi }));
        }
    }
    for address in ["https://a.example", "https://x.b.example", "http://c.example:8080"] {
        answers.push(policies.origin(&origin(address)));
        let Origin { host, port, .. } = origin(address);
        answers.push(policies.network(&Endpoint::new(&host, port).unwrap()));
    }
    for path in ["/usr/bin/claude", "/home/ada/bin/codex"] {
        answers.push(policies.program(Program { path: Path::new(path), real: None }));
    }
    let remotes = ["https://github.com/acme/app".to_owned()];
    for (path, remotes) in [("/srv/app", &remotes[..]), ("/home/ada/app", &remotes), ("/srv/app", &[])] {
        answers.push(policies.repository(&RepositoryFacts { paths: &[PathBuf::from(path)], remotes }));
    }
    for kind in [LandingKind::Push, LandingKind::PullRequest, LandingKind::Merge] {
        answers.push(policies.landing(kind));
    }
    answers.extend(["A_TOKEN", "B_TOKEN"].map(|name| policies.environment(name)));
    answers
}

fn is_denied(verdict: &Verdict) -> bool {
    verdict.denied_by().is_some()
}

/// One line of a policy that lists some of these entries, or none at all.
fn list(key: &'static str, entries: Vec<String>) -> impl Strategy<Value = String> {
    let most = entries.len();
    let some = subsequence(entries, 0..=most);
    proptest::option::of(some)
        .prop_map(move |entries| entries.map(|entries| format!("{key} = {entries:?}\n")).unwrap_or_default())
}

fn word(key: &'static str, words: &'static [&'static str]) -> impl Strategy<Value = String> {
    let some = proptest::option::of(select(words));
    some.prop_map(move |word| word.map(|word| format!("{key} = {word}\n")).unwrap_or_default())
}

/// A table with its only list.
fn table(name: &'static str, key: &'static str, entries: &[&str]) -> impl Strategy<Value = String> {
    let entries = entries.iter().map(|&entry| entry.to_owned()).collect();
    list(key, entries).prop_map(move |line| if line.is_empty() { line } else { format!("[{name}]\n{line}") })
}

fn plugins() -> impl Strategy<Value = String> {
    let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    (
        list("publishers", names(&[KEY, OTHER_KEY])),
        list("digests", vec![digest(), "b".repeat(64)]),
        list("ids", names(&["folder", "tale", "other"])),
        word("unsigned", &["true", "false"]),
        word("inert-wasi", &["true", "false"]),
        word("signatures", &["'off'", "'warn'", "'require'"]),
    )
        .prop_map(|(a, b, c, d, e, f)| format!("[plugins]\n{a}{b}{c}{d}{e}{f}"))
}

fn agents() -> impl Strategy<Value = String> {
    let network = ["a.example:443", "*.b.example:443", "c.example:8080"].map(str::to_owned).to_vec();
    (
        word("permission-ceiling", &["'safe'", "'auto-edits'", "'full-auto'"]),
        word("minimum-sandbox", &["'none'", "'basic'", "'contained'"]),
        list("environment", vec!["A_TOKEN".to_owned(), "B_TOKEN".to_owned()]),
        list("network", network),
    )
        .prop_map(|(a, b, c, d)| format!("[agents]\n{a}{b}{c}{d}"))
}

fn any_policy() -> impl Strategy<Value = String> {
    (
        word("observe", &["true", "false"]),
        plugins(),
        table("http", "origins", &["https://a.example", "https://*.b.example", "http://c.example:8080"]),
        table("programs", "allow", &["claude", "/home/ada/bin/codex"]),
        agents(),
        table("repositories", "allow", &["/srv/", "/home/ada/app", "https://github.com/acme/"]),
        table("landing", "allow", &["push", "pull-request", "merge"]),
    )
        .prop_map(|(a, b, c, d, e, f, g)| format!("{a}{b}{c}{d}{e}{f}{g}"))
}

proptest! {
    #[test]
    fn a_further_policy_never_allows_more(texts in proptest::collection::vec(any_policy(), 1..4)) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (fewer, all) = (policies(&texts[..texts.len() - 1]), policies(&texts));
        prop_assert_eq!(all.soundness(), Ok(()));
        for (before, after) in answers(&fewer).iter().zip(answers(&all)) {
            prop_assert!(!is_denied(before) || is_denied(&after), "{before} became {after}");
        }
        prop_assert!(all.permission().value <= fewer.permission().value);
        prop_assert!(all.minimum_sandbox().value >= fewer.minimum_sandbox().value);
        prop_assert!(all.signatures().value >= fewer.signatures().value);
    }

    #[test]
    fn together_they_allow_what_each_of_them_allows(texts in proptest::collection::vec(any_policy(), 0..4)) {
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let all = policies(&texts);
        let each: Vec<Policies> = texts.iter().map(|text| policies(&[text])).collect();
        let alone: Vec<Vec<Verdict>> = each.iter().map(answers).collect();
        for (number, together) in answers(&all).iter().enumerate() {
            prop_assert_eq!(is_denied(together), alone.iter().any(|answers| is_denied(&answers[number])));
        }
        let least = each.iter().map(|one| one.permission().value).min();
        prop_assert_eq!(all.permission().value, least.unwrap_or(Permission::FullAuto));
        let most = each.iter().map(|one| one.minimum_sandbox().value).max();
        prop_assert_eq!(all.minimum_sandbox().value, most.unwrap_or(Tier::None));
        let most = each.iter().map(|one| one.signatures().value).max();
        prop_assert_eq!(all.signatures().value, most.unwrap_or(Signatures::Off));
    }

    #[test]
    fn a_policy_that_cannot_be_used_allows_nothing(text in any_policy()) {
        let broken = policies(&[&text, "[nonsense]"]);
        prop_assert!(broken.soundness().is_err());
        prop_assert!(answers(&broken).iter().all(is_denied));
        prop_assert_eq!(broken.permission().value, Permission::Safe);
        prop_assert_eq!(broken.minimum_sandbox().value, Tier::Contained);
        prop_assert_eq!(broken.signatures().value, Signatures::Require);
    }

    #[test]
    fn no_text_makes_a_policy_that_allows_what_it_does_not_name(text in "\\PC{0,200}") {
        // Whatever is read, reading ends, and what is not understood allows nothing.
        let read = policies(&[&text]);
        if read.soundness().is_err() {
            prop_assert!(answers(&read).iter().all(is_denied));
        }
    }
}

#[test]
fn without_a_policy_nothing_is_restricted() {
    let none = Policies::default();
    assert!(answers(&none).iter().all(|verdict| *verdict == Verdict::UNRESTRICTED));
    assert_eq!((none.permission().value, none.permission().by), (Permission::FullAuto, None));
}

#[test]
fn an_empty_list_allows_nothing_and_no_list_everything() {
    let empty = policies(&["[http]\norigins = []\n[agents]\nnetwork = []\n"]);
    assert_eq!(denied_by(&empty.origin(&origin("https://a.example"))), "line 2 of /0.toml");
    assert_eq!(denied_by(&empty.network(&Endpoint::new("a.example", 443).unwrap())), "line 4 of /0.toml");
    assert_eq!(empty.landing(LandingKind::Push), Verdict::UNRESTRICTED);
    let two = policies(&["[agents]\nnetwork = []\n", "", "[agents]\nnetwork = [\"*.a.example:443\"]\n"]);
    let listed = Endpoint::new("x.a.example", 443).unwrap();
    assert_eq!(denied_by(&two.network(&listed)), "line 2 of /0.toml", "it must be in every list");
    let one = Policies::new(two.members()[1..].to_vec());
    assert!(!is_denied(&one.network(&listed)));
    assert_eq!(denied_by(&one.network(&Endpoint::new("a.example", 22).unwrap())), "line 2 of /2.toml");
}

#[test]
fn work_may_stay_on_its_branch_whatever_a_policy_says() {
    let none = policies(&["[landing]\nallow = []\n"]);
    assert!(is_denied(&none.landing(LandingKind::Push)));
    assert!(!is_denied(&none.landing(LandingKind::Leave)));
}

#[test]
fn a_plugin_is_allowed_by_any_list_that_names_it_and_denied_by_every_other_rule() {
    let text = format!("[plugins]\npublishers = [\"{KEY}\"]\nids = [\"folder\"]\nunsigned = false\n");
    let policy = policies(&[&text]);
    let digest = digest();
    let judge = |id, signed, keys: &[&str]| {
        let publishers: Vec<String> = keys.iter().map(|&key| key.to_owned()).collect();
        let plugin = PluginFacts { id, digest: &digest, signed, publishers: &publishers, inert_wasi: false };
        policy.plugin(&plugin).to_string()
    };
    assert_eq!(judge("tale", true, &[KEY]), "allowed by line 2 of /0.toml");
    assert_eq!(judge("folder", true, &[]), "allowed by line 3 of /0.toml");
    assert_eq!(judge("tale", true, &[OTHER_KEY]), "denied by line 2 of /0.toml");
    assert_eq!(judge("folder", false, &[]), "denied by line 4 of /0.toml");
    assert_eq!(policy.publishers(), [KEY]);
}

#[test]
fn the_first_policy_that_says_no_is_told_and_the_strictest_value_with_its_line() {
    let both = policies(&[
        "[agents]\npermission-ceiling = \"full-auto\"\n",
        "[http]\norigins = []\n[agents]\npermission-ceiling = \"safe\"\n",
    ]);
    assert_eq!(denied_by(&both.origin(&origin("https://a.example"))), "line 2 of /1.toml");
    let bound = both.permission();
    assert_eq!((bound.value, bound.by.unwrap().to_string()), (Permission::Safe, "line 4 of /1.toml".into()));
    assert_eq!(denied_by(&both.permits(Permission::AutoEdits)), "line 4 of /1.toml");
    assert!(!is_denied(&both.permits(Permission::Safe)));
    let sandboxed = policies(&["[agents]\nminimum-sandbox = \"basic\"\n"]);
    assert_eq!(denied_by(&sandboxed.sandbox(Tier::None)), "line 2 of /0.toml");
    assert!(!is_denied(&sandboxed.sandbox(Tier::Basic)) && !is_denied(&sandboxed.sandbox(Tier::Contained)));
    let one = policies(&["[agents]\npermission-ceiling = \"full-auto\"\n"]);
    assert_eq!(one.permission().by.unwrap().number, Some(2), "who says the same as nobody is told, too");
}
