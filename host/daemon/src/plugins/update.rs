//! What a new build of a plugin may do by what the build before it was granted.

use hostler_components::Manifest;
use hostler_engine::rights::Rights;

use crate::plugins::grants::{Grant, Grants};

/// How the wishes of a new build stand to an old grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// It asks for no more: it gets exactly what it asks for.
    CarriedOver(Box<Rights>),
    /// It asks for more, told in lines for people, and gets nothing.
    AsksForMore(Vec<String>),
}

/// What a new build may do without anybody being asked. Besides the rights themselves,
/// the settings on which they depend must be those of the old build: a right to send
/// requests to the address in a field is a right to its default.
pub fn carry_over(old: &Grant, old_manifest: &Manifest, new: &Manifest) -> Update {
    let mut more = new.rights.beyond(&old.rights);
    let changed = |name: &&str| {
        let (before, after) = (old_manifest.config.get(*name), new.config.get(*name));
        before.zip(after).is_none_or(|(before, after)| {
            let deciding = |field: &hostler_components::manifest::ConfigField| {
                (field.kind, field.default.clone(), field.secret, field.env.clone())
            };
            deciding(before) != deciding(after)
        })
    };
    let fields = new.guarded_fields();
    more.extend(fields.iter().filter(|name| changed(name)).map(|name| in_words(name, new)));
    if more.is_empty() {
        Update::CarriedOver(Box::new(new.rights.clone()))
    } else {
        Update::AsksForMore(more)
    }
}

/// Lets a build keep the addresses in the operator's own network that were granted to
/// builds of the same plugin for the same setting: they say where the operator's server
/// is, which a new build changes nothing about.
pub fn keep_addresses(manifest: &mut Manifest, grants: &Grants) {
    let id = &manifest.plugin.id;
    let before: Vec<_> =
        grants.all().iter().filter(|grant| grant.id == *id).flat_map(|grant| &grant.rights.http).collect();
    for right in manifest.rights.http.iter_mut().filter(|right| right.origin_from.is_some()) {
        let same = before.iter().filter(|other| other.origin_from == right.origin_from);
        right.addresses.extend(same.flat_map(|other| other.addresses.iter().copied()));
        right.addresses.sort_unstable();
        right.addresses.dedup();
    }
}

fn in_words(name: &str, new: &Manifest) -> String {
    let field = new.config.get(name);
    let default =
        field.and_then(|field| field.default.as_ref()).map(|default| format!("by default {default}"));
    let env = field.and_then(|field| field.env.as_ref()).map(|env| format!("taken from {env}"));
    let now: Vec<String> = default.into_iter().chain(env).collect();
    let now = if now.is_empty() { String::new() } else { format!(", now {}", now.join(" and ")) };
    format!("have another meaning of the setting `{name}`, on which a right depends{now}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hostler_components::Digest;

    fn manifest(rest: &str) -> Manifest {
        let head = "[plugin]\nid = \"demo\"\nname = \"Demo\"\nversion = \"1.0.0\"\n\
                    contract = \"hostler:plugin@0.1.0\"\ndescription = \"A demo.\"\n";
        Manifest::parse(&format!("{head}{rest}")).unwrap()
    }

    fn granted(manifest: &Manifest) -> Grant {
        let mut grants = Grants::default();
        grants.allow(manifest, &Digest::of(b"old"));
        grants.all()[0].clone()
    }

    fn http(methods: &str) -> String {
        format!(
            "[[http]]\norigin = \"https://a.example\"\nmethods = [{methods}]\npath = \"/\"\nreason = \"to ask\"\n"
        )
    }

    fn address(field: &str) -> Manifest {
        let right =
            "[[http]]\norigin-from = \"url\"\nmethods = [\"GET\"]\npath = \"/\"\nreason = \"to ask\"\n";
        manifest(&format!("[config.url]\ntype = \"string\"\n{field}\n{right}"))
    }

    #[test]
    fn the_same_or_less_is_carried_over_and_the_grant_shrinks_with_the_wish() {
        let old = manifest(&http("\"GET\", \"POST\""));
        let less = manifest(&http("\"GET\""));
        assert_eq!(carry_over(&granted(&old), &old, &old), Update::CarriedOver(Box::new(old.rights.clone())));
        assert_eq!(
            carry_over(&granted(&old), &old, &less),
            Update::CarriedOver(Box::new(less.rights.clone()))
        );
    }

    #[test]
    fn more_than_the_grant_is_never_carried_over_whatever_the_old_build_asked_for() {
        let (old, more) = (manifest(&http("\"GET\"")), manifest(&http("\"GET\", \"POST\"")));
        let Update::AsksForMore(lines) = carry_over(&granted(&old), &old, &more) else { panic!("it grows") };
        assert_eq!(lines, ["send GET, POST requests to https://a.example/"]);
        // The operator took a part of the grant away by hand: it does not come back.
        assert!(matches!(carry_over(&granted(&old), &more, &more), Update::AsksForMore(_)));
    }

    #[test]
    fn a_right_whose_setting_now_leads_elsewhere_is_growth() {
        let old = address("default = \"https://good.example\"");
        for field in
            ["default = \"https://evil.example\"", "", "default = \"https://good.example\"\nenv = \"HOME\""]
        {
            let new = address(field);
            assert_eq!(new.rights, old.rights);
            let Update::AsksForMore(lines) = carry_over(&granted(&old), &old, &new) else {
                panic!("{field}")
            };
            assert!(lines[0].contains("`url`"), "{lines:?}");
        }
        let helped = address("default = \"https://good.example\"\nhelp = \"Address of the server\"");
        assert!(matches!(carry_over(&granted(&old), &old, &helped), Update::CarriedOver(_)));
    }

    #[test]
    fn addresses_of_ones_own_network_outlive_an_update_for_the_same_setting_only() {
        let http = |origin: &str| format!("[[http]]\n{origin}\nmethods = [\"GET\"]\n");
        let field = "[config.url]\ntype = \"string\"\n[config.other]\ntype = \"string\"\n";
        let mut old = manifest(&format!("{field}{}", http("origin-from = \"url\"")));
        old.rights.http[0].addresses = vec!["10.0.0.5/32".parse().unwrap()];
        let mut grants = Grants::default();
        grants.allow(&old, &Digest::of(b"old"));
        let kept = |rights: &str| {
            let mut new = manifest(&format!("{field}{rights}"));
            keep_addresses(&mut new, &grants);
            new.rights.http.remove(0).addresses
        };
        assert_eq!(kept(&http("origin-from = \"url\"")), old.rights.http[0].addresses);
        assert_eq!(kept(&http("origin-from = \"other\"")), []);
        assert_eq!(kept(&http("origin = \"https://a.example\"")), []);
        let mut stranger = manifest(&format!("{field}{}", http("origin-from = \"url\"")));
        stranger.plugin.id = "stranger".to_owned();
        keep_addresses(&mut stranger, &grants);
        assert_eq!(stranger.rights.http[0].addresses, []);
    }
}
