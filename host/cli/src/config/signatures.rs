//! `signatures`: how much the signatures of plugins matter.

use std::fmt;

use hostler_daemon::vouching::SignatureRule;

use super::error::ConfigError;
use super::key::Key;
use super::layers::Layers;
use super::origin::Setting;
use super::value::Read;

/// What was said about signatures. A word that nobody knows is the strictest one: a
/// typo must not open a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signatures {
    /// A rule.
    Known(SignatureRule),
    /// Something else.
    Unknown(String),
}

impl Default for Signatures {
    fn default() -> Self {
        Self::Known(SignatureRule::default())
    }
}

impl Signatures {
    /// Every word is one.
    #[allow(clippy::unnecessary_wraps)] // the shape of every reader of a value
    pub fn read(text: &str) -> Read<Self> {
        Ok(match text.trim() {
            "require" => Self::Known(SignatureRule::Require),
            "warn" => Self::Known(SignatureRule::Warn),
            "off" => Self::Known(SignatureRule::Off),
            other => Self::Unknown(crate::text::cut(other, 60)),
        })
    }

    /// The rule in force.
    pub const fn rule(&self) -> SignatureRule {
        match self {
            Self::Known(rule) => *rule,
            Self::Unknown(_) => SignatureRule::Require,
        }
    }

    /// What should be told about it.
    pub fn doubt(&self) -> Option<String> {
        match self {
            Self::Known(_) => None,
            Self::Unknown(word) => Some(format!(
                "`signatures` is `{word}`, which is none of `require`, `warn` and `off`: it is taken for `require`"
            )),
        }
    }

    /// What the layers say.
    pub fn of(layers: &Layers) -> Result<Setting<Self>, ConfigError> {
        layers.read(Key::Signatures, Self::read, Self::default())
    }
}

impl fmt::Display for Signatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.rule() {
            SignatureRule::Require => "require",
            SignatureRule::Warn => "warn",
            SignatureRule::Off => "off",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_word_requires_signatures_and_is_told() {
        for (text, rule) in [
            ("require", SignatureRule::Require),
            (" warn ", SignatureRule::Warn),
            ("off", SignatureRule::Off),
        ] {
            assert_eq!(Signatures::read(text), Ok(Signatures::Known(rule)));
        }
        for wrong in ["Off", "false", "none", "", "requires"] {
            let read = Signatures::read(wrong).unwrap_or_default();
            assert_eq!(read.rule(), SignatureRule::Require, "{wrong}");
            assert!(read.doubt().is_some_and(|doubt| doubt.contains(wrong)), "{wrong}");
            assert_eq!(read.to_string(), "require");
        }
        assert_eq!(Signatures::default().rule(), SignatureRule::Warn);
    }
}
