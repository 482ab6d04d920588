//! What another build of a plugin asks for, compared with an earlier one. Derived from
//! the two files; reasons and other words of their authors do not count.

use hostler_engine::rights::Rights;
use serde::Serialize;

use crate::inspect::Inspection;

/// What was and what is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Change<T> {
    /// In the old build.
    pub old: T,
    /// In the new one.
    pub new: T,
}

impl<T: PartialEq> Change<T> {
    fn between(old: T, new: T) -> Option<Self> {
        (old != new).then_some(Self { old, new })
    }
}

/// How one build differs from another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// The id, if it is not even the same plugin.
    pub id: Option<Change<String>>,
    /// The version each says it is.
    pub version: Option<Change<String>>,
    /// The contract each was built against.
    pub contract: Option<Change<Option<String>>>,
    /// Rights that only the new one asks for, one line each.
    pub gained: Vec<String>,
    /// Rights that only the old one asked for.
    pub given_up: Vec<String>,
    /// Imports that only the new one has.
    pub imports_added: Vec<String>,
    /// Imports that only the old one had.
    pub imports_removed: Vec<String>,
    /// Exports that only the new one has.
    pub exports_added: Vec<String>,
    /// Exports that only the old one had.
    pub exports_removed: Vec<String>,
}

impl Difference {
    /// Compares two builds. A file without a manifest asks for nothing.
    pub fn between(old: &Inspection, new: &Inspection) -> Self {
        let (old_rights, new_rights) = (rights(old), rights(new));
        Self {
            id: Change::between(id(old), id(new)),
            version: Change::between(version(old), version(new)),
            contract: Change::between(old.contract.clone(), new.contract.clone()),
            gained: new_rights.beyond(&old_rights),
            given_up: old_rights.beyond(&new_rights),
            imports_added: only_in(&new.imports, &old.imports),
            imports_removed: only_in(&old.imports, &new.imports),
            exports_added: only_in(&new.exports, &old.exports),
            exports_removed: only_in(&old.exports, &new.exports),
        }
    }

    /// Whether the new build could do anything that the old one could not.
    pub fn grows(&self) -> bool {
        !self.gained.is_empty() || !self.imports_added.is_empty()
    }
}

fn rights(of: &Inspection) -> Rights {
    of.manifest.as_ref().map(|manifest| manifest.rights.clone()).unwrap_or_default()
}

fn id(of: &Inspection) -> String {
    of.manifest.as_ref().map(|manifest| manifest.plugin.id.clone()).unwrap_or_default()
}

fn version(of: &Inspection) -> String {
    of.manifest.as_ref().map(|manifest| manifest.plugin.version.clone()).unwrap_or_default()
}

fn only_in(one: &[String], other: &[String]) -> Vec<String> {
    one.iter().filter(|name| !other.contains(name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::contract::Kind;
    use crate::digest::Digest;
    use crate::manifest::Manifest;

    fn build(version: &str, rights: &str) -> Inspection {
        let text = format!(
            "[plugin]\nid = \"demo\"\nname = \"Demo\"\nversion = \"{version}\"\n\
             contract = \"hostler:plugin@0.1.0\"\ndescription = \"A demo.\"\n{rights}"
        );
        Inspection {
            digest: Digest::of(text.as_bytes()),
            size: 1,
            exports: vec!["hostler:plugin/tracker@0.1.0".to_owned()],
            imports: Vec::new(),
            contract: Some("hostler:plugin@0.1.0".to_owned()),
            kinds: vec![Kind::Tracker],
            manifest: Some(Manifest::parse(&text).unwrap()),
            manifest_error: None,
            refusal: None,
        }
    }

    fn http(methods: &str, path: &str) -> String {
        format!(
            "[[http]]\norigin = \"https://a.example\"\nmethods = [{methods}]\npath = \"{path}\"\nreason = \"to ask\"\n"
        )
    }

    #[test]
    fn a_build_that_asks_for_more_grows_and_the_way_back_does_not() {
        let (less, more) = (build("1.0.0", &http("\"GET\"", "/v1/")), build("1.1.0", &http("\"GET\"", "/")));
        let there = Difference::between(&less, &more);
        assert_eq!(there.gained, ["send GET requests to https://a.example/"]);
        assert!(there.grows() && there.given_up.is_empty());
        let back = Difference::between(&more, &less);
        assert_eq!(back.given_up, ["send GET requests to https://a.example/"]);
        assert!(!back.grows());
        assert_eq!(back.version, Some(Change { old: "1.1.0".to_owned(), new: "1.0.0".to_owned() }));
    }

    #[test]
    fn a_build_that_exchanges_one_right_for_another_grows() {
        let (one, other) = (build("1.0.0", &http("\"GET\"", "/")), build("1.0.0", &http("\"POST\"", "/")));
        let found = Difference::between(&one, &other);
        assert_eq!((found.gained.len(), found.given_up.len()), (1, 1));
        assert!(found.grows() && Difference::between(&other, &one).grows());
    }

    #[test]
    fn an_import_is_growth_and_another_export_or_contract_is_only_told() {
        let old = build("1.0.0", "");
        let new = Inspection { imports: vec!["wasi:cli/run@0.2.0".to_owned()], ..old.clone() };
        assert!(Difference::between(&old, &new).grows());
        assert!(!Difference::between(&new, &old).grows());
        let new = Inspection {
            exports: vec!["hostler:plugin/tracker@0.2.0".to_owned()],
            contract: Some("hostler:plugin@0.2.0".to_owned()),
            ..old.clone()
        };
        let found = Difference::between(&old, &new);
        assert!(!found.grows());
        assert_eq!(found.exports_added, ["hostler:plugin/tracker@0.2.0"]);
        assert_eq!(found.exports_removed, ["hostler:plugin/tracker@0.1.0"]);
        assert!(found.contract.is_some());
    }

    #[test]
    fn the_same_build_differs_in_nothing() {
        let build = build("1.0.0", &http("\"GET\"", "/"));
        let found = Difference::between(&build, &build);
        assert!(found.id.is_none() && found.version.is_none() && found.contract.is_none() && !found.grows());
    }
}
