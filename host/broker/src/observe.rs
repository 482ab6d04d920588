//! Remembers what a plugin sent while it was only observed, as the smallest grant that
//! would have sufficed for it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use hostler_engine::rights::{AddressBlock, HttpRight, Origin, path_below};

use crate::denial::{Counter, Denial};

/// Different origins and paths that are remembered: more than a person would read.
/// What comes beyond is refused, so that nothing is sent that is not in the grant.
pub const OBSERVED_PATHS: usize = 256;

/// Bytes from which a segment of a path with digits in it counts as an id: words with a
/// digit (`v1`, `oauth2`, `s3-bucket`) are shorter, random ids longer.
const ID_BYTES: usize = 12;

/// Origin and path.
type Place = (Origin, String);

/// What a plugin sent so far.
#[derive(Debug)]
pub(crate) struct Observed {
    denials: Arc<Counter>,
    sent: Mutex<Sent>,
}

#[derive(Debug, Default)]
struct Sent {
    /// Origin and path, with the methods.
    requests: BTreeMap<Place, BTreeSet<String>>,
    /// The special addresses that were dialled.
    addresses: BTreeMap<Origin, BTreeSet<AddressBlock>>,
}

impl Observed {
    /// Nothing so far; would-be denials are counted with the others.
    pub(crate) fn new(denials: Arc<Counter>) -> Self {
        Self { denials, sent: Mutex::default() }
    }

    /// Counts what would have been refused.
    pub(crate) fn let_pass(&self, denial: &Denial) {
        let message = self.denials.count(denial);
        tracing::debug!(reason = denial.reason(), message, "effect would be refused");
    }

    /// Remembers a request; says whether there was room for it.
    pub(crate) fn request(&self, origin: &Origin, path: &str, method: &str) -> bool {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (origin.clone(), path.to_owned());
        if sent.requests.len() >= OBSERVED_PATHS && !sent.requests.contains_key(&place) {
            return false;
        }
        sent.requests.entry(place).or_default().insert(method.to_owned());
        true
    }

    /// Remembers special addresses that were dialled.
    pub(crate) fn addresses(&self, origin: &Origin, addresses: &[IpAddr]) {
        let mut sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let blocks = sent.addresses.entry(origin.clone()).or_default();
        blocks.extend(addresses.iter().copied().map(AddressBlock::only));
    }

    /// The rights that cover all that was sent, and as little else as rights can that
    /// are to hold tomorrow, too: where a path names one thing by its id, they cover all
    /// things of that kind.
    pub(crate) fn smallest_grant(&self) -> Vec<HttpRight> {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        let needed = sent.needed();
        let right = |((origin, path), methods): (&Place, &BTreeSet<String>)| HttpRight {
            origin: Some(origin.to_string()),
            origin_from: None,
            methods: methods.iter().cloned().collect(),
            path: path.clone(),
            addresses: sent.addresses.get(origin).into_iter().flatten().copied().collect(),
            reason: String::new(),
        };
        needed.iter().filter(|(place, methods)| !covered(&needed, place, methods)).map(right).collect()
    }
}

impl Sent {
    /// Methods by origin and path, without the ids of single things.
    fn needed(&self) -> BTreeMap<Place, BTreeSet<String>> {
        let mut needed = BTreeMap::<Place, BTreeSet<String>>::new();
        for ((origin, path), methods) in &self.requests {
            let place = (origin.clone(), without_ids(path).to_owned());
            needed.entry(place).or_default().extend(methods.iter().cloned());
        }
        needed
    }
}

/// Whether another path's right covers these requests anyway.
fn covered(
    needed: &BTreeMap<Place, BTreeSet<String>>,
    (origin, path): &Place,
    methods: &BTreeSet<String>,
) -> bool {
    needed.iter().any(|((other, above), allowed)| {
        other == origin && above != path && path_below(above, path) && methods.is_subset(allowed)
    })
}

/// The path up to the first segment that looks like the id of a single thing.
fn without_ids(path: &str) -> &str {
    let mut start = 0;
    for segment in path.split_inclusive('/') {
        if is_id(segment.trim_end_matches('/')) {
            return &path[..start];
        }
        start += segment.len();
    }
    path
}

/// A number, or many characters with digits among them.
fn is_id(segment: &str) -> bool {
    let digits = segment.bytes().filter(u8::is_ascii_digit).count();
    digits > 0 && (digits == segment.len() || segment.len() >= ID_BYTES)
}

/// Rights as they stand in the operator's file.
pub(crate) fn toml(rights: &[HttpRight]) -> String {
    let mut text = String::new();
    for right in rights {
        let list = |items: Vec<String>| items.iter().map(|item| string(item)).collect::<Vec<_>>().join(", ");
        let addresses = list(right.addresses.iter().map(ToString::to_string).collect());
        let _ = writeln!(text, "[[http]]\norigin = {}", string(right.origin.as_deref().unwrap_or_default()));
        let _ = writeln!(text, "methods = [{}]\npath = {}", list(right.methods.clone()), string(&right.path));
        if !addresses.is_empty() {
            let _ = writeln!(text, "addresses = [{addresses}]");
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text
}

/// A basic string. Origins, methods and paths are in normal form, without control
/// characters.
fn string(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn observed(requests: &[(&str, &str, &str)]) -> Observed {
        let observed = Observed::new(Arc::default());
        for (origin, path, method) in requests {
            assert!(observed.request(&Origin::of(origin).unwrap(), path, method));
        }
        observed
    }

    #[test]
    fn the_smallest_grant_names_each_path_once_with_its_methods() {
        let observed = observed(&[
            ("https://a.example", "/api/tasks", "GET"),
            ("https://a.example", "/api/tasks", "POST"),
            ("https://a.example", "/api/tasks/7", "GET"),
            ("https://a.example", "/api/tasks/7", "DELETE"),
            ("https://a.example", "/api/tasks/8", "GET"),
            ("http://b.example:8080", "/\"quoted", "GET"),
        ]);
        observed.addresses(&Origin::of("http://b.example:8080").unwrap(), &["10.0.0.1".parse().unwrap()]);
        assert_eq!(
            toml(&observed.smallest_grant()),
            r#"[[http]]
origin = "http://b.example:8080"
methods = ["GET"]
path = "/\"quoted"
addresses = ["10.0.0.1/32"]

[[http]]
origin = "https://a.example"
methods = ["GET", "POST"]
path = "/api/tasks"

[[http]]
origin = "https://a.example"
methods = ["DELETE", "GET"]
path = "/api/tasks/""#
        );
        assert_eq!(toml(&[]), "");
    }

    #[test]
    fn an_id_in_a_path_stands_for_all_things_of_its_kind() {
        for (path, general) in [
            ("/api/v1/runs/claim", "/api/v1/runs/claim"),
            ("/api/v1/runs/k8ye0bkz6gfb/complete", "/api/v1/runs/"),
            ("/api/v1/runs/k8ye0bkz6gf/complete", "/api/v1/runs/k8ye0bkz6gf/complete"),
            ("/tasks/7", "/tasks/"),
            ("/tasks/550e8400-e29b-41d4-a716-446655440000", "/tasks/"),
            ("/oauth2/organisations/settings", "/oauth2/organisations/settings"),
            ("/12", "/"),
            ("/", "/"),
        ] {
            assert_eq!(without_ids(path), general, "{path}");
            assert!(path_below(general, path), "{path}");
        }
    }

    #[test]
    fn so_many_paths_are_remembered_and_no_more() {
        let observed = observed(&[]);
        let origin = Origin::of("https://a.example").unwrap();
        for number in 0..OBSERVED_PATHS {
            assert!(observed.request(&origin, &format!("/x{number}"), "GET"));
        }
        assert!(!observed.request(&origin, "/one/more", "GET"));
        assert!(observed.request(&origin, "/x0", "POST"), "known paths go on");
        assert_eq!(observed.smallest_grant().len(), OBSERVED_PATHS);
    }
}
