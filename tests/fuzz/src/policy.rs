//! The organisation's policies.

use std::path::{Path, PathBuf};

use hostler_engine::landing::LandingKind;
use hostler_engine::rights::Origin;
use hostler_engine::sandbox::Endpoint;
use hostler_policy::{Member, PluginFacts, Policies, Policy, Program, RepositoryFacts, Verdict};

/// Any text is a policy or allows nothing. A policy never allows what none would deny
/// only because another stands beside it: together they deny what either denies.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // Two policies in one input: the rule about several is part of what is checked.
    let (one, other) = text.split_once("\n---\n").unwrap_or((text, ""));
    let (one, other) = (member("/one.toml", one), member("/other.toml", other));
    let apart = [&one, &other].map(|member| answers(&Policies::new(vec![member.clone()])));
    let sound = one.policy.is_ok();
    let together = answers(&Policies::new(vec![one, other]));
    for (question, both) in together.iter().enumerate() {
        let denied = apart.iter().any(|answers| answers[question].denied_by().is_some());
        assert_eq!(both.denied_by().is_some(), denied, "question {question}");
    }
    // The last is about work that stays on its branch, which nothing stands against
    // but a policy that cannot be used.
    let stays = apart[0].last().is_some_and(|verdict| verdict.denied_by().is_none());
    assert_eq!(stays, sound, "a policy that cannot be used allows something, or a good one too little");
}

fn member(path: &str, text: &str) -> Member {
    Member { path: PathBuf::from(path), digest: None, policy: Policy::parse(Path::new(path), text) }
}

fn answers(policies: &Policies) -> Vec<Verdict> {
    let mut answers = vec![policies.observing(), policies.environment("API_KEY")];
    let digest = "a".repeat(64);
    for signed in [false, true] {
        let facts = PluginFacts { id: "tale", digest: &digest, signed, publishers: &[], inert_wasi: !signed };
        answers.push(policies.plugin(&facts));
    }
    for address in ["https://a.example", "https://x.b.example:8443", "http://127.0.0.1"] {
        let Ok(origin) = Origin::of(address) else { continue };
        answers.push(policies.origin(&origin));
        answers.extend(Endpoint::new(&origin.host, origin.port).map(|to| policies.network(&to)));
    }
    for path in ["/usr/bin/claude", "relative/../claude"] {
        answers.push(policies.program(Program { path: Path::new(path), real: None }));
    }
    let remotes = ["git@github.com:acme/app.git".to_owned(), "https://github.com/acme/app".to_owned()];
    let paths = [PathBuf::from("/srv/app")];
    for remotes in [&remotes[..], &[]] {
        answers.push(policies.repository(&RepositoryFacts { paths: &paths, remotes }));
    }
    for kind in [LandingKind::Push, LandingKind::Merge, LandingKind::Leave] {
        answers.push(policies.landing(kind));
    }
    answers
}
