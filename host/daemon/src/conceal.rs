//! The secrets that a host knows, and how they are kept out of what it decides on,
//! writes down and reports. What agents print is clean before it gets here: their
//! supervisors are told the same secrets.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use hostler_components::Manifest;
use hostler_engine::Input;
use hostler_engine::redaction::{Redaction, RedactionError};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Parts of a variable's name that tell a secret.
const TELLING: [&str; 6] = ["KEY", "TOKEN", "SECRET", "AUTH", "PASSWORD", "HEADERS"];

/// Whether a variable of this name holds a secret.
pub fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    TELLING.iter().any(|part| name.contains(part))
}

/// The operator's values for a plugin's secret settings.
pub fn settings<'a>(
    manifest: &'a Manifest,
    given: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = OsString> + 'a {
    let secret = manifest.config.iter().filter(|(_, field)| field.secret);
    secret.filter_map(|(name, _)| given.get(name)).map(OsString::from)
}

/// The secrets of the operator: keys of agents, and of trackers.
#[derive(Default)]
pub struct Conceal {
    secrets: Vec<OsString>,
    redaction: Redaction,
}

impl Conceal {
    /// Keeps these out of everything.
    pub fn new(secrets: Vec<OsString>) -> Result<Self, RedactionError> {
        let redaction = Redaction::of(secrets.iter().map(|secret| secret.as_bytes()))?;
        Ok(Self { secrets, redaction })
    }

    /// The same, for what is written elsewhere.
    pub fn redaction(&self) -> Redaction {
        self.redaction.clone()
    }

    /// The operator's secrets, and those of one run.
    pub fn with(&self, given: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
        self.secrets.iter().cloned().chain(given).collect()
    }

    /// An input before anything is decided by it, and what is written down of it. All
    /// that the host decides, reports and remembers comes from inputs.
    pub fn input(&self, input: Input) -> (Input, String) {
        let text = serde_json::to_string(&input).unwrap_or_default();
        if !self.redaction.finds(text.as_bytes()) {
            return (input, text);
        }
        let input = clean(input, &self.redaction);
        let text = serde_json::to_string(&input).unwrap_or_default();
        (input, text)
    }
}

/// Masks secrets in everything that a value says. A secret that is a word of the record
/// itself tells nothing, and stays.
pub fn clean<T: Serialize + DeserializeOwned>(value: T, redaction: &Redaction) -> T {
    let mut masked = serde_json::to_value(&value).unwrap_or_default();
    strings(&mut masked, redaction);
    serde_json::from_value(masked).unwrap_or_else(|_| {
        tracing::warn!("a secret is a word that this host uses itself; choose a longer one");
        value
    })
}

/// Masks secrets in every string of a JSON value; names and numbers stay.
pub fn strings(value: &mut Value, redaction: &Redaction) {
    match value {
        Value::String(text) => redaction.text(text),
        Value::Array(values) => values.iter_mut().for_each(|value| strings(value, redaction)),
        Value::Object(fields) => fields.values_mut().for_each(|value| strings(value, redaction)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use hostler_engine::outcome::{Class, Outcome};
    use hostler_engine::task::RunId;

    fn conceal(secrets: &[&str]) -> Conceal {
        Conceal::new(secrets.iter().map(OsString::from).collect()).unwrap()
    }

    fn ended(message: &str) -> Input {
        let outcome = Outcome::failed("x", Class::Auth, message);
        Input::AttemptEnded { run: RunId("r-12345678".to_owned()), attempt: 1, outcome }
    }

    #[test]
    fn what_is_decided_on_and_written_down_is_the_same_and_without_secrets() {
        let (input, text) = conceal(&["hunter22", "say \"hi\""]).input(ended("no hunter22, say \"hi\""));
        assert_eq!(input, ended("no ********, ********"));
        assert_eq!(text, serde_json::to_string(&input).unwrap());
    }

    #[test]
    fn an_input_without_secrets_stays_as_it_is() {
        let (input, text) = conceal(&["hunter22"]).input(ended("no"));
        assert_eq!((&input, text), (&ended("no"), serde_json::to_string(&ended("no")).unwrap()));
    }

    #[test]
    fn a_secret_that_is_a_word_of_the_record_does_not_break_it() {
        let (input, _) = conceal(&["attempt-ended"]).input(ended("no"));
        assert_eq!(input, ended("no"));
    }

    #[test]
    fn names_tell_what_is_secret() {
        for name in
            ["ANTHROPIC_API_KEY", "CLAUDE_CODE_OAUTH_TOKEN", "ANTHROPIC_CUSTOM_HEADERS", "db_password"]
        {
            assert!(is_secret(name), "{name}");
        }
        for name in ["ANTHROPIC_MODEL", "ANTHROPIC_BASE_URL", "PATH"] {
            assert!(!is_secret(name), "{name}");
        }
    }
}
