//! What is left of each right that a plugin asks for: manifest, grant and policy
//! together. Pure; it explains, and the gates decide.

use std::collections::BTreeMap;
use std::path::Path;

use hostler_engine::rights::{HttpRight, RepositoryRight, Rights, SecretRight, resolve_origin};
use hostler_policy::{Line, Policies, Program, Verdict};

/// One right, and what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EffectiveRight {
    /// In words.
    pub what: String,
    /// What is left.
    pub standing: Standing,
}

/// What is left of a right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It holds.
    Allowed {
        /// The line of a policy that names it, if any speaks of it.
        by: Option<Line>,
    },
    /// The operator can still allow it.
    NotGranted,
    /// The operator cannot allow it.
    Denied {
        /// The line of a policy that stands against it.
        by: Line,
    },
}

impl Standing {
    /// What the organisation denies, no grant brings back.
    pub fn of(verdict: Verdict, granted: bool) -> Self {
        match verdict {
            Verdict::Denied { by } => Self::Denied { by },
            Verdict::Allowed { .. } if !granted => Self::NotGranted,
            Verdict::Allowed { by } => Self::Allowed { by },
        }
    }
}

/// What a plugin asks for, and what is known about it on this machine.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Of its manifest.
    pub asked: &'a Rights,
    /// Of its grant; nothing without one.
    pub granted: &'a Rights,
    /// Its configuration as text, without secrets.
    pub fields: &'a BTreeMap<String, String>,
    /// Its program, as it is found here.
    pub program: Option<Program<'a>>,
}

impl Request<'_> {
    /// Every right that is asked for, in the order of the manifest's parts.
    pub fn judge(&self, policies: &Policies) -> Vec<EffectiveRight> {
        let http = self.asked.http.iter().map(|right| self.http(right, policies));
        let files = self.asked.files.iter().map(|right| {
            let one = Rights { files: vec![right.clone()], ..Rights::default() };
            self.right(right.to_string(), &one, Verdict::UNRESTRICTED)
        });
        let secrets = self.asked.secret.iter().map(|right| self.secret(right, policies));
        let agent = self.asked.agent.iter().filter(|agent| agent.environment).map(|agent| {
            let one = Rights { agent: Some(agent.clone()), ..Rights::default() };
            self.right(agent.to_string(), &one, Verdict::UNRESTRICTED)
        });
        let repository = self.asked.repository.iter().flat_map(|right| self.repository(right, policies));
        let first = http.chain(files).chain(secrets).chain(agent).chain(repository);
        first.chain(self.program(policies)).collect()
    }

    fn http(&self, right: &HttpRight, policies: &Policies) -> EffectiveRight {
        let one = Rights { http: vec![right.clone()], ..Rights::default() };
        let verdict = self.origin(right.origin.as_ref(), right.origin_from.as_ref(), policies);
        self.right(right.to_string(), &one, verdict)
    }

    fn secret(&self, right: &SecretRight, policies: &Policies) -> EffectiveRight {
        let one = Rights { secret: vec![right.clone()], ..Rights::default() };
        let verdict = self.origin(right.origin.as_ref(), right.origin_from.as_ref(), policies);
        self.right(right.to_string(), &one, verdict)
    }

    /// An address that is not configured yet is judged when it is used.
    fn origin(&self, fixed: Option<&String>, from: Option<&String>, policies: &Policies) -> Verdict {
        let origin = resolve_origin(fixed, from, self.fields);
        origin.map_or(Verdict::UNRESTRICTED, |origin| policies.origin(&origin))
    }

    /// Each landing is a right of its own.
    fn repository(&self, right: &RepositoryRight, policies: &Policies) -> Vec<EffectiveRight> {
        let alone = |part: RepositoryRight, verdict| {
            let one = Rights { repository: Some(part.clone()), ..Rights::default() };
            self.right(part.to_string(), &one, verdict)
        };
        let landings = right.landings.iter().map(|&kind| {
            let part = RepositoryRight { landings: vec![kind], ..RepositoryRight::default() };
            alone(part, policies.landing(kind))
        });
        let verify = right.verify.then(|| {
            let part = RepositoryRight { verify: true, ..RepositoryRight::default() };
            alone(part, Verdict::UNRESTRICTED)
        });
        landings.chain(verify).collect()
    }

    /// The program, and each variable that it would see.
    fn program(&self, policies: &Policies) -> Vec<EffectiveRight> {
        let Some(right) = &self.asked.program else { return Vec::new() };
        let one = Rights { program: Some(right.clone()), ..Rights::default() };
        let named = right.name.as_deref().map(Path::new).map(|path| Program { path, real: None });
        let found = self.program.or(named);
        let verdict = found.map_or(Verdict::UNRESTRICTED, |program| policies.program(program));
        let variables = right.env.iter().map(|name| {
            let granted = self.granted.program.as_ref().is_some_and(|granted| granted.env.contains(name));
            let standing = Standing::of(policies.environment(name), granted);
            EffectiveRight { what: format!("let agents see the variable {name}"), standing }
        });
        std::iter::once(self.right(right.to_string(), &one, verdict)).chain(variables).collect()
    }

    fn right(&self, what: String, alone: &Rights, verdict: Verdict) -> EffectiveRight {
        EffectiveRight { what, standing: Standing::of(verdict, alone.beyond(self.granted).is_empty()) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hostler_components::Manifest;
    use hostler_policy::{Member, Policy};

    const ASKED: &str = r#"
[plugin]
id = "demo"
name = "Demo"
version = "1.0.0"
contract = "hostler:plugin@0.1.0"
description = "A demo."
[config.url]
type = "string"
help = "Where it is"
[[http]]
origin-from = "url"
methods = ["GET"]
path = "/"
reason = "to ask"
[repository]
landings = ["push", "merge"]
reason = "to deliver"
"#;

    fn policies(text: &str) -> Policies {
        let path = Path::new("/p.toml");
        Policies::new(vec![Member { path: path.into(), digest: None, policy: Policy::parse(path, text) }])
    }

    fn standings(granted: &Rights, fields: &BTreeMap<String, String>, policy: &str) -> Vec<String> {
        let asked = Manifest::parse(ASKED).unwrap().rights;
        let request = Request { asked: &asked, granted, fields, program: None };
        let short = |right: EffectiveRight| match right.standing {
            Standing::Allowed { .. } => "allowed".to_owned(),
            Standing::NotGranted => "not granted".to_owned(),
            Standing::Denied { by } => by.to_string(),
        };
        request.judge(&policies(policy)).into_iter().map(short).collect()
    }

    #[test]
    fn a_right_needs_the_grant_and_must_not_be_denied() {
        let all = Manifest::parse(ASKED).unwrap().rights;
        let fields = BTreeMap::from([("url".to_owned(), "https://a.example/x".to_owned())]);
        let policy = "[http]\norigins = [\"https://b.example\"]\n[landing]\nallow = [\"push\"]\n";
        assert_eq!(standings(&all, &fields, ""), ["allowed", "allowed", "allowed"]);
        assert_eq!(standings(&Rights::default(), &fields, ""), ["not granted"; 3]);
        assert_eq!(standings(&all, &fields, policy), ["line 2 of /p.toml", "allowed", "line 4 of /p.toml"]);
        let nothing = standings(&Rights::default(), &fields, policy);
        assert_eq!(nothing, ["line 2 of /p.toml", "not granted", "line 4 of /p.toml"]);
    }

    #[test]
    fn an_address_that_is_not_configured_is_not_judged_beforehand() {
        let all = Manifest::parse(ASKED).unwrap().rights;
        assert_eq!(standings(&all, &BTreeMap::new(), "[http]\norigins = []\n")[0], "allowed");
    }
}
