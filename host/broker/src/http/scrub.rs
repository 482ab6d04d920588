//! Removes secret values from what a server sends back.
//!
//! This catches the honest echo (a debug endpoint, an error page that repeats
//! the request). A server that means to hand the secret to the plugin can always
//! disguise it; against that only the choice of granted origins helps.

use crate::grant::HttpGrant;
use crate::secret::{REMOVED, Secret};

/// Knows the values to remove.
#[derive(Default)]
pub(crate) struct Scrubber {
    /// Longest first, so that a secret that contains another goes as a whole.
    needles: Vec<Vec<u8>>,
}

impl Scrubber {
    /// For every secret of a grant: a later answer may repeat what an earlier
    /// request carried.
    pub(crate) fn new(grant: &HttpGrant) -> Self {
        Self::of(grant.credentials().iter().filter_map(|credential| credential.value.as_ref()))
    }

    fn of<'s>(secrets: impl Iterator<Item = &'s Secret>) -> Self {
        let mut needles: Vec<Vec<u8>> =
            secrets.flat_map(|secret| spellings(secret.reveal())).map(String::into_bytes).collect();
        needles.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        needles.dedup();
        Self { needles }
    }

    /// The same bytes with every secret value replaced.
    pub(crate) fn scrub(&self, bytes: Vec<u8>) -> Vec<u8> {
        let Some(first) = self.find(&bytes) else { return bytes };
        let mut clean = Vec::with_capacity(bytes.len());
        let (mut done, mut next) = (0, Some(first));
        while let Some((start, length)) = next {
            clean.extend_from_slice(&bytes[done..done + start]);
            clean.extend_from_slice(REMOVED.as_bytes());
            done += start + length;
            next = self.find(&bytes[done..]);
        }
        clean.extend_from_slice(&bytes[done..]);
        clean
    }

    /// Where the first secret stands and how long it is.
    fn find(&self, bytes: &[u8]) -> Option<(usize, usize)> {
        (0..bytes.len()).find_map(|start| {
            let rest = &bytes[start..];
            self.needles.iter().find(|needle| rest.starts_with(needle)).map(|needle| (start, needle.len()))
        })
    }
}

impl std::fmt::Debug for Scrubber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scrubber").field("needles", &self.needles.len()).finish()
    }
}

/// How a server may write a value when it repeats it: as it is, in an address,
/// in JSON (where some escape the slash and some do not).
fn spellings(value: &str) -> [String; 4] {
    let in_address = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
    let in_json = value.replace('\\', "\\\\").replace('"', "\\\"");
    let in_careful_json = in_json.replace('/', "\\/");
    [value.to_owned(), in_address, in_json, in_careful_json]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubbed(secrets: &[&str], text: &str) -> String {
        let secrets: Vec<Secret> = secrets.iter().map(|&secret| Secret::new(secret)).collect();
        let clean = Scrubber::of(secrets.iter()).scrub(text.as_bytes().to_vec());
        String::from_utf8_lossy(&clean).into_owned()
    }

    #[test]
    fn every_echo_is_replaced_wherever_it_stands() {
        assert_eq!(
            scrubbed(&["s3cret"], "s3cret, Bearer s3crets3cret."),
            "[secret removed], Bearer [secret removed][secret removed]."
        );
        assert_eq!(scrubbed(&["s3cret"], "s3cre s3CRET"), "s3cre s3CRET");
        assert_eq!(scrubbed(&[], "anything"), "anything");
    }

    #[test]
    fn an_echo_in_an_address_or_in_json_is_found() {
        assert_eq!(scrubbed(&["a/b c+d"], "?t=a%2Fb+c%2Bd"), "?t=[secret removed]");
        assert_eq!(scrubbed(&["a\"b"], r#"{"t":"a\"b"}"#), r#"{"t":"[secret removed]"}"#);
        assert_eq!(scrubbed(&["a/b"], r#"{"t":"a\/b"}"#), r#"{"t":"[secret removed]"}"#);
    }

    #[test]
    fn a_secret_that_contains_another_is_removed_as_a_whole() {
        assert_eq!(scrubbed(&["abc", "abcdef"], "abcdef abc"), "[secret removed] [secret removed]");
    }

    #[test]
    fn printing_a_scrubber_shows_no_secret() {
        let secret = Secret::new("s3cret");
        assert_eq!(format!("{:?}", Scrubber::of([&secret].into_iter())), "Scrubber { needles: 1 }");
    }
}
