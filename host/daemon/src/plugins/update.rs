//! What a new build of a plugin may do by what the build before it was granted.

use hostler_components::Manifest;
use hostler_engine::rights::{AddressBlock, HttpRight, Rights};

use crate::plugins::grants::Grant;

/// How the wishes of a new build stand to an old grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// It asks for no more: it gets what it asks for, and the addresses that the operator
    /// added to the same places.
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
    if !more.is_empty() {
        return Update::AsksForMore(more);
    }
    let mut rights = new.rights.clone();
    rights
        .http
        .iter_mut()
        .for_each(|right| add_operators_addresses(right, &old.rights, &old_manifest.rights));
    Update::CarriedOver(Box::new(rights))
}

/// Opens a right to the special addresses that were granted for the same origin and that
/// no build asked for: the operator's own network does not change with a plugin.
fn add_operators_addresses(right: &mut HttpRight, granted: &Rights, asked: &Rights) {
    let to_same = |rights: &Rights| -> Vec<AddressBlock> {
        let same =
            |other: &&HttpRight| other.origin == right.origin && other.origin_from == right.origin_from;
        rights.http.iter().filter(same).flat_map(|other| other.addresses.iter().copied()).collect()
    };
    let (mut added, of_plugin) = (to_same(granted), to_same(asked));
    added.retain(|block| !of_plugin.contains(block));
    right.addresses.append(&mut added);
    right.addresses.sort_unstable();
    right.addresses.dedup();
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
    use crate::plugins::grants::Grants;
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
    fn addresses_that_the_operator_added_stay_and_those_a_build_gave_up_do_not() {
        let asks = |addresses: &str| manifest(&format!("{}addresses = [{addresses}]\n", http("\"GET\"")));
        let (old, new) = (asks("\"127.0.0.1/32\""), asks(""));
        let mut grant = granted(&old);
        grant.rights.http[0].addresses.push("10.0.0.5/32".parse().unwrap());
        let Update::CarriedOver(rights) = carry_over(&grant, &old, &new) else { panic!("it asks for less") };
        assert_eq!(rights.http[0].addresses, ["10.0.0.5/32".parse().unwrap()]);
        assert_eq!(rights.beyond(&grant.rights), [""; 0]);
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
}
