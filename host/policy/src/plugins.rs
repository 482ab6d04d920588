//! Which plugins may be used: by who signed them, by their bytes, or by their name.

use serde::Deserialize;

use crate::verdict::{List, Setting, Verdict};

/// Characters of a minisign public key: 42 bytes in base64.
const KEY_CHARS: usize = 56;

/// Digits of a SHA-256.
const DIGEST_DIGITS: usize = 64;

/// How much signatures matter at least. A later one asks for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signatures {
    /// The operator decides.
    Off,
    /// What has no good one is told.
    Warn,
    /// Nothing runs without a good one.
    Require,
}

impl Signatures {
    /// As it is written in files.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Require => "require",
        }
    }
}

/// A plugin as it was found.
#[derive(Clone, Copy, Debug)]
pub struct PluginFacts<'a> {
    /// What it calls itself. Proves nothing.
    pub id: &'a str,
    /// SHA-256 of its bytes in small hexadecimal digits.
    pub digest: &'a str,
    /// Whether a key that counts signed exactly these bytes.
    pub signed: bool,
    /// Those of the policies' publishers who signed exactly these bytes.
    pub publishers: &'a [String],
    /// Whether it needs the inert system interface, so that its imports are not none.
    pub inert_wasi: bool,
}

/// A publisher's minisign public key. The key's id would be too little: it is chosen by
/// whoever makes a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PublisherKey(pub(crate) String);

impl PublisherKey {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let base64 = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
        // The first two bytes are `Ed`; the third character also has bits of what follows.
        let marked = ["RWQ", "RWR", "RWS", "RWT"].iter().any(|mark| text.starts_with(mark));
        if marked && text.len() == KEY_CHARS && text.chars().all(base64) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!(
            "`{text}` is no minisign public key: write its {KEY_CHARS} characters beginning with `RW`, not its id"
        ))
    }
}

/// The bytes of one build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildDigest(String);

impl BuildDigest {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.len() == DIGEST_DIGITS && text.chars().all(|c| c.is_ascii_hexdigit()) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(format!(
            "`{text}` is no digest: write the {DIGEST_DIGITS} digits that `host plugin inspect` shows"
        ))
    }
}

/// The name that a plugin gives itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PluginId(String);

impl PluginId {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !text.is_empty() && text.chars().all(plain) {
            return Ok(Self(text.to_owned()));
        }
        Err(format!("`{text}` is no plugin's name: write it as in its manifest, such as `folder`"))
    }
}

/// What a policy says of plugins. One that is in any of the lists is named; the other
/// rules hold besides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PluginRules {
    pub(crate) publishers: Option<List<PublisherKey>>,
    pub(crate) digests: Option<List<BuildDigest>>,
    pub(crate) ids: Option<List<PluginId>>,
    pub(crate) unsigned: Option<Setting<bool>>,
    pub(crate) inert_wasi: Option<Setting<bool>>,
    pub(crate) signatures: Option<Setting<Signatures>>,
}

impl PluginRules {
    pub(crate) fn judge(&self, plugin: &PluginFacts<'_>) -> Verdict {
        let signed = permitted(self.unsigned.as_ref(), !plugin.signed);
        let inert = permitted(self.inert_wasi.as_ref(), plugin.inert_wasi);
        self.named(plugin).and(signed).and(inert)
    }

    fn named(&self, plugin: &PluginFacts<'_>) -> Verdict {
        let signed_by = |key: &PublisherKey| plugin.publishers.contains(&key.0);
        let lists = [
            self.publishers.as_ref().map(|list| list.judge(signed_by)),
            self.digests.as_ref().map(|list| list.judge(|digest| digest.0 == plugin.digest)),
            self.ids.as_ref().map(|list| list.judge(|id| id.0 == plugin.id)),
        ];
        let mut said = lists.into_iter().flatten();
        let first = said.next().unwrap_or(Verdict::UNRESTRICTED);
        said.fold(first, |so_far, next| if so_far.denied_by().is_none() { so_far } else { or(so_far, next) })
    }
}

/// A list that names the plugin outweighs one that does not; of several that do not,
/// the first is told.
fn or(denied: Verdict, next: Verdict) -> Verdict {
    if next.denied_by().is_none() { next } else { denied }
}

/// What a switch says of something that it may be about.
pub(crate) fn permitted(switch: Option<&Setting<bool>>, concerned: bool) -> Verdict {
    match switch {
        Some(switch) if concerned && !switch.value => Verdict::Denied { by: switch.line.clone() },
        _ => Verdict::UNRESTRICTED,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// The public key of the first line of minisign's own manual page.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    #[test]
    fn a_publisher_is_a_whole_key_and_not_an_id_of_one() {
        assert!(PublisherKey::parse(KEY).is_ok());
        for wrong in ["", "E7620F1842B4E81F", &KEY[1..], &format!("{KEY}A"), &KEY.replace("RW", "AA")] {
            let error = PublisherKey::parse(wrong).unwrap_err();
            assert!(error.contains("56 characters"), "{error}");
        }
    }

    #[test]
    fn a_digest_has_so_many_digits_and_no_more_or_less() {
        assert!(BuildDigest::parse(&"A0".repeat(32)).is_ok());
        for wrong in ["a".repeat(63), "a".repeat(65), "g".repeat(64)] {
            assert!(BuildDigest::parse(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_name_is_one_that_a_manifest_can_have() {
        assert!(PluginId::parse("claude-code").is_ok());
        assert!(PluginId::parse("").is_err() && PluginId::parse("a/b").is_err());
    }
}
