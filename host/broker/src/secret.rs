//! Values that only the gate may see: sent in headers, never shown.

use std::collections::BTreeMap;
use std::fmt;

/// What stands wherever a secret would have stood.
pub(crate) const REMOVED: &str = "[secret removed]";

/// A credential's value. It can be put in and sent, but not printed or serialised.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for whoever looks for it in texts to take it out of them, and for
    /// nothing else.
    pub fn to_conceal(&self) -> &str {
        &self.0
    }

    /// The value, for the header it goes into and for finding its echo.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REMOVED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REMOVED)
    }
}

/// The secret fields of one plugin's configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, Secret>);

impl Secrets {
    /// Sets the value of a secret configuration field.
    pub fn insert(&mut self, field: impl Into<String>, value: Secret) {
        self.0.insert(field.into(), value);
    }

    /// The value of a field. An empty one counts as none: it proves nothing to
    /// a server.
    pub(crate) fn get(&self, field: &str) -> Option<&Secret> {
        self.0.get(field).filter(|secret| !secret.0.is_empty())
    }
}

impl<F: Into<String>> FromIterator<(F, Secret)> for Secrets {
    fn from_iter<I: IntoIterator<Item = (F, Secret)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(field, secret)| (field.into(), secret)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_cannot_be_printed() {
        let secrets = Secrets::from_iter([("token", Secret::new("hunter2"))]);
        let printed = format!("{secrets:?} {:?} {}", secrets.get("token"), Secret::new("hunter2"));
        assert!(!printed.contains("hunter2"), "{printed}");
        assert!(printed.contains("token") && printed.contains(REMOVED), "{printed}");
    }

    #[test]
    fn an_empty_secret_counts_as_none() {
        let secrets = Secrets::from_iter([("empty", Secret::new("")), ("full", Secret::new("x"))]);
        assert_eq!(secrets.get("empty"), None);
        assert_eq!(secrets.get("missing"), None);
        assert_eq!(secrets.get("full"), Some(&Secret::new("x")));
    }
}
